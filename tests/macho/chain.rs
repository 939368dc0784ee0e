//! Which file a name leads to, and what becomes of the references.

use std::os::unix::fs::symlink;

use spokeshave_testkit::{Macho, call};

use crate::kit::{ARCHES, Mac, carried, library, retype};

/// `mach-o/loader.h`.
const LC_LOAD_WEAK_DYLIB: u32 = 0x8000_0018;
const LC_REEXPORT_DYLIB: u32 = 0x8000_001f;

const EXT: &str = "int a(int); int value(int x) { return a(x) * 10; }";

/// ext → liba (by the extension's own LC_RPATH) → libb (by the same, inherited) → libc1 (by `@loader_path`).
fn chain(mac: &Mac) -> std::path::PathBuf {
    mac.lib(
        "/opt/x/lib/sub/libc1.dylib",
        "@loader_path/sub/libc1.dylib",
        "int c(int x) { return x + 1; }",
        &[],
    );
    mac.lib(
        "/opt/x/lib/libb.dylib",
        "@rpath/libb.dylib",
        "int c(int); int b(int x) { return c(x) + 20; }",
        &["@root/opt/x/lib/sub/libc1.dylib"],
    );
    mac.lib(
        "/opt/x/lib/liba.1.dylib",
        "@rpath/liba.1.dylib",
        "int b(int); int a(int x) { return b(x) + 300; }",
        &["@root/opt/x/lib/libb.dylib"],
    );
    mac.wheel(EXT, &["@root/opt/x/lib/liba.1.dylib", "-Wl,-rpath,/nowhere", "-Wl,-rpath,/opt/x/lib"])
}

#[test]
fn a_chain_is_carried_and_runs() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        let input = chain(&mac);
        let ext = mac.bench.path("ext.so");
        let unpacked = spokeshave_testkit::Wheel::new(input.clone());
        fs_err::copy(unpacked.member("demo/_ext.so"), &ext).unwrap();
        let before = call(arch, &ext, "value", 4, &["--root", &mac.root()]).unwrap();
        assert_eq!(before.result, 3250, "the fixture, by dyld's rules in the sysroot");

        let wheel = mac.repair(&[], &input);
        assert_eq!(mac.value(&wheel, 4), 3250);
        assert_eq!(carried(&wheel).len(), 3);
        let (a, b, c) = (library(&wheel, "liba.1"), library(&wheel, "libb"), library(&wheel, "libc1"));
        let leaf = |macho: &Macho| macho.path.rsplit('/').next().unwrap().to_owned();

        let ext = Macho::of(&wheel.member("demo/_ext.so"));
        assert!(
            ext.slices[0].names().contains(&format!("@loader_path/../demo.dylibs/{}", leaf(&a)).as_str())
        );
        assert!(a.slices[0].names().contains(&format!("@loader_path/{}", leaf(&b)).as_str()));
        assert!(b.slices[0].names().contains(&format!("@loader_path/{}", leaf(&c)).as_str()));
        for macho in [&ext, &a, &b, &c] {
            assert!(macho.slices[0].rpaths.is_empty(), "{macho:?}");
        }
        for macho in [&a, &b, &c] {
            assert_eq!(macho.slices[0].id.as_ref().unwrap().0, format!("/DLC/demo.dylibs/{}", leaf(macho)));
        }
    }
}

#[test]
fn contents_stay_and_arm64_is_signed_ad_hoc() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        let input = spokeshave_testkit::Wheel::new(chain(&mac));
        let wheel = mac.repair(&[], &input.path);
        let (old, new) = (Macho::of(&input.member("demo/_ext.so")), Macho::of(&wheel.member("demo/_ext.so")));
        assert_ne!(old.slices[0].sha256, new.slices[0].sha256);
        assert_eq!(old.slices[0].sections, new.slices[0].sections);
        assert_eq!(old.slices[0].kept_commands, new.slices[0].kept_commands);
        let signature = new.slices[0].signature.as_ref().map(|signature| (signature.flags, signature.cms));
        assert_eq!(signature.is_some(), old.slices[0].signature.is_some());
        if arch == "arm64" {
            assert_eq!(signature.unwrap().0, 2);
        }
    }
}

