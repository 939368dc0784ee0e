//! Other architectures: Debian's cross compiler, C library and qemu.

use std::path::Path;
use std::process::Command;

use crate::{Cc, Outcome};

/// An architecture that a wheel tag can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// As wheel tags write it.
    pub tag: &'static str,
    /// Debian's triplet, the prefix of the cross compiler and the directory of the C library.
    pub triplet: &'static str,
    /// The user-mode emulator.
    pub qemu: &'static str,
    /// The directory below `/usr` that holds the target's `/lib`.
    pub root: &'static str,
}

/// All that have a policy and that Debian 12 can build for and run (not loongarch64), big-endian and 32-bit ones
/// among them.
pub const ARCHES: &[Arch] = &[
    Arch::new("aarch64", "aarch64-linux-gnu", "qemu-aarch64", "aarch64-linux-gnu"),
    Arch::new("armv7l", "arm-linux-gnueabihf", "qemu-arm", "arm-linux-gnueabihf"),
    Arch::new("i686", "i686-linux-gnu", "qemu-i386", "i686-linux-gnu"),
    Arch::new("ppc64le", "powerpc64le-linux-gnu", "qemu-ppc64le", "powerpc64le-linux-gnu"),
    Arch::new("riscv64", "riscv64-linux-gnu", "qemu-riscv64", "riscv64-linux-gnu"),
    Arch::new("s390x", "s390x-linux-gnu", "qemu-s390x", "s390x-linux-gnu"),
];

impl Arch {
    const fn new(tag: &'static str, triplet: &'static str, qemu: &'static str, root: &'static str) -> Arch {
        Arch { tag, triplet, qemu, root }
    }

    /// Its compiler.
    pub fn cc(&self) -> Cc {
        Cc::named(&format!("{}-gcc", self.triplet))
    }

    /// Where Debian put its C library: the directory that holds `lib/`.
    pub fn sysroot(&self) -> String {
        format!("/usr/{}", self.root)
    }

    /// Runs one of its programs under qemu, which finds the loader and the C library in [`Arch::sysroot`].
    pub fn run(&self, program: &Path, args: &[&str]) -> Outcome {
        let mut command = Command::new(self.qemu);
        command.env_remove("LD_LIBRARY_PATH").arg("-L").arg(self.sysroot()).arg(program).args(args);
        Outcome::of(&mut command)
    }
}
