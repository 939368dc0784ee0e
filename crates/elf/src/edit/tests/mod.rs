//! The editor on libraries built for the purpose, judged by the loader and by readelf.

mod growth;
mod hostile;
mod inplace;
mod read_back;
mod refused;
mod strips;
mod versions;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::change::{Changes, PathTag, SearchPath};

/// A directory with what a test builds in it.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Builds a shared library with the compiler `cc`.
    fn build_with(&self, cc: &str, name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
        let code = self.path(&format!("{name}.c"));
        std::fs::write(&code, source).unwrap();
        let out = self.path(name);
        let mut command = Command::new(cc);
        command
            .current_dir(self.dir.path())
            .args(["-shared", "-fPIC", "-o"])
            .arg(&out)
            .arg(&code)
            .args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(&out).unwrap()
    }

    fn build(&self, name: &str, source: &str, flags: &[&str]) -> Vec<u8> {
        self.build_with("cc", name, source, flags)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Opens a library in a child process and calls its `answer`.
    fn answer(&self, library: &Path) -> i32 {
        let program = self.path("answer");
        if !program.exists() {
            let code = self.put("answer.c", ANSWER.as_bytes());
            let status = Command::new("cc").arg("-o").arg(&program).arg(code).arg("-ldl").status().unwrap();
            assert!(status.success());
        }
        let output = Command::new(program).arg(library).current_dir(self.dir.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().parse().unwrap_or_else(|_| {
            panic!("{}: {} {}", library.display(), output.status, String::from_utf8_lossy(&output.stderr))
        })
    }
}

const ANSWER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    int (*answer)(void) = (int (*)(void))dlsym(library, "answer");
    if (!answer) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    printf("%d\n", answer());
    return 0;
}
"#;

/// A library with data, zeroed memory, a thread-local variable, a constructor and a call of libc.
const LIBRARY: &str = r#"
#include <stdlib.h>
#include <string.h>
static int numbers[100];
static __thread int local = 7;
static const char *words[] = { "one", "two", "three" };
__attribute__((constructor)) static void begin(void) { numbers[99] = (int)strlen(words[2]); }
int answer(void) {
    for (int i = 0; i < 99; i++) if (numbers[i]) return -1;
    char *copy = strdup("thirty");
    int result = 24 + (int)strlen(copy) + local + numbers[99];
    free(copy);
    return result;
}
"#;
const RIGHT: i32 = 42;

/// The same with so many names that the string table fits in no padding.
fn crowded() -> String {
    let names = (0..500).map(|n| format!("int a_function_with_a_long_name_{n}(void) {{ return {n}; }}\n"));
    format!("{LIBRARY}{}", names.collect::<String>())
}

fn path(tag: PathTag, entries: &[&str]) -> Option<SearchPath> {
    Some(SearchPath { tag, entries: entries.iter().map(|entry| (*entry).to_owned()).collect() })
}

/// The edited file, checked and compared with the old one.
fn edited(old: &[u8], changes: &Changes) -> Vec<u8> {
    let edits = super::patch(old, changes).unwrap();
    let new = spokeshave_core::apply(old, &edits).unwrap();
    super::verify(old, &new, changes).unwrap();
    assert_eq!(super::patch(&new, changes).unwrap(), [], "the same change again");
    new
}

/// What readelf prints; it must have nothing to complain about.
fn readelf(file: &Path, flags: &[&str]) -> String {
    let output = Command::new("readelf").args(flags).arg("-W").arg(file).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a tool is there. On CI one that is missing is a failure.
fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "{tool} is not installed");
    found
}

/// The change that makes everything grow.
fn long_changes() -> Changes {
    Changes {
        soname: Some("liba-very-long-name-0123abcd.so.1".into()),
        needed: vec![("libc.so.6".into(), Some("libc.so.6".into()))],
        search_path: path(PathTag::Rpath, &["$ORIGIN/../some.libs", "/opt/a/long/path/that/was/not/there"]),
        strip: false,
    }
}
