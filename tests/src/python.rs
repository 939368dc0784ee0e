//! CPython: the one that the tools are installed in, and clean virtual environments.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Outcome, run};

/// The Python that has auditwheel, LIEF and the other tools of `tests/requirements.txt`.
///
/// # Panics
/// When `SPOKESHAVE_TEST_PYTHON` does not name it.
pub fn python() -> PathBuf {
    match std::env::var_os("SPOKESHAVE_TEST_PYTHON") {
        Some(path) => path.into(),
        None => panic!(
            "SPOKESHAVE_TEST_PYTHON is not set: run tests/run, or after its first run\n\
             export SPOKESHAVE_TEST_PYTHON=$PWD/target/test-env/bin/python"
        ),
    }
}

/// A Python program's beginning that defines `outside()`: the files mapped into the process that lie neither below
/// `sys.prefix` nor below the interpreter's own directories.
pub const MAPS: &str = "
import sys
def outside():
    own = (sys.prefix + '/', sys.base_prefix + '/')
    mapped = set()
    for line in open('/proc/self/maps'):
        words = line.split(None, 5)
        if len(words) == 6 and words[5].startswith('/') and not words[5].startswith(own):
            mapped.add(words[5].strip())
    return sorted(mapped)
";

/// A virtual environment that holds nothing but what a test installs.
pub struct Venv {
    dir: TempDir,
}

impl Venv {
    /// Makes it, without pip of its own.
    #[track_caller]
    pub fn new() -> Venv {
        let dir = TempDir::with_prefix("venv-").unwrap();
        run(python(), ["-m", "venv", "--without-pip", dir.path().to_str().unwrap()]);
        Venv { dir }
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.dir.path().join("bin/python")
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Installs a wheel, or a requirement such as `numpy==2.4.6`, without its dependencies.
    #[track_caller]
    pub fn install(&self, wheel: impl AsRef<Path>) {
        let own = self.python();
        let pip = ["-m", "pip", "--python", own.to_str().unwrap(), "install", "-q", "--no-deps"];
        let wheel = wheel.as_ref().to_str().unwrap();
        run(python(), pip.into_iter().chain(["--no-warn-script-location", wheel]));
    }

    /// A command of it in a plain environment, started elsewhere than in the checkout.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.dir.path().join("bin").join(program));
        command.current_dir(self.dir()).env_remove("LD_LIBRARY_PATH").env_remove("PYTHONPATH");
        command
    }

    /// Runs a Python program, which must succeed; what it printed.
    #[track_caller]
    pub fn run(&self, program: &str) -> String {
        Outcome::of(self.command("python").args(["-I", "-c", program])).exits(0).stdout
    }
}

impl Default for Venv {
    fn default() -> Self {
        Venv::new()
    }
}
