//! The real loaders: a small program that opens a library, built for each machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SOURCE: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (!dlopen(argv[1], RTLD_NOW)) { fprintf(stderr, "%s\n", dlerror()); _exit(1); }
    _exit(0);
}
"#;

/// Opens libraries in a child process.
pub struct Loader {
    command: Vec<String>,
}

impl Loader {
    /// The machine's own.
    pub fn native(dir: &Path) -> Self {
        Loader { command: vec![build(dir, "cc", "native").display().to_string()] }
    }

    /// Another machine's, under qemu; `None` when its compiler or qemu is not installed.
    pub fn qemu(dir: &Path, triple: &str, qemu: &str) -> Option<Self> {
        let installed = |program: &str| Command::new(program).arg("--version").output().is_ok();
        let cc = format!("{triple}-gcc");
        let qemu = format!("qemu-{qemu}");
        if !installed(&cc) || !installed(&qemu) {
            return None;
        }
        let program = build(dir, &cc, triple);
        Some(Loader {
            command: vec![qemu, "-L".into(), format!("/usr/{triple}"), program.display().to_string()],
        })
    }

    /// What the loader says of the library; `Ok` when it loads. `search` is its `LD_LIBRARY_PATH`.
    pub fn load(&self, library: &Path, search: &Path) -> Result<(), String> {
        let mut command = Command::new("timeout");
        command.arg("60").args(&self.command).arg(library);
        if self.command.len() == 1 {
            command.env("LD_LIBRARY_PATH", search);
        }
        let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}", output.status, text.lines().last().unwrap_or_default()))
    }
}

fn build(dir: &Path, cc: &str, name: &str) -> PathBuf {
    let source = dir.join("open.c");
    std::fs::write(&source, SOURCE).unwrap();
    let program = dir.join(format!("open-{name}"));
    let status = Command::new(cc).arg("-o").arg(&program).arg(&source).arg("-ldl").status().unwrap();
    assert!(status.success(), "{cc} failed");
    program
}