#[test]
fn kinds_of_references_are_kept() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        mac.lib("/opt/libw.dylib", "/opt/libw.dylib", "int w(int x) { return x + 1; }", &[]);
        mac.lib("/opt/libr.dylib", "/opt/libr.dylib", "int r(int x) { return x + 20; }", &[]);
        let a = "int r(int); int a(int x) { return r(x) + 300; }";
        mac.lib("/opt/liba.dylib", "/opt/liba.dylib", a, &["@root/opt/libr.dylib"]);
        retype(&mac.at("/opt/liba.dylib"), "/opt/libr.dylib", LC_REEXPORT_DYLIB);
        let tree = mac.tree();
        let ext = tree.path("demo/_ext.so");
        let source = "int a(int); int w(int); int value(int x) { return a(w(x)); }";
        mac.build_for(arch, &ext, "_ext.so", source, &["@root/opt/liba.dylib", "@root/opt/libw.dylib"]);
        retype(&ext, "/opt/libw.dylib", LC_LOAD_WEAK_DYLIB);
        let input = tree.pack(mac.bench.dir());
        let wheel = mac.repair(&[], &input);
        assert_eq!(mac.value(&wheel, 4), 325);
        let kind = |macho: &Macho, part: &str| {
            let found = macho.slices[0].dylibs.iter().find(|(_, name, ..)| name.contains(part));
            found.map(|(kind, ..)| kind.clone())
        };
        let ext = Macho::of(&wheel.member("demo/_ext.so"));
        assert_eq!(kind(&ext, "libw").as_deref(), Some("LOAD_WEAK_DYLIB"));
        assert_eq!(kind(&library(&wheel, "liba"), "libr").as_deref(), Some("REEXPORT_DYLIB"));
    }
}

#[test]
fn a_missing_weak_library_is_a_warning() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/libw.dylib", "@rpath/libw.dylib", "int w(int x) { return x; }", &[]);
    let tree = mac.tree();
    let source = "int w(int); int value(int x) { return w(x); }";
    mac.build_for("arm64", &tree.path("demo/_ext.so"), "_ext.so", source, &["@root/opt/libw.dylib"]);
    retype(&tree.path("demo/_ext.so"), "@rpath/libw.dylib", LC_LOAD_WEAK_DYLIB);
    let input = tree.pack(mac.bench.dir());
    fs_err::remove_file(mac.at("/opt/libw.dylib")).unwrap();
    let outcome = mac.try_repair(&[], &input).exits(0);
    outcome.complains(&["@rpath/libw.dylib was found nowhere; demo/_ext.so can do without it (weak)"]);
    assert!(carried(&mac.bench.repair(&[], &input)).is_empty());
}

#[test]
fn everything_missing_is_listed_with_every_path() {
    let mac = Mac::new("x86_64");
    let input = chain(&mac);
    mac.lib("/opt/y/libd.dylib", "/opt/y/libd.dylib", "int d(int x) { return x; }", &[]);
    for gone in ["/opt/x/lib/libb.dylib", "/opt/x/lib/sub/libc1.dylib", "/opt/x/lib/liba.1.dylib"] {
        fs_err::remove_file(mac.at(gone)).unwrap();
    }
    let root = mac.root();
    let here = mac.bench.path("here");
    fs_err::create_dir(&here).unwrap();
    mac.try_repair(&["--lib-dir", here.to_str().unwrap()], &input).exits(1).complains(&[
        "@rpath/liba.1.dylib, needed by demo/_ext.so",
        &format!("{}/liba.1.dylib (--lib-dir): no such file", here.display()),
        &format!("{root}/nowhere/liba.1.dylib (LC_RPATH /nowhere of demo/_ext.so): no such file"),
        &format!("{root}/opt/x/lib/liba.1.dylib (LC_RPATH /opt/x/lib of demo/_ext.so): no such file"),
        &format!("{root}/usr/local/lib/liba.1.dylib (DYLD_FALLBACK_LIBRARY_PATH): no such file"),
    ]);
    assert!(
        !mac.bench.path("out").exists() || fs_err::read_dir(mac.bench.path("out")).unwrap().next().is_none()
    );
}

#[test]
fn a_circle_is_carried() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        let one = "int two(int); int one(int x) { return x > 3 ? x : two(x) + 1; }";
        mac.lib("/opt/libtwo.dylib", "/opt/libtwo.dylib", "int two(int x) { return x; }", &[]);
        mac.lib("/opt/libone.dylib", "/opt/libone.dylib", one, &["@root/opt/libtwo.dylib"]);
        let two = "int one(int); int two(int x) { return one(x + 1) * 2; }";
        mac.lib("/opt/libtwo.dylib", "/opt/libtwo.dylib", two, &["@root/opt/libone.dylib"]);
        let input =
            mac.wheel("int one(int); int value(int x) { return one(x); }", &["@root/opt/libone.dylib"]);
        let wheel = mac.repair(&[], &input);
        assert_eq!(carried(&wheel).len(), 2);
        assert_eq!(mac.value(&wheel, 3), 9);
    }
}

