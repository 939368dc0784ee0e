//! The Mach-O tools of the tests are tools themselves: that they run what is right, and see what is wrong.

use std::path::{Path, PathBuf};

use crate::{Cc, Macho, call, chained_dylib, lipo, macos_wheel};

/// `b(x)` counts up a variable of another library and calls its function: `2 * (x + 8)` the first time.
fn chain(dir: &Path, arch: &str) -> PathBuf {
    let cc = Cc::macos(arch);
    let inner = "int counter = 7; int c(int x) { return x + counter; }";
    let outer = "int c(int); extern int counter; int b(int x) { counter++; return 2 * c(x); }";
    let (c, b) = (dir.join("libs/libc_.dylib"), dir.join("libb.dylib"));
    cc.dylib(&c, "@rpath/libc_.dylib", inner, &[]);
    cc.dylib(&b, "@rpath/libb.dylib", outer, &[c.to_str().unwrap(), "-Wl,-rpath,@loader_path/libs"]);
    b
}

#[test]
fn a_function_runs_across_libraries() {
    for arch in ["x86_64", "arm64"] {
        let dir = tempfile::tempdir().unwrap();
        let b = chain(dir.path(), arch);
        let called = call(arch, &b, "b", 5, &[]).unwrap();
        assert_eq!(called.result, 26);
        assert_eq!(called.images.len(), 2);
        fs_err::remove_file(dir.path().join("libs/libc_.dylib")).unwrap();
        let failure = call(arch, &b, "b", 5, &[]).unwrap_err();
        assert!(
            failure.contains("@rpath/libc_.dylib not found") && failure.contains("/libs/libc_.dylib'"),
            "{failure}"
        );
    }
}

#[test]
fn fat_files_run_for_either_processor() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["x86_64", "arm64"].map(|arch| {
        let out = dir.path().join(arch);
        let source = format!("int which(int x) {{ return x + {}; }}", arch.len());
        Cc::macos(arch).dylib(&out, "/opt/libwhich.dylib", &source, &[]);
        out
    });
    let fat = dir.path().join("libwhich.dylib");
    lipo(&fat, &[&parts[0], &parts[1]]);
    let macho = Macho::of(&fat);
    assert!(
        macho.fat && macho.slice("arm64").signature.is_some() && macho.slice("x86_64").signature.is_none()
    );
    assert_eq!(call("x86_64", &fat, "which", 1, &[]).unwrap().result, 7);
    assert_eq!(call("arm64", &fat, "which", 1, &[]).unwrap().result, 6);
    assert!(call("arm64", &fat, "other", 1, &[]).unwrap_err().contains("exports no other"));
}

/// Binds, rebases and an initializer, all in chains.
#[test]
fn chained_fixups_are_applied() {
    for arch in ["x86_64", "arm64"] {
        let dir = tempfile::tempdir().unwrap();
        let (c, b) = (dir.path().join("libc_.dylib"), dir.path().join("libb.dylib"));
        chained_dylib(
            &c,
            arch,
            "@rpath/libc_.dylib",
            "int counter = 7; int c(int x) { return x + counter; }",
            &[],
        );
        let outer =
            "int c(int); extern int counter; static volatile int own = 3; volatile int *pointer = &own; int (*function)(int) = c;
            __attribute__((constructor)) static void start(void) { own = 4; }
            int b(int x) { counter++; return 2 * function(x) + *pointer; }";
        chained_dylib(&b, arch, "@rpath/libb.dylib", outer, &[c.to_str().unwrap(), "-rpath", "@loader_path"]);
        assert!(Macho::of(&b).slices[0].commands.contains(&"DYLD_CHAINED_FIXUPS".to_owned()));
        assert_eq!(call(arch, &b, "b", 5, &[]).unwrap().result, 30);
        assert_eq!(call(arch, &b, "b", 5, &["--no-init"]).unwrap().result, 29);
    }
}

/// `WebPGetMuxVersion`, of a library that reaches two others.
#[test]
fn published_libraries_run() {
    let cases = [
        ("arm64", "pillow-13.0.0-cp312-cp312-macosx_11_0_arm64"),
        ("x86_64", "pillow-13.0.0-cp312-cp312-macosx_10_13_x86_64"),
    ];
    for (arch, wheel) in cases {
        let file = macos_wheel(wheel).join("PIL/.dylibs/libwebpmux.3.dylib");
        let called = call(arch, &file, "WebPGetMuxVersion", 0, &[]).unwrap();
        assert_eq!(
            (called.result, called.images.len()),
            (0x1_06_00, 3),
            "{arch}: 1.6.0, with webp and sharpyuv"
        );
    }
}

#[test]
fn the_checker_sees_damage() {
    let libs = macos_wheel("pillow-13.0.0-cp312-cp312-macosx_11_0_arm64").join("PIL/.dylibs");
    let whole = fs_err::read(libs.join("libxcb.1.1.0.dylib")).unwrap();
    let find = |what: &[u8]| whole.windows(what.len()).position(|bytes| bytes == what).unwrap();
    let signature = find(&[0x1d, 0, 0, 0, 16, 0, 0, 0]);
    let requirements = find(&[0xfa, 0xde, 0x0c, 0x01]);
    let damages: [(usize, &[u8], &str); 8] = [
        (0x5000, b"damage", "wrong hashes of pages [1]"),
        (find(b"@loader_path"), b"A", "wrong hashes of pages [0]"),
        (signature + 8, &[8], "no multiple of 16"),
        (signature + 12, &[0], "does not end where __LINKEDIT ends"),
        (signature, &[0x2b], "an arm64 slice without signature"),
        (requirements + 11, &[1], "wrong hash of special slot 2"),
        (find(b"libXau"), b"lib\0au", "not terminated or padded"),
        (find(b"__LINKEDIT") + 32, &[1], "does not end where __LINKEDIT ends"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("damaged.dylib");
    for (at, bytes, complaint) in damages {
        let mut damaged = whole.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        fs_err::write(&file, damaged).unwrap();
        let errors = Macho::read(&[&file]).remove(0).errors;
        assert!(errors.iter().any(|error| error.contains(complaint)), "{complaint:?} is not in {errors:#?}");
    }
}
