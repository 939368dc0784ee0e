//! Files that real compilers make for the tests.

use std::path::{Path, PathBuf};

use spokeshave_testkit::{Wine, python, run};

/// A directory with what a test builds in it.
pub(crate) struct Bench {
    pub dir: tempfile::TempDir,
}

/// What makes Windows files here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toolchain {
    command: &'static [&'static str],
    /// Whether wine runs what it makes.
    pub runs: bool,
}

/// GNU's, for x64.
pub(crate) const MINGW: Toolchain = Toolchain { command: &["x86_64-w64-mingw32-gcc"], runs: true };

/// All of them; `python` stands for the tests' own.
pub(crate) const TOOLCHAINS: [Toolchain; 5] = [
    MINGW,
    Toolchain { command: &["i686-w64-mingw32-gcc"], runs: false },
    Toolchain {
        command: &["python", "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-s"],
        runs: true,
    },
    Toolchain {
        command: &["python", "-m", "ziglang", "cc", "-target", "x86-windows-gnu", "-s"],
        runs: false,
    },
    Toolchain {
        command: &["python", "-m", "ziglang", "cc", "-target", "aarch64-windows-gnu", "-s"],
        runs: false,
    },
];

/// A library, one that imports it, and a program that imports that.
pub(crate) const PART: &str = "__declspec(dllexport) int part(void) { return 2; }";
pub(crate) const ANSWER: &str = "
__declspec(dllimport) int part(void);
__declspec(dllexport) int answer(void) { return 40 + part(); }
";
pub(crate) const PROGRAM: &str = "
#include <stdio.h>
__declspec(dllimport) int answer(void);
int main(void) { printf(\"%d\\n\", answer()); return 0; }
";

/// Three files that import each other: `program.exe`, `answer.dll`, `part.dll`.
pub(crate) struct Trio {
    pub program: Vec<u8>,
    pub answer: Vec<u8>,
    pub part: Vec<u8>,
}

impl Bench {
    pub fn new() -> Self {
        Bench { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Compiles and links `name` from `source`.
    pub fn build(&self, with: Toolchain, name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
        let code = self.put(&format!("{name}.c"), source);
        let out = self.path(name);
        let interpreter = python();
        let (first, rest) = with.command.split_first().unwrap();
        let program = if *first == "python" { interpreter.as_path() } else { Path::new(first) };
        let paths = ["-o", out.to_str().unwrap(), code.to_str().unwrap()];
        run(program, rest.iter().chain(&paths).chain(flags));
        std::fs::read(out).unwrap()
    }

    pub fn trio(&self, with: Toolchain) -> Trio {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let library = |name: &str| format!("-Wl,--out-implib={}", path(name));
        let part = self.build(with, "part.dll", PART, &["-shared", &library("part.a")]);
        let flags = ["-shared", &path("part.a"), &library("answer.a")];
        let answer = self.build(with, "answer.dll", ANSWER, &flags);
        let program = self.build(with, "program.exe", PROGRAM, &[&path("answer.a")]);
        Trio { program, answer, part }
    }

    /// What the program `name` prints under wine.
    pub fn prints(&self, name: &str) -> String {
        Wine::new().run(&self.path(name)).trim().to_owned()
    }
}
