//! Programs and libraries that no wheel holds.

use std::path::{Path, PathBuf};

use spokeshave_testkit::{Cc, Macho, call};

use crate::kit::{ARCHES, Mac};

/// A program with an own library beside it and a library of the system, as a build leaves them.
fn build(mac: &Mac) -> (PathBuf, PathBuf) {
    mac.lib("/opt/x/libc1.dylib", "/opt/x/libc1.dylib", "int c(int x) { return x + 1; }", &[]);
    let (own, tool) = (mac.bench.path("build/libown.dylib"), mac.bench.path("build/tool"));
    let source = "int c(int); int own(int x) { return c(x) * 10; }";
    mac.build_for(&mac.arch, &own, "@rpath/libown.dylib", source, &["@root/opt/x/libc1.dylib"]);
    let target = if mac.arch == "arm64" { "aarch64-macos.11.0" } else { "x86_64-macos.10.15" };
    let rpath = format!("-Wl,-rpath,{}", own.parent().unwrap().display());
    let args = [own.to_str().unwrap(), &rpath, "-Wl,-headerpad_max_install_names"];
    let source =
        "int own(int); int value(int x) { return own(x); } int main(int n, char **v) { return value(n); }";
    Cc::zig(target).build(&tool, source, &args);
    (tool, own)
}

#[test]
fn a_bundle_runs_wherever_it_is() {
    for arch in ARCHES {
        let mac = Mac::new(arch);
        let (tool, own) = build(&mac);
        let before = [&tool, &own].map(|path| fs_err::read(path).unwrap());
        let (root, out) = (mac.root(), mac.bench.path("bundle"));
        let binaries = [tool.to_str().unwrap(), own.to_str().unwrap()];
        let args = ["bundle", "--sysroot", &root, "--artifact-dir", "bin", "-o", out.to_str().unwrap()];
        mac.bench.spokeshave(args.iter().chain(&binaries)).exits(0);
        assert_eq!([&tool, &own].map(|path| fs_err::read(path).unwrap()), before);

        let moved = mac.bench.path("elsewhere");
        fs_err::rename(&out, &moved).unwrap();
        fs_err::remove_dir_all(mac.at("/opt")).unwrap();
        fs_err::remove_dir_all(own.parent().unwrap()).unwrap();
        let program = moved.join("bin/tool");
        let options = ["--executable", program.to_str().unwrap()];
        let called = call(arch, &moved.join("bin/libown.dylib"), "own", 4, &options).unwrap();
        assert_eq!((called.result, called.images.len()), (50, 2));
        let names = |path: &Path| Macho::of(path).slices[0].names().join(" ");
        assert!(names(&moved.join("bin/tool")).contains("@loader_path/libown.dylib"));
        assert!(names(&moved.join("bin/libown.dylib")).contains("@loader_path/../tool.dylibs/libc1-"));
        assert!(Macho::of(&moved.join("bin/tool")).slices[0].rpaths.is_empty());
    }
}

#[test]
fn an_editable_searches_its_linked_paths() {
    let mac = Mac::new("arm64");
    let (tool, _) = build(&mac);
    let (out, dir) = (mac.bench.path("editable"), mac.bench.path("linked"));
    fs_err::create_dir(&dir).unwrap();
    let dir = dir.to_str().unwrap();
    let args = ["editable", "--linked-path", dir, "-o", out.to_str().unwrap(), tool.to_str().unwrap()];
    mac.bench.spokeshave(args).exits(0);
    let (old, new) = (Macho::of(&tool), Macho::of(&out));
    assert_eq!(new.slices[0].rpaths, [old.slices[0].rpaths.as_slice(), &[dir.to_owned()]].concat());
    assert_eq!(new.slices[0].dylibs, old.slices[0].dylibs);
    assert_eq!(new.slices[0].sections, old.slices[0].sections);
}
