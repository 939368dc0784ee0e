//! Published macOS wheels (`tests/tools/macos-wheels`) whose carried libraries are moved out again, to a sysroot: what
//! the repair makes of that is what delocate and codesign made, by readers and an emulator that share no code with us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spokeshave_testkit::{Bench, Called, Macho, MachoSlice, Wheel, call, macos_wheel, python, run};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/tools");

/// A function of a carried library that runs without a system.
struct Function {
    arch: &'static str,
    library: &'static str,
    name: &'static str,
    result: i64,
    /// How many libraries are loaded for it.
    images: usize,
}

const fn function(
    arch: &'static str,
    library: &'static str,
    name: &'static str,
    result: i64,
    images: usize,
) -> Function {
    Function { arch, library, name, result, images }
}

/// A member's name without the hash of a carried library, and that without its directory.
fn plain(name: &str) -> String {
    let Some((before, leaf)) = name.rsplit_once('/').filter(|(before, _)| before.ends_with(".dylibs")) else {
        return name.to_owned();
    };
    let hashed = leaf.strip_suffix(".dylib").and_then(|stem| stem.rsplit_once('-'));
    match hashed.filter(|(_, hash)| hash.len() == 8 && !before.ends_with("/.dylibs")) {
        Some((stem, _)) => format!("{stem}.dylib"),
        None => leaf.to_owned(),
    }
}

/// The leaf of a library's name without the hash.
fn leaf(name: &str) -> String {
    plain(&format!("x.dylibs/{}", name.rsplit('/').next().unwrap()))
}

/// All binaries of a wheel by their plain names.
fn binaries(root: &Path) -> BTreeMap<String, Macho> {
    let mut paths = vec![];
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs_err::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "so" || e == "dylib") {
                paths.push(path);
            }
        }
    }
    let name = |file: &Macho| plain(Path::new(&file.path).strip_prefix(root).unwrap().to_str().unwrap());
    Macho::read(&paths).into_iter().map(|file| (name(&file), file)).collect()
}

/// Every library that a slice names is the system's or lies in the wheel.
fn assert_inside(file: &str, slice: &MachoSlice, root: &Path) {
    for name in slice.names() {
        let places: Vec<String> = match name.strip_prefix("@rpath") {
            Some(rest) => slice.rpaths.iter().map(|rpath| format!("{rpath}{rest}")).collect(),
            None => vec![name.to_owned()],
        };
        let inside = places.iter().any(|place| {
            let place =
                place.strip_prefix("@loader_path/").map(|rest| Path::new(file).parent().unwrap().join(rest));
            place.and_then(|place| place.canonicalize().ok()).is_some_and(|place| place.starts_with(root))
        });
        assert!(inside || name.starts_with("/usr/lib/") || name.starts_with("/System/"), "{file}: {name}");
    }
}

/// What a repair may change is the names, the rpaths and the signature.
fn assert_same(file: &str, published: &MachoSlice, repaired: &MachoSlice) {
    let names = |slice: &MachoSlice| -> Vec<_> {
        slice
            .dylibs
            .iter()
            .map(|(kind, name, own, old)| (kind.clone(), leaf(name), own.clone(), old.clone()))
            .collect()
    };
    let commands = |slice: &MachoSlice| -> Vec<_> {
        slice.commands.iter().filter(|kind| *kind != "RPATH").cloned().collect()
    };
    let id =
        |slice: &MachoSlice| slice.id.as_ref().map(|(name, own, old)| (leaf(name), own.clone(), old.clone()));
    assert_eq!(names(published), names(repaired), "{file}");
    assert_eq!(commands(published), commands(repaired), "{file}");
    assert_eq!(id(published), id(repaired), "{file}");
    assert_eq!(published.kept_commands, repaired.kept_commands, "{file}");
    assert_eq!(published.sections, repaired.sections, "{file}");
    assert_eq!(published.linkedit, repaired.linkedit, "{file}");
    assert_eq!(
        (published.filetype, published.after_linkedit),
        (repaired.filetype, repaired.after_linkedit),
        "{file}"
    );
    let signature = |slice: &MachoSlice| {
        let signature = slice.signature.as_ref()?;
        let said = (signature.identifier.clone(), signature.page, signature.hashes.clone());
        Some((said, signature.special.clone(), signature.entitlements.clone()))
    };
    if published.signature.as_ref().is_some_and(|signature| signature.flags == 0x2) {
        assert_eq!(signature(published), signature(repaired), "{file}");
    }
    assert_eq!(published.signature.is_some(), repaired.signature.is_some(), "{file}");
}

