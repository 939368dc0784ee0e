//! A system of the tests' own below a directory, and wheels that need its libraries.

use std::path::{Path, PathBuf};

use spokeshave_testkit::{Bench, Cc, Outcome, Tree, Wheel};
use spokeshave_testkit::{Macho, call};

pub const ARCHES: [&str; 2] = ["x86_64", "arm64"];

/// The tag of a wheel for one processor.
pub fn platform(arch: &str) -> String {
    if arch == "arm64" { "macosx_11_0_arm64".to_owned() } else { "macosx_10_15_x86_64".to_owned() }
}

/// A scratch directory with a sysroot in it.
pub struct Mac {
    pub bench: Bench,
    pub arch: String,
}

impl Mac {
    pub fn new(arch: &str) -> Mac {
        let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
        fs_err::create_dir(bench.path("root")).unwrap();
        Mac { bench, arch: arch.to_owned() }
    }

    /// The path of a file of the sysroot.
    pub fn at(&self, target: &str) -> PathBuf {
        self.bench.path(&format!("root{target}"))
    }

    pub fn root(&self) -> String {
        self.bench.path("root").to_str().unwrap().to_owned()
    }

    /// Builds a library for `arch` at `out`; `args` may name others by `@root/…`, and the oldest macOS by `>=12.3`.
    #[track_caller]
    pub fn build_for(&self, arch: &str, out: &Path, install_name: &str, source: &str, args: &[&str]) {
        let root = self.root();
        let least = args.iter().find_map(|arg| arg.strip_prefix(">="));
        let target = match arch {
            "arm64" => format!("aarch64-macos.{}", least.unwrap_or("11.0")),
            arch => format!("{arch}-macos.{}", least.unwrap_or("10.15")),
        };
        let args: Vec<String> =
            args.iter().filter(|arg| !arg.starts_with(">=")).map(|arg| arg.replace("@root", &root)).collect();
        // zig takes files by their extension only.
        let built = self.bench.path("built.dylib");
        let line: Vec<&str> = args.iter().map(String::as_str).collect();
        Cc::zig(&target).dylib(&built, install_name, source, &line);
        fs_err::create_dir_all(out.parent().unwrap()).unwrap();
        fs_err::copy(built, out).unwrap();
    }

    /// Builds a library of the sysroot.
    #[track_caller]
    pub fn lib(&self, target: &str, install_name: &str, source: &str, args: &[&str]) {
        self.build_for(&self.arch, &self.at(target), install_name, source, args);
    }

    /// Builds `demo/_ext.so` of a wheel, which gives the wheel.
    #[track_caller]
    pub fn wheel(&self, source: &str, args: &[&str]) -> PathBuf {
        let tree = self.tree();
        self.build_for(&self.arch, &tree.path("demo/_ext.so"), "_ext.so", source, args);
        tree.pack(self.bench.dir())
    }

    /// A wheel with nothing but an empty package in it.
    pub fn tree(&self) -> Tree {
        Tree::new(&format!("demo-1.0-cp39-abi3-{}", platform(&self.arch))).file("demo/__init__.py", "")
    }

    /// Repairs with the sysroot; the wheel is sound, and a second repair changes nothing.
    #[track_caller]
    pub fn repair(&self, args: &[&str], wheel: &Path) -> Wheel {
        let root = self.root();
        let mut line = vec!["--sysroot", &root];
        line.extend(args);
        let wheel = self.bench.repair(&line, wheel);
        sound(&wheel);
        let again = self.bench.repair(&line, &wheel.path);
        assert_eq!(
            fs_err::read(&again.path).unwrap(),
            fs_err::read(&wheel.path).unwrap(),
            "a second repair changes the wheel"
        );
        wheel
    }

    /// Runs the program on a wheel, as [`Mac::repair`] does, whatever comes of it.
    pub fn try_repair(&self, args: &[&str], wheel: &Path) -> Outcome {
        let (root, out) = (self.root(), self.bench.path("out"));
        let line = ["repair", "--sysroot", &root, "-w", out.to_str().unwrap()];
        self.bench
            .spokeshave(line.iter().copied().chain(args.iter().copied()).chain([wheel.to_str().unwrap()]))
    }

    /// What the extension's `int value(int)` gives.
    #[track_caller]
    pub fn value(&self, wheel: &Wheel, argument: i32) -> i64 {
        let called = call(&self.arch, &wheel.member("demo/_ext.so"), "value", argument, &[]).unwrap();
        for image in &called.images {
            assert!(
                image.starts_with(wheel.root().canonicalize().unwrap()),
                "{} was loaded",
                image.display()
            );
        }
        called.result
    }
}

/// Every Mach-O file of a wheel is what all readers want, and what its tag is for asks for nothing outside but the
/// system's.
#[track_caller]
fn sound(wheel: &Wheel) {
    let platforms = wheel.platforms().join(".");
    for name in wheel.names() {
        if name.ends_with('/') || !(name.ends_with(".so") || name.contains(".dylibs/")) {
            continue;
        }
        for slice in Macho::of(&wheel.member(&name)).slices {
            if !platforms.contains(&slice.arch) && !platforms.contains("universal2") {
                continue;
            }
            for asked in slice.names() {
                let inside = asked.strip_prefix("@loader_path/");
                let inside = inside.map(|rest| Path::new(&name).parent().unwrap().join(rest));
                let there = inside.is_some_and(|path| wheel.root().join(path).is_file());
                let known = ["/usr/lib/", "/Library/Frameworks/Python.framework/", "@rpath/"];
                assert!(
                    there || known.iter().any(|known| asked.starts_with(known)),
                    "{name} asks for {asked}"
                );
            }
        }
    }
}

/// Makes the reference to `name` in a thin file one of another kind, which zig's linker can't write. The signature no
/// longer fits then.
pub fn retype(file: &Path, name: &str, cmd: u32) {
    let mut bytes = fs_err::read(file).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut at = 32;
    for _ in 0..word(&bytes, 16) {
        let size = word(&bytes, at + 4) as usize;
        let dylib = [0xc, 0x8000_0018].contains(&word(&bytes, at));
        if dylib && bytes[at + 24..at + size].starts_with(format!("{name}\0").as_bytes()) {
            bytes[at..at + 4].copy_from_slice(&cmd.to_le_bytes());
            fs_err::write(file, &bytes).unwrap();
            return;
        }
        at += size;
    }
    panic!("{} does not ask for {name}", file.display());
}

/// The names of what is carried, without the directory.
pub fn carried(wheel: &Wheel) -> Vec<String> {
    let names = wheel.names();
    let mut names: Vec<String> =
        names.iter().filter_map(|n| n.strip_prefix("demo.dylibs/")).map(str::to_owned).collect();
    names.sort();
    names
}

/// The one carried library that begins so.
#[track_caller]
pub fn library(wheel: &Wheel, start: &str) -> Macho {
    Macho::of(&wheel.member(&wheel.find(&format!("demo.dylibs/{start}-"), ".dylib")))
}
