//! A scratch directory with the program under test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Outcome, Wheel};

/// Environment variables that would change what the program does.
const CLEARED: &[&str] = &[
    "AUDITWHEEL_LD_LIBRARY_PATH",
    "AUDITWHEEL_PLAT",
    "CLICOLOR_FORCE",
    "LD_LIBRARY_PATH",
    "SOURCE_DATE_EPOCH",
    "SPOKESHAVE_LOG",
];

/// A scratch directory, gone at the end, and the program under test.
pub struct Bench {
    dir: TempDir,
    exe: &'static str,
}

impl Bench {
    /// `exe` is `env!("CARGO_BIN_EXE_spokeshave")`, which only the tests of its package have.
    pub fn new(exe: &'static str) -> Bench {
        Bench { dir: TempDir::with_prefix("spokeshave-test-").unwrap(), exe }
    }

    /// The scratch directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it, whose directory is made.
    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// The program in the scratch directory with a plain environment, arguments still to be added.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.exe);
        command.current_dir(self.dir()).env("NO_COLOR", "1");
        for name in CLEARED {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program in the scratch directory.
    pub fn spokeshave<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        Outcome::of(self.command().args(args))
    }

    /// Repairs `wheel` into a directory of its own below the scratch directory, with `args` before the wheel; the one
    /// file that stands there, which must pass the independent check.
    #[track_caller]
    pub fn repair(&self, args: &[&str], wheel: &Path) -> Wheel {
        let out = TempDir::with_prefix_in("out-", self.dir()).unwrap().keep();
        let mut line = vec![OsStr::new("repair"), OsStr::new("-w"), out.as_os_str()];
        line.extend(args.iter().map(OsStr::new));
        line.push(wheel.as_os_str());
        let outcome = self.spokeshave(line).exits(0);
        let mut found: Vec<PathBuf> =
            fs_err::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(found.len() == 1, "{}\n{}\nleft {found:?}", outcome.command, outcome.stderr);
        let wheel = Wheel::new(found.remove(0));
        wheel.check();
        wheel
    }
}
