//! `spokeshave merge`: wheels for x86_64 and arm64 become one for both. What comes of it is judged by LIEF, macholib,
//! LLVM's tools, an emulator and a check of the signatures' hashes, none of which shares code with us.

#[path = "macho/kit.rs"]
#[allow(dead_code, reason = "the tests of repairs use the rest")]
mod kit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kit::{ARCHES, Mac, carried, platform};
use spokeshave_testkit::{Bench, Cc, Libs, Macho, Outcome, Tree, Wheel, call, lipo, macos_wheel};

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn merge(bench: &Bench, args: &[&str], wheels: &[&Path]) -> Outcome {
    let wheels = wheels.iter().map(|wheel| wheel.to_str().unwrap());
    bench.spokeshave(["merge"].into_iter().chain(args.iter().copied()).chain(wheels))
}

/// Merges into `out`, which is new; the wheel that stands there then, sound by the independent check.
#[track_caller]
fn merged(bench: &Bench, out: &str, wheels: &[&Path]) -> (Wheel, Outcome) {
    let outcome = merge(bench, &["-w", out], wheels).exits(0);
    let mut found: Vec<PathBuf> =
        fs_err::read_dir(bench.path(out)).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let wheel = Wheel::new(found.remove(0));
    wheel.check();
    (wheel, outcome)
}

/// An extension and the library beside it, which adds `add`; each under its name in the wheel.
fn binaries(bench: &Bench, arch: &str, add: i32) -> BTreeMap<&'static str, PathBuf> {
    let (lib, ext) =
        (bench.path(&format!("{arch}{add}/liba.dylib")), bench.path(&format!("{arch}{add}/ext.dylib")));
    let cc = Cc::zig(if arch == "arm64" { "aarch64-macos.11.0" } else { "x86_64-macos.10.15" });
    cc.dylib(&lib, "@loader_path/.dylibs/liba.dylib", &format!("int a(int x) {{ return x + {add}; }}"), &[]);
    let source = "int a(int); int value(int x) { return a(x); }";
    cc.dylib(&ext, "_ext.so", source, &[lib.to_str().unwrap()]);
    BTreeMap::from([("demo/.dylibs/liba.dylib", lib), ("demo/_ext.so", ext)])
}

fn tree(arch: &str, binaries: &BTreeMap<&'static str, PathBuf>) -> Tree {
    let tree =
        Tree::new(&format!("demo-1.0-cp39-abi3-{}", platform(arch))).file("demo/__init__.py", "x = 1\n");
    binaries.iter().fold(tree, |tree, (name, path)| tree.built(name, path))
}

/// A copy in another directory.
fn twin(bench: &Bench, wheel: &Path) -> PathBuf {
    let twin = bench.path("twin").join(wheel.file_name().unwrap());
    fs_err::create_dir_all(twin.parent().unwrap()).unwrap();
    fs_err::copy(wheel, &twin).unwrap();
    twin
}

#[test]
fn wheels_for_two_processors_become_one() {
    let bench = bench();
    let parts = [("x86_64", 1), ("arm64", 2)].map(|(arch, add)| binaries(&bench, arch, add));
    let intel = tree("x86_64", &parts[0]).file("demo/intel.txt", "of one only").mode("demo/_ext.so", 0o755);
    let intel = intel.pack(bench.dir());
    let arm = tree("arm64", &parts[1]).file("demo/arm.txt", "of the other").pack(bench.dir());
    let before = [&intel, &arm].map(|path| fs_err::read(path).unwrap());
    let (wheel, outcome) = merged(&bench, "out", &[&intel, &arm]);
    assert_eq!(wheel.name(), "demo-1.0-cp39-abi3-macosx_10_15_universal2");
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("joined    2 binaries"), "{}", outcome.stdout);
    assert_eq!([&intel, &arm].map(|path| fs_err::read(path).unwrap()), before, "the inputs are read only");

    for name in parts[0].keys() {
        let joined = Macho::of(&wheel.member(name));
        for (arch, part) in ARCHES.iter().zip(&parts) {
            assert_eq!(joined.slice(arch).sha256, Macho::of(&part[name]).slices[0].sha256, "{name} {arch}");
        }
        let expected = bench.path("expected");
        lipo(&expected, &[&parts[0][name], &parts[1][name]]);
        assert!(wheel.read(name) == fs_err::read(&expected).unwrap(), "{name} is not what lipo makes");
    }
    for (arch, value) in [("x86_64", 41), ("arm64", 42)] {
        assert_eq!(call(arch, &wheel.member("demo/_ext.so"), "value", 40, &[]).unwrap().result, value);
    }
    assert_eq!(
        (wheel.read("demo/intel.txt"), wheel.read("demo/arm.txt")),
        ("of one only".into(), "of the other".into())
    );
    assert!(wheel.listing().contains(&"-rwxr-xr-x demo/_ext.so".to_owned()), "{:?}", wheel.listing());
    let tags = String::from_utf8(wheel.read("demo-1.0.dist-info/WHEEL")).unwrap();
    assert_eq!(tags.matches("Tag: ").count(), 1, "{tags}");

    // Neither the count of threads nor the order of the wheels changes what is joined.
    let alone = merge(&bench, &["-w", "alone", "-j", "1"], &[&intel, &arm]).exits(0);
    let again = fs_err::read(bench.path(&format!("alone/{}.whl", wheel.name()))).unwrap();
    assert!(again == fs_err::read(&wheel.path).unwrap(), "{}", alone.stdout);
    let (turned, _) = merged(&bench, "turned", &[&arm, &intel]);
    assert_eq!(turned.name(), wheel.name());
    parts[0].keys().for_each(|name| assert!(turned.read(name) == wheel.read(name), "{name}"));

    // A third wheel that has nothing new changes nothing; the merged one needs no repair.
    let (third, _) = merged(&bench, "third", &[&wheel.path, &twin(&bench, &wheel.path)]);
    assert!(fs_err::read(&third.path).unwrap() == fs_err::read(&wheel.path).unwrap());
    let repaired = bench.repair(&["--require-archs", "universal2"], &wheel.path);
    assert!(fs_err::read(&repaired.path).unwrap() == fs_err::read(&wheel.path).unwrap());
}

