//! The libraries that most tests carry.

use std::path::{Path, PathBuf};

use crate::{Cc, Tree};

/// A directory with `libalpha-1.2.so.3` (a link to `libalpha-1.2.so.3.0`), whose symbols have versions and which needs
/// `libbeta.so.1`. `long alpha(void)` is 42 when both are loaded.
pub struct Libs {
    /// The directory.
    pub dir: PathBuf,
    cc: Cc,
}

/// What `#include` would bring.
pub const ALPHA: &str = "long alpha(void);";

impl Libs {
    /// Builds them.
    #[track_caller]
    pub fn new(cc: Cc, dir: &Path) -> Libs {
        let libs = Libs { dir: dir.to_owned(), cc };
        libs.cc.library(
            &dir.join("libbeta.so.1"),
            "libbeta.so.1",
            "static long two = 2; long *beta_data = &two; long beta(void) { return *beta_data; }",
            &[],
        );
        let versions = dir.join("alpha.map");
        fs_err::write(&versions, "ALPHA_1.0 { global: alpha; local: *; };").unwrap();
        libs.cc.library(
            &dir.join("libalpha-1.2.so.3.0"),
            "libalpha-1.2.so.3",
            "long beta(void); long alpha(void) { return 40 + beta(); }",
            &[&format!("-Wl,--version-script={}", versions.display()), &libs.file("libbeta.so.1")],
        );
        std::os::unix::fs::symlink("libalpha-1.2.so.3.0", dir.join("libalpha-1.2.so.3")).unwrap();
        libs
    }

    /// The path of a file in the directory.
    pub fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// The directory as an argument.
    pub fn dir(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// What links something against `libalpha`.
    pub fn link_args(&self) -> [String; 2] {
        [self.file("libalpha-1.2.so.3"), format!("-Wl,-rpath-link,{}", self.dir())]
    }

    /// Builds an extension `demo._ext` whose `value()` is 42, with further linker arguments.
    #[track_caller]
    pub fn extension(&self, out: &Path, args: &[&str]) {
        let [alpha, search] = self.link_args();
        self.cc.extension(out, "_ext", ALPHA, "alpha()", &[&[alpha.as_str(), &search], args].concat());
    }

    /// Builds a program that prints 42 and its arguments, and exits with 7.
    #[track_caller]
    pub fn program(&self, out: &Path, args: &[&str]) {
        let source = format!(
            r#"#include <stdio.h>
{ALPHA}
int main(int count, char **words) {{
    printf("%ld", alpha());
    for (int i = 1; i < count; i++) printf(" %s", words[i]);
    printf("\n");
    return 7;
}}"#
        );
        let [alpha, search] = self.link_args();
        self.cc.build(out, &source, &[&[alpha.as_str(), &search], args].concat());
    }

    /// A wheel that holds `demo/_ext.abi3.so`, which needs `libalpha`, and `demo/_alone.abi3.so`, which needs nothing.
    #[track_caller]
    pub fn demo(&self) -> Tree {
        let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
        self.extension(&tree.path("demo/_ext.abi3.so"), &[]);
        self.cc.extension(&tree.path("demo/_alone.abi3.so"), "_alone", "", "7", &[]);
        tree
    }
}
