//! Fat files, whose slices are each looked at on their own.

use std::path::{Path, PathBuf};

use spokeshave_testkit::{Macho, call, lipo};
use spokeshave_testkit::{Tree, Wheel};

use crate::kit::{ARCHES, Mac, carried, library};

/// A wheel for both processors whose extension is built from these sources and arguments.
fn universal(mac: &Mac, build: impl Fn(&str, &Path)) -> PathBuf {
    let tree = Tree::new("demo-1.0-cp39-abi3-macosx_10_15_universal2").file("demo/__init__.py", "");
    let thin: Vec<PathBuf> = ARCHES.iter().map(|arch| mac.bench.path(&format!("ext/{arch}.so"))).collect();
    for (arch, out) in ARCHES.iter().zip(&thin) {
        build(arch, out);
    }
    lipo(&tree.path("demo/_ext.so"), &thin.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    tree.pack(mac.bench.dir())
}

#[track_caller]
fn value(wheel: &Wheel, arch: &str, argument: i32) -> i64 {
    call(arch, &wheel.member("demo/_ext.so"), "value", argument, &[]).unwrap().result
}

#[test]
fn slices_need_what_they_need() {
    let mac = Mac::new("arm64");
    let source = |add: i32| format!("int a(int x) {{ return x + {add}; }}");
    for (arch, add) in [("x86_64", 1), ("arm64", 2)] {
        let name = format!("/opt/lib{arch}.dylib");
        mac.build_for(arch, &mac.at(&name), &name, &source(add), &[]);
    }
    let input = universal(&mac, |arch, out| {
        let lib = format!("@root/opt/lib{arch}.dylib");
        mac.build_for(arch, out, "_ext.so", "int a(int); int value(int x) { return a(x); }", &[&lib]);
    });
    let wheel = mac.repair(&[], &input);
    assert_eq!(carried(&wheel).len(), 2);
    assert_eq!((value(&wheel, "x86_64", 10), value(&wheel, "arm64", 10)), (11, 12));
    let ext = Macho::of(&wheel.member("demo/_ext.so"));
    for (arch, other) in [("x86_64", "arm64"), ("arm64", "x86_64")] {
        let names = ext.slice(arch).names().join(" ");
        assert!(names.contains(&format!("lib{arch}-")) && !names.contains(&format!("lib{other}")), "{names}");
    }
}

#[test]
fn thin_libraries_of_two_directories_are_joined() {
    let mac = Mac::new("arm64");
    for (arch, add) in [("x86_64", 1), ("arm64", 2)] {
        let at = |name: &str| mac.at(&format!("/brew/{arch}/{name}"));
        let b = format!("int b(int x) {{ return x + {add}; }}");
        mac.build_for(arch, &at("libb.dylib"), "/brew/lib/libb.dylib", &b, &[]);
        let b = at("libb.dylib");
        let a = "int b(int); int a(int x) { return b(x) * 10; }";
        mac.build_for(arch, &at("liba.dylib"), "/brew/lib/liba.dylib", a, &[b.to_str().unwrap()]);
    }
    let input = universal(&mac, |arch, out| {
        let lib = format!("@root/brew/{arch}/liba.dylib");
        mac.build_for(arch, out, "_ext.so", "int a(int); int value(int x) { return a(x); }", &[&lib]);
    });
    let dirs = ["x86_64", "arm64"].map(|arch| mac.at(&format!("/brew/{arch}")).to_str().unwrap().to_owned());
    let args = ["--lib-dir", &dirs[0], "--lib-dir", &dirs[1], "--require-archs", "universal2"];
    let wheel = mac.repair(&args, &input);
    assert_eq!(carried(&wheel).len(), 2, "{:?}", carried(&wheel));
    assert_eq!((value(&wheel, "x86_64", 1), value(&wheel, "arm64", 1)), (20, 30));
    let a = library(&wheel, "liba");
    assert!(a.fat && a.slices.len() == 2);
    let offsets: Vec<u64> = a.slices.iter().map(|slice| slice.offset).collect();
    assert!(offsets[0] == 0x1000 && offsets[1].is_multiple_of(0x4000), "{offsets:x?}");
    assert_eq!(wheel.platforms(), ["macosx_10_15_universal2"]);

    // Only one of the processors: the other one's library is missing, and says what was there instead.
    let outcome = mac.try_repair(&["--lib-dir", &dirs[1]], &input).exits(1);
    outcome.complains(&["/brew/lib/liba.dylib, needed by demo/_ext.so", "no x86_64 slice (arm64)"]);
}

#[test]
fn a_fat_library_is_carried_whole_and_a_slice_that_nobody_needs_stays() {
    let mac = Mac::new("arm64");
    let thin = ["x86_64", "arm64"].map(|arch| {
        let out = mac.bench.path(&format!("thin/{arch}.dylib"));
        let gone = mac.at("/gone/libgone.dylib");
        mac.build_for(arch, &gone, "/gone/libgone.dylib", "int gone(int x) { return x; }", &[]);
        let (source, args): (&str, Vec<&str>) = match arch {
            "x86_64" => ("int gone(int); int a(int x) { return gone(x); }", vec!["@root/gone/libgone.dylib"]),
            _ => ("int a(int x) { return x + 2; }", vec![]),
        };
        mac.build_for(arch, &out, "/opt/liba.dylib", source, &args);
        fs_err::remove_file(gone).unwrap();
        out
    });
    lipo(&mac.at("/opt/liba.dylib"), &[&thin[0], &thin[1]]);
    let input = mac.wheel("int a(int); int value(int x) { return a(x); }", &["@root/opt/liba.dylib"]);
    // An arm64 wheel: what the x86_64 slice lacks does not matter.
    let wheel = mac.repair(&[], &input);
    assert_eq!(mac.value(&wheel, 1), 3);
    let (old, new) = (Macho::of(&mac.at("/opt/liba.dylib")), library(&wheel, "liba"));
    assert_eq!(old.slice("x86_64").sha256, new.slice("x86_64").sha256);
    assert_ne!(old.slice("arm64").sha256, new.slice("arm64").sha256);
    assert_eq!(wheel.platforms(), ["macosx_11_0_arm64"]);
    mac.try_repair(&["--require-archs", "universal2"], &input)
        .exits(1)
        .complains(&["--require-archs", "demo/_ext.so: no x86_64 slice (arm64)"]);
}