#[test]
fn other_files_that_differ_are_all_named() {
    let bench = bench();
    let wheel = |arch, add, text: &str| {
        let tree =
            tree(arch, &binaries(&bench, arch, add)).file("demo/config.py", text).file("demo/same.py", "");
        tree.file("demo/data.bin", [text.as_bytes(), b"\0"].concat()).pack(bench.dir())
    };
    let (intel, arm) = (wheel("x86_64", 1, "intel"), wheel("arm64", 2, "arm"));
    let outcome = merge(&bench, &["-w", "out"], &[&intel, &arm]).exits(1);
    let outcome = outcome.complains(&[
        "2 files that are no binaries",
        "\n  demo/config.py",
        "\n  demo/data.bin",
        "hint: ",
    ]);
    assert!(!outcome.stderr.contains("same.py") && !outcome.stderr.contains("_ext.so"), "{}", outcome.stderr);
    assert!(!bench.path("out").exists());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let bench = bench();
    let (intel, arm) = (binaries(&bench, "x86_64", 1), binaries(&bench, "arm64", 2));
    let first = tree("x86_64", &intel).pack(bench.dir());
    let refused = |name: &str, binaries: &BTreeMap<&'static str, PathBuf>, words: &[&str]| {
        let other = Tree::new(name).file("demo/__init__.py", "x = 1\n");
        let other = binaries.iter().fold(other, |tree, (name, path)| tree.built(name, path));
        let other = other.pack(&bench.path("other"));
        merge(&bench, &["-w", "out"], &[&first, &other]).exits(1).complains(words);
        assert!(!bench.path("out").exists());
    };
    refused("demo-1.1-cp39-abi3-macosx_11_0_arm64", &arm, &["another release", "demo-1.1"]);
    refused("demo-1.0-cp312-cp312-macosx_11_0_arm64", &arm, &["other Pythons"]);
    let same = binaries(&bench, "x86_64", 7);
    refused(
        "demo-1.0-cp39-abi3-macosx_11_0_x86_64",
        &same,
        &["demo/.dylibs/liba.dylib", "two different files for x86_64"],
    );
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    let linux = libs.demo().pack(bench.dir());
    merge(&bench, &[], &[&linux, &twin(&bench, &linux)]).exits(1).complains(&["for one processor each"]);
    let arm = tree("arm64", &arm).pack(bench.dir());
    let into = arm.parent().unwrap().to_str().unwrap();
    let (both, _) = merged(&bench, "both", &[&first, &arm]);
    fs_err::copy(&both.path, bench.path(&both.path.file_name().unwrap().to_string_lossy())).unwrap();
    let own = bench.path(&both.path.file_name().unwrap().to_string_lossy());
    merge(&bench, &["-w", into], &[&own, &both.path])
        .exits(1)
        .complains(&["would replace one of the inputs"]);
}

#[test]
fn tags_promise_what_each_wheel_promised() {
    let bench = bench();
    let (intel, arm) = (binaries(&bench, "x86_64", 1), binaries(&bench, "arm64", 2));
    let first = tree("x86_64", &intel).pack(bench.dir());
    let newer = Tree::new("demo-1.0-cp39-abi3-macosx_12_0_arm64").file("demo/__init__.py", "x = 1\n");
    let newer = arm.iter().fold(newer, |tree, (name, path)| tree.built(name, path)).pack(bench.dir());
    let (wheel, _) = merged(&bench, "out", &[&first, &newer]);
    assert_eq!(wheel.platforms(), ["macosx_10_15_x86_64", "macosx_12_0_arm64"]);
}

#[test]
fn a_module_for_one_processor_is_kept_and_told_of() {
    let bench = bench();
    let (intel, arm) = (binaries(&bench, "x86_64", 1), binaries(&bench, "arm64", 2));
    let first = tree("x86_64", &intel).built("demo/_fast.so", &intel["demo/_ext.so"]).pack(bench.dir());
    let second = tree("arm64", &arm).pack(bench.dir());
    let (wheel, outcome) = merged(&bench, "out", &[&first, &second]);
    outcome.complains(&["warning: demo/_fast.so is in demo-1.0-cp39-abi3-macosx_10_15_x86_64.whl only"]);
    assert!(wheel.read("demo/_fast.so") == fs_err::read(&intel["demo/_ext.so"]).unwrap());
}