#[test]
fn one_copy_whatever_its_names() {
    let mac = Mac::new("arm64");
    mac.lib(
        "/opt/homebrew/Cellar/foo/1.2/lib/libfoo.1.dylib",
        "/opt/homebrew/opt/foo/lib/libfoo.1.dylib",
        "int foo(int x) { return x + 5; }",
        &[],
    );
    fs_err::create_dir_all(mac.at("/opt/homebrew/opt")).unwrap();
    symlink("../Cellar/foo/1.2", mac.at("/opt/homebrew/opt/foo")).unwrap();
    symlink("libfoo.1.dylib", mac.at("/opt/homebrew/Cellar/foo/1.2/lib/libfoo.dylib")).unwrap();
    let real = "/opt/homebrew/Cellar/foo/1.2/lib/libfoo.1.dylib";
    mac.lib(
        "/opt/homebrew/lib/libbar.dylib",
        "/opt/homebrew/lib/libbar.dylib",
        "int foo(int); int bar(int x) { return foo(x) * 2; }",
        &[&format!("@root{real}")],
    );
    // The same file by the name of another link.
    mac.lib(
        "/stub/libfoo.dylib",
        "/opt/homebrew/Cellar/foo/1.2/lib/libfoo.dylib",
        "int foo(int x) { return 0; }",
        &[],
    );
    let input = mac.wheel(
        "int foo(int); int bar(int); int value(int x) { return foo(x) + bar(x); }",
        &["@root/stub/libfoo.dylib", "@root/opt/homebrew/lib/libbar.dylib"],
    );
    let wheel = mac.repair(&[], &input);
    assert_eq!(carried(&wheel).len(), 2, "{:?}", carried(&wheel));
    assert_eq!(mac.value(&wheel, 1), 18);
    library(&wheel, "libfoo.1");
}

#[test]
fn the_bill_of_materials_has_the_version_that_a_library_says() {
    let mac = Mac::new("arm64");
    mac.lib(
        "/opt/liba.dylib",
        "/opt/liba.dylib",
        "int a(int x) { return x; }",
        &["-Wl,-current_version,1.2.11"],
    );
    let wheel = mac.repair(&[], &mac.wheel(EXT, &["@root/opt/liba.dylib"]));
    let sbom = String::from_utf8(wheel.read(&wheel.find("demo-1.0.dist-info/sboms/", ".json"))).unwrap();
    assert!(sbom.contains("\"version\": \"1.2.11\"") || sbom.contains("\"version\":\"1.2.11\""), "{sbom}");
}

#[test]
fn two_libraries_of_one_name() {
    let mac = Mac::new("x86_64");
    for (dir, add) in [("one", 1), ("two", 20)] {
        let source = format!("int {dir}(int x) {{ return x + {add}; }}");
        let at = format!("/opt/{dir}/libsame.dylib");
        mac.lib(&at, &at, &source, &[]);
    }
    let input = mac.wheel(
        "int one(int); int two(int); int value(int x) { return one(two(x)); }",
        &["@root/opt/one/libsame.dylib", "@root/opt/two/libsame.dylib"],
    );
    let wheel = mac.repair(&[], &input);
    assert_eq!(carried(&wheel).len(), 2);
    assert_eq!(mac.value(&wheel, 300), 321);
}

#[test]
fn libraries_of_the_package_are_found_and_not_carried_again() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        let tree = mac.tree();
        let source = "int own(int x) { return x + 40; }";
        mac.lib("/build/libown.dylib", "/build/libown.dylib", source, &[]);
        fs_err::copy(mac.at("/build/libown.dylib"), tree.path("demo/lib/libown.dylib")).unwrap();
        mac.build_for(
            arch,
            &tree.path("demo/_ext.so"),
            "_ext.so",
            "int own(int); int value(int x) { return own(x); }",
            &["@root/build/libown.dylib"],
        );
        let input = tree.pack(mac.bench.dir());
        // The build machine's copy is the package's own; elsewhere the package's own is the only one.
        for there in [true, false] {
            if !there {
                fs_err::remove_file(mac.at("/build/libown.dylib")).unwrap();
            }
            let wheel = mac.repair(&[], &input);
            assert!(carried(&wheel).is_empty());
            let ext = Macho::of(&wheel.member("demo/_ext.so"));
            assert!(ext.slices[0].names().contains(&"@loader_path/lib/libown.dylib"), "{ext:?}");
            assert_eq!(mac.value(&wheel, 2), 42);
        }
    }
}

#[test]
fn good_references_stay_byte_for_byte() {
    let mac = Mac::new("arm64");
    let tree = mac.tree();
    mac.build_for(
        "arm64",
        &tree.path("demo/lib/libown.dylib"),
        "@rpath/libown.dylib",
        "int own(int x) { return x + 40; }",
        &[],
    );
    let lib = tree.path("demo/lib/libown.dylib");
    mac.build_for(
        "arm64",
        &tree.path("demo/_ext.so"),
        "_ext.so",
        "int own(int); int value(int x) { return own(x); }",
        &[lib.to_str().unwrap(), "-Wl,-rpath,@loader_path/lib"],
    );
    let input = tree.pack(mac.bench.dir());
    let wheel = mac.repair(&[], &input);
    assert_eq!(fs_err::read(&wheel.path).unwrap(), fs_err::read(&input).unwrap());
}
