//! Wine: the real loader of Windows' file format.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// Wine 8 with a Windows 10 of its own.
pub struct Wine {
    prefix: PathBuf,
}

/// Where Debian's `wine64` keeps the program.
const WINE: &str = "/usr/lib/wine/wine64";

impl Wine {
    /// The Windows that the tests share: it takes 7 s and 700 MB to make, so it is made once, beside the interpreter of
    /// the tests.
    ///
    /// # Panics
    /// When wine is not installed or does not start.
    #[track_caller]
    pub fn new() -> Wine {
        let environment = crate::python().parent().and_then(Path::parent).unwrap().to_owned();
        let wine = Wine { prefix: environment.join("wine") };
        // Test programs run side by side; the lock goes with the file.
        let lock = fs_err::File::create(environment.join("wine.lock")).unwrap();
        lock.file().lock().unwrap();
        let done = environment.join("wine.done");
        if !done.exists() {
            if wine.prefix.exists() {
                fs_err::remove_dir_all(&wine.prefix).unwrap();
            }
            let boot = Outcome::of(wine.command("wineboot").arg("--init")).exits(0);
            Outcome::of(wine.command("winecfg").args(["-v", "win10"])).exits(0);
            fs_err::write(done, boot.stderr).unwrap();
        }
        wine
    }

    /// A Windows program, arguments still to be added. Unix paths are seen below `Z:`.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(WINE);
        command
            .arg(program.as_ref())
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            // No offers to install .NET and a browser.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=");
        command
    }

    /// Runs a Windows program in its own directory; it must succeed. What it printed, with Unix line ends.
    #[track_caller]
    pub fn run(&self, program: &Path) -> String {
        let outcome = Outcome::of(self.command(program).current_dir(program.parent().unwrap())).exits(0);
        outcome.stdout.replace("\r\n", "\n")
    }
}

impl Default for Wine {
    fn default() -> Self {
        Wine::new()
    }
}
