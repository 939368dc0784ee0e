//! Mach-O files as readers see them that share no code with us, and their functions run by an emulator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::{Cc, Outcome, python, run};

/// A Mach-O file as `tools/check_macho.py` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Macho {
    /// Where it is.
    pub path: String,
    /// Whether it has a fat header.
    pub fat: bool,
    /// What is wrong with it: layout, signature, or a reader that reads other names than the others.
    pub errors: Vec<String>,
    /// Its slices, in file order.
    pub slices: Vec<MachoSlice>,
}

/// One slice; digests are SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MachoSlice {
    /// `x86_64`, `arm64`, `arm64e`, …
    pub arch: String,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its bytes.
    pub size: u64,
    /// `filetype`.
    pub filetype: u32,
    /// `LC_ID_DYLIB`: name, current version, compatibility version.
    pub id: Option<(String, String, String)>,
    /// `LC_*_DYLIB`: kind (`LOAD_DYLIB`, `LOAD_WEAK_DYLIB`, …), name, versions.
    pub dylibs: Vec<(String, String, String, String)>,
    /// `LC_RPATH`.
    pub rpaths: Vec<String>,
    /// `LC_UUID` in hexadecimal.
    pub uuid: Option<String>,
    /// Platform and least version of `LC_BUILD_VERSION` and `LC_VERSION_MIN_MACOSX`.
    pub min_os: Vec<(u32, String)>,
    /// All load commands, in order.
    pub commands: Vec<String>,
    /// Those that a repair leaves alone, and digests of their bytes (without `__LINKEDIT`'s sizes).
    pub kept_commands: Vec<(String, String)>,
    /// Segment and section name, and the contents' digest.
    pub sections: BTreeMap<String, String>,
    /// The digest of `__LINKEDIT` up to the signature.
    pub linkedit: Option<String>,
    /// Bytes behind `__LINKEDIT`.
    pub after_linkedit: i64,
    /// The signature.
    pub signature: Option<MachoSignature>,
    /// The digest of the whole slice.
    pub sha256: String,
}

/// An embedded signature, whose hashes are right if the file has no errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MachoSignature {
    /// Of the last code directory.
    pub identifier: String,
    /// The team of the identity.
    pub team: Option<String>,
    /// 0x2 ad-hoc, 0x20000 linker-signed.
    pub flags: u32,
    /// Bytes of a page.
    pub page: u32,
    /// `sha1`, `sha256`: one a code directory.
    pub hashes: Vec<String>,
    /// The digests of the code directories.
    pub directories: Vec<String>,
    /// Bytes of the CMS signature; 0 for ad-hoc ones.
    pub cms: u32,
    /// The superblob's bytes.
    pub length: u32,
    /// `datasize`: what is reserved for it.
    pub room: u32,
    /// The requirements' blob in hexadecimal.
    pub requirements: String,
    /// The entitlements' XML.
    pub entitlements: String,
    /// The entitlements' DER in hexadecimal.
    pub entitlements_der: String,
    /// Hashes of the special slots that are set.
    pub special: BTreeMap<String, String>,
}

impl Macho {
    /// Reads files, whatever is wrong with them.
    #[track_caller]
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Vec<Macho> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/check_macho.py");
        let paths = paths.iter().map(|path| path.as_ref().to_str().unwrap());
        serde_json::from_str(&run(python(), std::iter::once(script).chain(paths))).unwrap()
    }

    /// Reads a file that must be right.
    #[track_caller]
    pub fn of(path: &Path) -> Macho {
        let macho = Macho::read(&[path]).pop().unwrap();
        assert!(macho.errors.is_empty(), "{}: {:#?}", macho.path, macho.errors);
        macho
    }

    /// The slice for this processor.
    #[track_caller]
    pub fn slice(&self, arch: &str) -> &MachoSlice {
        match self.slices.iter().find(|slice| slice.arch == arch) {
            Some(slice) => slice,
            None => panic!("{} has no slice for {arch}", self.path),
        }
    }
}

impl MachoSlice {
    /// The names of the libraries that it asks for.
    pub fn names(&self) -> Vec<&str> {
        self.dylibs.iter().map(|(_, name, _, _)| name.as_str()).collect()
    }
}

/// The contents of a published wheel of `tools/macos-wheels`, by its name without `.whl`.
///
/// # Panics
/// When `SPOKESHAVE_TEST_MACOS_WHEELS` does not name their directory.
pub fn macos_wheel(name: &str) -> PathBuf {
    match std::env::var_os("SPOKESHAVE_TEST_MACOS_WHEELS") {
        Some(wheels) => Path::new(&wheels).join(name),
        None => panic!(
            "SPOKESHAVE_TEST_MACOS_WHEELS is not set: run tests/run, or after its first run\n\
             export SPOKESHAVE_TEST_MACOS_WHEELS=$PWD/target/test-env/macos-wheels"
        ),
    }
}

/// What a function gave, run by `tools/run_macho.py`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Called {
    /// Its result.
    pub result: i64,
    /// The files that were loaded for it, in that order.
    pub images: Vec<PathBuf>,
}

/// Loads a Mach-O file as dyld would into an emulated processor and calls `int function(int)`.
///
/// `options` are those of `tools/run_macho.py`: `--root DIR`, `--executable FILE`, `--no-init`. What it says on failure
/// is the error.
pub fn call(
    arch: &str,
    file: &Path,
    function: &str,
    argument: i32,
    options: &[&str],
) -> Result<Called, String> {
    let mut command = Command::new(python());
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/run_macho.py"))
        .args(["--arch", arch])
        .args(options);
    command.arg("--").arg(file).args([function, &argument.to_string()]);
    let outcome = Outcome::of(&mut command);
    if outcome.code == Some(0) {
        Ok(serde_json::from_str(&outcome.stdout).unwrap())
    } else {
        Err(outcome.stderr)
    }
}

impl Cc {
    /// zig for macOS on this processor (`x86_64`, `arm64`).
    pub fn macos(arch: &str) -> Cc {
        Cc::zig(if arch == "arm64" { "aarch64-macos" } else { "x86_64-macos" })
    }

    /// Builds a dylib with this install name and room for longer names.
    #[track_caller]
    pub fn dylib(&self, out: &Path, install_name: &str, source: &str, args: &[&str]) {
        let name = format!("-Wl,-install_name,{install_name}");
        let own = ["-shared", name.as_str(), "-Wl,-headerpad_max_install_names"];
        self.build(out, source, &[&own[..], args].concat());
    }
}

/// Builds a dylib with LLVM's linker: `LC_DYLD_CHAINED_FIXUPS` where zig writes `LC_DYLD_INFO_ONLY`, no libSystem.
#[track_caller]
pub fn chained_dylib(out: &Path, arch: &str, install_name: &str, source: &str, args: &[&str]) {
    let object = out.with_extension("o");
    Cc::macos(arch).build(&object, source, &["-c"]);
    let own = ["-arch", arch, "-platform_version", "macos", "12.0", "12.0", "-dylib", "-fixup_chains"];
    let own = [&own[..], &["-undefined", "dynamic_lookup", "-install_name", install_name, "-w"]].concat();
    let files = ["-o", out.to_str().unwrap(), object.to_str().unwrap()];
    run("ld64.lld-16", own.iter().chain(&files).chain(args));
    fs_err::remove_file(object).unwrap();
}

/// Joins thin files into a fat one.
#[track_caller]
pub fn lipo(out: &Path, parts: &[&Path]) {
    let parts = parts.iter().map(|path| path.to_str().unwrap());
    run("llvm-lipo-14", ["-create", "-output", out.to_str().unwrap()].into_iter().chain(parts));
}