/// What is carried for each processor has a hash in its name, so each slice leads to its own.
#[test]
fn repaired_wheels_keep_their_libraries_and_both_bills() {
    let repaired = ARCHES.map(|arch| {
        let mac = Mac::new(arch);
        let add = if arch == "arm64" { 2 } else { 1 };
        mac.lib("/opt/liba.dylib", "/opt/liba.dylib", &format!("int a(int x) {{ return x + {add}; }}"), &[]);
        let input = mac.wheel("int a(int); int value(int x) { return a(x); }", &["@root/opt/liba.dylib"]);
        let wheel = mac.repair(&[], &input);
        (mac, wheel)
    });
    let bench = bench();
    let [intel, arm] = [&repaired[0].1.path, &repaired[1].1.path];
    let (wheel, outcome) = merged(&bench, "out", &[intel, arm]);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    assert_eq!(carried(&wheel).len(), 2);
    for (arch, add) in [("x86_64", 1), ("arm64", 2)] {
        assert_eq!(call(arch, &wheel.member("demo/_ext.so"), "value", 1, &[]).unwrap().result, 1 + add);
    }
    let bill = String::from_utf8(wheel.read("demo-1.0.dist-info/sboms/spokeshave.cdx.json")).unwrap();
    for name in carried(&wheel) {
        assert!(bill.contains(&format!("\"bom-ref\": \"demo.dylibs/{name}\"")), "{bill}");
    }
    assert!(bill.contains("universal2.whl") && !bill.contains("_x86_64.whl"), "{bill}");
}

/// All binaries of a published pair are joined, and every slice is a published one.
#[track_caller]
fn published(intel: &str, arm: &str, into: &str, functions: &[(&str, &str, i64)]) {
    let bench = bench();
    let (intel, arm) = (macos_wheel(intel), macos_wheel(arm));
    let packed = [&intel, &arm].map(|dir| PathBuf::from(format!("{}.whl", dir.display())));
    let (wheel, _) = merged(&bench, "out", &[&packed[0], &packed[1]]);
    assert_eq!(wheel.name(), into);
    let names: Vec<String> =
        wheel.names().into_iter().filter(|name| name.ends_with(".so") || name.ends_with(".dylib")).collect();
    assert!(names.len() > 10, "{names:?}");
    let read = |root: &Path| Macho::read(&names.iter().map(|name| root.join(name)).collect::<Vec<_>>());
    let (joined, intel, arm) = (read(wheel.root()), read(&intel), read(&arm));
    for ((joined, intel), arm) in joined.iter().zip(&intel).zip(&arm) {
        assert!(joined.errors.is_empty() && joined.fat, "{}: {:#?}", joined.path, joined.errors);
        assert_eq!(joined.slice("x86_64").sha256, intel.slices[0].sha256, "{}", joined.path);
        assert_eq!(joined.slice("arm64").sha256, arm.slices[0].sha256, "{}", joined.path);
    }
    for arch in ARCHES {
        for (library, name, result) in functions {
            let called = call(arch, &wheel.member(library), name, 0, &["--no-init"]).unwrap();
            assert_eq!(called.result, *result, "{name} on {arch}");
        }
    }
}

#[test]
fn pillow() {
    published(
        "pillow-13.0.0-cp312-cp312-macosx_10_13_x86_64",
        "pillow-13.0.0-cp312-cp312-macosx_11_0_arm64",
        "pillow-13.0.0-cp312-cp312-macosx_10_13_universal2",
        &[("PIL/.dylibs/libwebpmux.3.dylib", "WebPGetMuxVersion", 0x1_06_00)],
    );
}

#[test]
fn psycopg2() {
    published(
        "psycopg2_binary-2.9.13-cp312-cp312-macosx_10_13_x86_64",
        "psycopg2_binary-2.9.13-cp312-cp312-macosx_11_0_arm64",
        "psycopg2_binary-2.9.13-cp312-cp312-macosx_10_13_universal2",
        &[("psycopg2/.dylibs/libpq.5.dylib", "PQlibVersion", 170_011)],
    );
}

#[test]
#[ignore = "downloads of tests/run --long"]
fn numpy_writes_its_configuration_into_the_wheel() {
    let bench = bench();
    let wheels = ["macosx_10_13_x86_64", "macosx_11_0_arm64"]
        .map(|tag| macos_wheel(&format!("numpy-2.5.5-cp312-cp312-{tag}")))
        .map(|dir| PathBuf::from(format!("{}.whl", dir.display())));
    merge(&bench, &["-w", "out"], &[&wheels[0], &wheels[1]]).exits(1).complains(&[
        "4 files that are no binaries",
        "numpy/__config__.py",
        "numpy/_core/include/numpy/_numpyconfig.h",
        "numpy/_core/lib/libnpymath.a",
        "numpy/random/lib/libnpyrandom.a",
    ]);
}