/// A published wheel without its carried libraries, which are below `root` of the scratch directory.
#[track_caller]
fn taken_apart(bench: &Bench, name: &str) -> PathBuf {
    let (tree, root) = (bench.path("tree"), bench.path("root"));
    run("cp", ["-r", macos_wheel(name).to_str().unwrap(), tree.to_str().unwrap()]);
    let tool = |name: &str| format!("{TOOLS}/{name}");
    let moved = run(python(), [&tool("macho_carry_out.py"), tree.to_str().unwrap(), root.to_str().unwrap()]);
    assert_ne!(moved, "0\n");
    let bare = bench.path(&format!("{name}.whl"));
    run(python(), [&tool("wheeltool.py"), "pack", tree.to_str().unwrap(), bare.to_str().unwrap()]);
    bare
}

/// Moves the carried libraries of a published wheel out and repairs it.
#[track_caller]
fn comes_back(name: &str, functions: &[Function]) {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let published = macos_wheel(name);
    let bare = taken_apart(&bench, name);
    let wheel = bench.repair(&["--sysroot", "root"], &bare);
    assert_eq!(wheel.name(), name);
    let (expected, found) = (binaries(&published), binaries(&wheel.root().canonicalize().unwrap()));
    assert_eq!(Vec::from_iter(expected.keys()), Vec::from_iter(found.keys()));
    for (file, repaired) in &found {
        assert!(repaired.errors.is_empty(), "{file}: {:#?}", repaired.errors);
        let published = &expected[file];
        assert_eq!((published.fat, published.slices.len()), (repaired.fat, repaired.slices.len()), "{file}");
        for (published, repaired_slice) in published.slices.iter().zip(&repaired.slices) {
            assert_same(file, published, repaired_slice);
            assert_inside(&repaired.path, repaired_slice, &wheel.root().canonicalize().unwrap());
        }
        // A file changes for a carried library, or for a search path of the machine that built it.
        let touched = |slice: &MachoSlice| {
            let mut names = slice.names().into_iter();
            names.any(|name| name.contains(".dylibs/"))
                || slice.rpaths.iter().any(|rpath| rpath.starts_with('/'))
        };
        if !file.ends_with(".dylib") && !published.slices.iter().any(touched) {
            let digests =
                |macho: &Macho| Vec::from_iter(macho.slices.iter().map(|slice| slice.sha256.clone()));
            assert_eq!(digests(published), digests(repaired), "{file} has no reason to change");
        }
    }
    for function in functions {
        let run =
            |file: &Path| -> Called { call(function.arch, file, function.name, 0, &["--no-init"]).unwrap() };
        let leaves = |called: &Called| -> Vec<String> {
            called.images.iter().map(|path| leaf(path.to_str().unwrap())).collect()
        };
        let old = run(Path::new(&expected[function.library].path));
        let new = run(Path::new(&found[function.library].path));
        assert_eq!((old.result, old.images.len()), (function.result, function.images), "{}", function.name);
        assert_eq!((new.result, leaves(&new)), (old.result, leaves(&old)), "{}", function.name);
        assert!(new.images.iter().all(|image| image.starts_with(wheel.root().canonicalize().unwrap())));
    }
    again_changes_nothing(&bench, &wheel);
}

