//! The wheel as a container: what is kept, what agrees, judged by Python's zipfile, pip and CPython.

use std::path::Path;

use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome, Tree, Venv, Wheel, python, run};

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn libs(bench: &Bench) -> Libs {
    Libs::new(Cc::gcc(), &bench.path("lib"))
}

fn same_bytes(one: &Path, other: &Path) -> bool {
    fs_err::read(one).unwrap() == fs_err::read(other).unwrap()
}

/// Runs a Python program over `args`.
fn script(program: &str, args: &[&Path]) -> String {
    run(python(), [Path::new("-c"), Path::new(program)].iter().chain(args))
}

#[test]
fn extensions_are_patched_for_the_place_that_they_are_installed_to() {
    for scheme in ["", "demo-1.0.data/platlib/"] {
        let bench = bench();
        let libs = libs(&bench);
        let tree =
            Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file(&format!("{scheme}demo/sub/__init__.py"), "");
        let member = format!("{scheme}demo/sub/_ext.abi3.so");
        libs.extension(&tree.path(&member), &[]);
        let wheel = bench.repair(&["-l", libs.dir()], &tree.pack(bench.dir()));
        let rpath = Dynamic::of(&wheel.member(&member)).rpath;
        assert_eq!(rpath.as_deref(), Some("$ORIGIN/../../demo.libs"), "{member}");
        let venv = Venv::new();
        venv.install(&wheel.path);
        fs_err::remove_dir_all(&libs.dir).unwrap();
        assert_eq!(venv.run("from demo.sub import _ext; print(_ext.value())"), "42\n", "{member}");
    }
}

#[test]
fn a_binary_in_purelib_is_refused_and_a_root_that_is_no_purelib_is_said_so() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = libs.demo();
    libs.extension(&tree.path("demo-1.0.data/purelib/demo/_more.abi3.so"), &[]);
    let input = tree.pack(bench.dir());
    let args = ["repair", "-l", libs.dir(), "-w", "out", input.to_str().unwrap()];
    bench.spokeshave(args).exits(1).complains(&[
        "demo-1.0.data/purelib/demo/_more.abi3.so",
        "purelib",
        "hint:",
    ]);

    let text = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp39-abi3-linux_x86_64\n";
    let input = libs.demo().file("demo-1.0.dist-info/WHEEL", text).pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    let text = String::from_utf8(wheel.read("demo-1.0.dist-info/WHEEL")).unwrap();
    assert!(text.contains("Root-Is-Purelib: false\n"), "{text}");
}

#[test]
fn an_extension_at_the_top_finds_its_libraries() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64");
    libs.extension(&tree.path("_ext.abi3.so"), &[]);
    let wheel = bench.repair(&["-l", libs.dir()], &tree.pack(bench.dir()));
    assert_eq!(Dynamic::of(&wheel.member("_ext.abi3.so")).rpath.as_deref(), Some("$ORIGIN/demo.libs"));
    let venv = Venv::new();
    venv.install(&wheel.path);
    fs_err::remove_dir_all(&libs.dir).unwrap();
    assert_eq!(venv.run("import _ext; print(_ext.value())"), "42\n");
}

#[test]
fn a_pure_wheel_is_copied_through() {
    let bench = bench();
    let input = Tree::new("demo-1.0-py3-none-any").file("demo/__init__.py", "x = 1").pack(bench.dir());
    let outcome = bench.spokeshave(["repair", "-w", "out", input.to_str().unwrap()]).exits(0);
    assert!(format!("{}{}", outcome.stdout, outcome.stderr).contains("pure"), "it says so: {outcome:?}");
    assert!(same_bytes(&input, &bench.path("out/demo-1.0-py3-none-any.whl")));
}

#[test]
fn a_wheel_that_needs_nothing_more_is_copied_through() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["-l", libs.dir()], &libs.demo().pack(bench.dir()));
    let outcome = bench.spokeshave(["repair", "-w", "out", wheel.path.to_str().unwrap()]).exits(0);
    assert!(same_bytes(&wheel.path, &bench.path("out").join(wheel.path.file_name().unwrap())), "{outcome:?}");
}

#[test]
fn modes_and_symbolic_links_are_kept() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs
        .demo()
        .file("demo/data.txt", "data")
        .mode("demo/data.txt", 0o640)
        .file("demo/run.sh", "#!/bin/sh\n")
        .mode("demo/run.sh", 0o755)
        .mode("demo/_ext.abi3.so", 0o555)
        .link("demo/link.txt", "data.txt")
        .link("demo/_link.abi3.so", "_ext.abi3.so")
        .pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    let before = Wheel::new(input).listing();
    let after = wheel.listing();
    for line in &before {
        assert!(after.contains(line), "{line} of {before:#?} is not in {after:#?}");
    }
    assert_eq!(wheel.read("demo/_link.abi3.so"), b"_ext.abi3.so");
}

