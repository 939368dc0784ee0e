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

    /// Another machine's, under qemu; `None` when qemu or the C library is not installed. Without a compiler the
    /// loader itself maps the library and relocates it, as `ldd -r` does.
    pub fn qemu(dir: &Path, triple: &str, qemu: &str) -> Option<Self> {
        let installed = |program: &str| Command::new(program).arg("--version").output().is_ok();
        let root = format!("/usr/{triple}");
        let lib = format!("{root}/lib");
        let qemu = format!("qemu-{qemu}");
        if !installed(&qemu) || !Path::new(&lib).is_dir() {
            return None;
        }
        let cc = format!("{triple}-gcc");
        let mut command = vec![qemu, "-L".into(), root];
        if installed(&cc) {
            command.push(build(dir, &cc, triple).display().to_string());
        } else {
            let loader = format!("{lib}/ld.so.1");
            let more =
                ["-E", "LD_BIND_NOW=1", "-E", "LD_WARN=yes", &loader, "--library-path", &lib, "--list"];
            command.extend(more.map(str::to_owned));
        }
        Some(Loader { command })
    }

    /// What the loader says of the library; `Ok` when it loads. `search` is its `LD_LIBRARY_PATH`.
    pub fn load(&self, library: &Path, search: &Path) -> Result<(), String> {
        let mut command = Command::new("timeout");
        command.arg("60").args(&self.command).arg(library);
        if self.command.len() == 1 {
            command.env("LD_LIBRARY_PATH", search);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&said);
        if output.status.success() && !text.contains("not found") && !text.contains("undefined symbol") {
            return Ok(());
        }
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