fn again_changes_nothing(bench: &Bench, wheel: &Wheel) {
    let again: PathBuf = bench.repair(&[], &wheel.path).path;
    assert!(fs_err::read(again).unwrap() == fs_err::read(&wheel.path).unwrap());
}

#[test]
fn pillow_arm64() {
    let webp = function("arm64", "libwebpmux.3.dylib", "WebPGetMuxVersion", 0x1_06_00, 3);
    comes_back("pillow-13.0.0-cp312-cp312-macosx_11_0_arm64", &[webp]);
}

#[test]
fn pillow_x86_64() {
    let webp = function("x86_64", "libwebpmux.3.dylib", "WebPGetMuxVersion", 0x1_06_00, 3);
    comes_back("pillow-13.0.0-cp312-cp312-macosx_10_13_x86_64", &[webp]);
}

#[test]
fn psycopg2_arm64() {
    let libpq = function("arm64", "libpq.5.dylib", "PQlibVersion", 170_011, 10);
    comes_back("psycopg2_binary-2.9.13-cp312-cp312-macosx_11_0_arm64", &[libpq]);
}

#[test]
fn psycopg2_x86_64() {
    let libpq = function("x86_64", "libpq.5.dylib", "PQlibVersion", 170_011, 10);
    comes_back("psycopg2_binary-2.9.13-cp312-cp312-macosx_10_13_x86_64", &[libpq]);
}

#[test]
fn pyzmq_universal2() {
    let sodium = ["x86_64", "arm64"]
        .map(|arch| function(arch, "libsodium.26.dylib", "sodium_library_version_major", 26, 1));
    comes_back("pyzmq-27.3.0-cp312-abi3-macosx_10_15_universal2", &sodium);
}

/// The flags stand in the code directory, at 12.
#[test]
fn what_a_signature_loses_is_told() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let bare = taken_apart(&bench, "pyzmq-27.3.0-cp312-abi3-macosx_10_15_universal2");
    let library = bench.path("root/opt/lib/libsodium.26.dylib");
    let mut bytes = fs_err::read(&library).unwrap();
    let magic = [0xfa, 0xde, 0x0c, 0x02];
    let directories: Vec<usize> = (0..bytes.len() - 16).filter(|at| bytes[*at..*at + 4] == magic).collect();
    let hardened_runtime = 0x1_0000_u32.to_be_bytes();
    directories.iter().for_each(|at| bytes[at + 12..at + 16].copy_from_slice(&hardened_runtime));
    fs_err::write(&library, bytes).unwrap();
    let outcome = bench.spokeshave(["repair", "--sysroot", "root", "-w", "out", bare.to_str().unwrap()]);
    outcome.exits(0).complains(&["libsodium.26.dylib changes and is signed ad hoc", "the hardened runtime"]);
}

#[test]
fn numpy_arm64() {
    let blas = function("arm64", "libscipy_openblas64_.dylib", "scipy_openblas_get_parallel64_", 1, 1);
    comes_back("numpy-2.5.5-cp312-cp312-macosx_11_0_arm64", &[blas]);
}

/// Some of its binaries have the linker's signature, others codesign's.
#[test]
fn shapely_arm64() {
    comes_back("shapely-2.2.0-cp312-cp312-macosx_11_0_arm64", &[]);
}

#[test]
#[ignore = "75 MB of downloads"]
fn scipy_and_numpy() {
    let blas =
        |arch, images| function(arch, "libscipy_openblas.dylib", "scipy_openblas_get_parallel", 1, images);
    comes_back("scipy-1.18.1-cp312-cp312-macosx_12_0_arm64", &[blas("arm64", 4)]);
    comes_back("scipy-1.18.1-cp312-cp312-macosx_10_15_x86_64", &[blas("x86_64", 4)]);
    let blas = function("x86_64", "libscipy_openblas64_.dylib", "scipy_openblas_get_parallel64_", 1, 1);
    comes_back("numpy-2.5.5-cp312-cp312-macosx_10_13_x86_64", &[blas]);
}