#[test]
fn a_binary_that_record_does_not_name_is_seen_and_recorded() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().unrecorded("demo/_ext.abi3.so").pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    assert!(Dynamic::of(&wheel.member("demo/_ext.abi3.so")).rpath.is_some());
}

#[test]
fn signatures_of_record_are_dropped_with_a_warning() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = libs
        .demo()
        .file("demo-1.0.dist-info/RECORD.jws", "{}")
        .file("demo-1.0.dist-info/RECORD.p7s", "x")
        .unrecorded("demo-1.0.dist-info/RECORD.jws")
        .unrecorded("demo-1.0.dist-info/RECORD.p7s");
    let input = tree.pack(bench.dir());
    let args = ["repair", "-l", libs.dir(), "-w", "out", input.to_str().unwrap()];
    bench.spokeshave(args).exits(0).complains(&["warning", "RECORD.jws", "RECORD.p7s"]);
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    assert!(!wheel.names().iter().any(|n| n.ends_with("RECORD.jws") || n.ends_with("RECORD.p7s")));
}

#[test]
fn a_tag_that_the_input_claims_and_does_not_earn_is_dropped() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-cp39-abi3-manylinux1_x86_64").file("demo/__init__.py", "");
    // dlopen moved to libc in 2.34, so manylinux1 is a false claim on any machine that builds this.
    Cc::gcc().extension(
        &tree.path("demo/_ext.abi3.so"),
        "_ext",
        "void *dlopen(const char *, int);",
        "(long)dlopen(0, 1)",
        &[],
    );
    let wheel = bench.repair(&[], &tree.pack(bench.dir()));
    assert!(!wheel.platforms().contains(&"manylinux1_x86_64"), "{}", wheel.name());
}

#[test]
fn the_sbom_names_what_is_carried() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let name = "demo-1.0.dist-info/sboms/spokeshave.cdx.json";
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    let sbom = String::from_utf8(wheel.read(name)).unwrap();
    for lib in ["libalpha-1.2.so.3", "libbeta.so.1"] {
        let sha256 = run("sha256sum", [libs.file(lib)])[..64].to_owned();
        assert!(sbom.contains(&sha256), "{lib} {sha256}: {sbom}");
    }
    let wheel = bench.repair(&["-l", libs.dir(), "--no-sbom"], &input);
    assert!(!wheel.names().iter().any(|n| n.contains("sboms")));
}

#[test]
fn untouched_members_are_copied_compressed_byte_for_byte() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().file("demo/big.txt", "spoke ".repeat(100_000)).pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    let program = "
import sys, zipfile
def raw(path):
    with zipfile.ZipFile(path) as archive, open(path, 'rb') as file:
        info = archive.getinfo('demo/big.txt')
        with archive.open(info): pass
        file.seek(info.header_offset + 26)
        name, extra = (int.from_bytes(file.read(2), 'little') for _ in 'ab')
        file.seek(name + extra, 1)
        return file.read(info.compress_size), info.date_time, info.external_attr, info.compress_type
assert raw(sys.argv[1]) == raw(sys.argv[2])
";
    script(program, &[&input, &wheel.path]);
}

#[test]
fn the_bytes_depend_on_nothing_but_the_input() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let mut first: Option<Vec<u8>> = None;
    for (at, jobs) in ["1", "2", "8"].iter().enumerate() {
        // Another time of day, other times and another order of the files: none may be seen.
        std::thread::sleep(std::time::Duration::from_millis(1100 * at.min(1) as u64));
        for lib in ["libbeta.so.1", "libalpha-1.2.so.3.0"] {
            run("touch", [libs.file(lib)]);
        }
        let wheel = bench.repair(&["-l", libs.dir(), "--jobs", jobs], &input);
        let bytes = fs_err::read(&wheel.path).unwrap();
        assert!(first.get_or_insert_with(|| bytes.clone()) == &bytes, "--jobs {jobs}");
    }
    let dated = |epoch: &str| {
        let mut command = bench.command();
        let args = ["repair", "-l", libs.dir(), "-w", epoch, input.to_str().unwrap()];
        Outcome::of(command.env("SOURCE_DATE_EPOCH", epoch).args(args)).exits(0);
        let found = fs_err::read_dir(bench.path(&format!("{epoch}/x")).parent().unwrap()).unwrap().next();
        fs_err::read(found.unwrap().unwrap().path()).unwrap()
    };
    assert!(dated("1700000000") == dated("01700000000"));
    assert!(dated("1600000000") != dated("1700000001"), "new members have that time");
}
