//! `spokeshave editable`: a copy that finds at run time what it was linked with.

use std::path::Path;
use std::process::Command;

use spokeshave_testkit::snapshot::{entry, snapshot};
use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome};

fn world() -> (Bench, Libs) {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let libs = Libs::new(Cc::gcc(), &bench.path("ext/lib"));
    libs.program(&bench.path("build/app"), &[]);
    // A build tool's further name for the same file.
    fs_err::hard_link(bench.path("build/app"), bench.path("build/deps/app-0123")).unwrap();
    (bench, libs)
}

fn run(program: &Path) -> Outcome {
    Outcome::of(Command::new(program).env_remove("LD_LIBRARY_PATH"))
}

#[test]
fn a_copy_runs_where_its_libraries_are() {
    let (bench, libs) = world();
    let before = snapshot(&bench.dir().join("build"));
    bench.path("out/app");
    for turn in 1..=3 {
        let outcome = bench
            .spokeshave([
                "editable",
                "--linked-path",
                libs.dir(),
                "--linked-path",
                "ext/more",
                "-o",
                "out/app",
                "build/app",
            ])
            .exits(0)
            .complains(&["--linked-path", "ext/more: no such directory"]);
        assert!(outcome.stdout.contains("searches 2 linked paths"), "{outcome:?}");
        assert_eq!(snapshot(&bench.dir().join("build")), before, "turn {turn}");
        assert_eq!(run(&bench.path("out/app")).exits(7).stdout, "42\n", "both libraries are found");
    }
    assert_ne!(
        run(&bench.path("build/app")).code,
        Some(7),
        "the origin finds none, or the test shows nothing"
    );
    let (origin, copy) = (entry(&bench.path("build/app")), entry(&bench.path("out/app")));
    assert!(copy.mode == origin.mode && copy.links == 1 && copy.inode != origin.inode, "{copy:?}");
    let needed = Dynamic::of(&bench.path("out/app")).needed;
    assert_eq!(needed, Dynamic::of(&bench.path("build/app")).needed, "no library is renamed");
    assert_eq!(snapshot(&bench.dir().join("out")).len(), 1);
}

#[test]
fn without_linked_paths_it_is_the_same() {
    let (bench, _) = world();
    let outcome =
        bench.spokeshave(["editable", "-o", "same", "build/app"]).exits(0).complains(&["warning: "]);
    assert!(outcome.stdout.contains("identical"), "{outcome:?}");
    let (origin, copy) = (entry(&bench.path("build/app")), entry(&bench.path("same")));
    assert!(copy.bytes == origin.bytes && copy.mode == origin.mode);
    assert!(copy.inode != origin.inode && copy.links == 1);
}

#[test]
fn json_says_what_was_done() {
    let (bench, libs) = world();
    let args = ["editable", "--json", "--linked-path", libs.dir(), "-o", "out", "build/app"];
    let report = bench.spokeshave(args).exits(0).json();
    assert_eq!(report["patched"], true);
    assert_eq!(report["linked_paths"][0], libs.dir());
    let failed = bench.spokeshave(["editable", "--json", "-o", "out2", "absent"]).exits(1);
    assert_eq!(failed.json()["output"], "out2");
    failed.complains(&["absent"]);
}

#[test]
fn the_origin_is_no_output() {
    let (bench, libs) = world();
    std::os::unix::fs::symlink("app", bench.path("build/link")).unwrap();
    let before = snapshot(&bench.dir().join("build"));
    for out in ["build/app", "build/deps/app-0123", "./build/../build/app", "build/link"] {
        let outcome = bench.spokeshave(["editable", "--linked-path", libs.dir(), "-o", out, "build/app"]);
        outcome.exits(1).complains(&[out, "is the build's own output", "hint: "]);
        assert_eq!(snapshot(&bench.dir().join("build")), before, "{out}");
    }
}

#[test]
fn what_can_not_be_extended() {
    let (bench, libs) = world();
    fs_err::write(bench.path("notes.txt"), "hello").unwrap();
    fs_err::write(bench.path("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    for (input, part) in [("notes.txt", "notes.txt"), ("module.wasm", "WebAssembly"), ("build", "build")] {
        bench
            .spokeshave(["editable", "--linked-path", libs.dir(), "-o", "out", input])
            .exits(1)
            .complains(&[part]);
        assert!(!bench.dir().join("out").exists(), "{input}");
    }
    // The separator of search paths.
    fs_err::create_dir(bench.path("a:b")).unwrap();
    bench
        .spokeshave(["editable", "--linked-path", "a:b", "-o", "out", "build/app"])
        .exits(1)
        .complains(&["a:b"]);
    bench.spokeshave(["editable", "build/app"]).exits(2).complains(&["--output"]);
}
