//! Cargo projects that need nothing from a registry.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A cargo project in a scratch directory.
pub struct Project {
    /// Its directory.
    pub dir: PathBuf,
}

impl Project {
    /// An empty directory.
    #[track_caller]
    pub fn new(dir: PathBuf) -> Project {
        fs_err::create_dir_all(&dir).unwrap();
        Project { dir }
    }

    /// Adds a file.
    #[track_caller]
    pub fn file(self, name: &str, text: &str) -> Project {
        let path = self.dir.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
        self
    }

    /// Adds the package `name` in the directory `at` (empty: that of the project), with `more` at the end of its
    /// manifest.
    #[track_caller]
    pub fn package(self, at: &str, name: &str, more: &str) -> Project {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{more}\n");
        self.file(format!("{at}/Cargo.toml").trim_start_matches("/"), &manifest)
    }

    /// `command`, which runs cargo or is cargo, in the project's directory, as a user's shell would: cargo's own
    /// variables, which every test has around it, would change what a cargo inside does.
    pub fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let cargos = name.starts_with("CARGO") && !matches!(&*name, "CARGO" | "CARGO_HOME");
            if cargos || matches!(&*name, "RUSTFLAGS" | "RUSTC_WRAPPER" | "LD_LIBRARY_PATH") {
                command.env_remove(name);
            }
        }
        command.current_dir(&self.dir).env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_COLOR", "never")
    }

    /// Cargo in the project's directory, arguments still to be added.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        self.prepare(&mut cargo);
        cargo
    }

    /// A path in the project.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }
}
