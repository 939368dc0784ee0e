//! Which loader a file is for: architecture and C library.

use object::elf;
use spokeshave_core::Artifact;

use crate::facts::ElfFacts;

/// The C library whose loader starts a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Libc {
    /// The GNU C library: manylinux.
    Glibc,
    /// musl: musllinux.
    Musl,
    /// Android's bionic.
    Android,
}

/// An architecture that has policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// AMD64.
    X86_64,
    /// 32-bit x86.
    I686,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM, EABI5 with hard float.
    Armv7l,
    /// 64-bit PowerPC, little-endian (ELFv2).
    Ppc64le,
    /// 64-bit PowerPC, big-endian.
    Ppc64,
    /// IBM Z.
    S390x,
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit LoongArch.
    Loongarch64,
}

/// What one load is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The architecture; `None` for one that has no policies.
    pub architecture: Option<Architecture>,
    /// The C library.
    pub libc: Libc,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 9] = [
        Architecture::X86_64,
        Architecture::I686,
        Architecture::Aarch64,
        Architecture::Armv7l,
        Architecture::Ppc64le,
        Architecture::Ppc64,
        Architecture::S390x,
        Architecture::Riscv64,
        Architecture::Loongarch64,
    ];

    /// Its name in platform tags: `x86_64`.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::I686 => "i686",
            Architecture::Aarch64 => "aarch64",
            Architecture::Armv7l => "armv7l",
            Architecture::Ppc64le => "ppc64le",
            Architecture::Ppc64 => "ppc64",
            Architecture::S390x => "s390x",
            Architecture::Riscv64 => "riscv64",
            Architecture::Loongarch64 => "loongarch64",
        }
    }

    /// The architecture that a platform tag ends with (`manylinux_2_17_x86_64`, `android_24_arm64_v8a`).
    pub fn of_tag(tag: &str) -> Option<Self> {
        const ABIS: [(&str, Architecture); 3] = [
            ("arm64_v8a", Architecture::Aarch64),
            ("armeabi_v7a", Architecture::Armv7l),
            ("x86", Architecture::I686),
        ];
        let names = Self::ALL.map(|a| (a.name(), a));
        let ends =
            |name: &str| tag.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'));
        names.iter().chain(&ABIS).find(|(name, _)| ends(name)).map(|(_, a)| *a)
    }

    /// Debian's multiarch triplet: `x86_64-linux-gnu`.
    pub fn triplet(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64-linux-gnu",
            Architecture::I686 => "i386-linux-gnu",
            Architecture::Aarch64 => "aarch64-linux-gnu",
            Architecture::Armv7l => "arm-linux-gnueabihf",
            Architecture::Ppc64le => "powerpc64le-linux-gnu",
            Architecture::Ppc64 => "powerpc64-linux-gnu",
            Architecture::S390x => "s390x-linux-gnu",
            Architecture::Riscv64 => "riscv64-linux-gnu",
            Architecture::Loongarch64 => "loongarch64-linux-gnu",
        }
    }

    /// The name in musl's file names: `ld-musl-armhf.so.1`.
    pub fn musl_name(self) -> &'static str {
        match self {
            Architecture::I686 => "i386",
            Architecture::Armv7l => "armhf",
            Architecture::Ppc64le => "powerpc64le",
            Architecture::Ppc64 => "powerpc64",
            other => other.name(),
        }
    }
}

impl std::fmt::Display for Libc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Libc::Glibc => "glibc",
            Libc::Musl => "musl",
            Libc::Android => "Android",
        })
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The architecture of a file; `None` when no policy knows it.
pub fn architecture(facts: &ElfFacts) -> Option<Architecture> {
    match (elf::Machine(facts.machine), facts.is_64, facts.big_endian) {
        (elf::EM_X86_64, true, false) => Some(Architecture::X86_64),
        (elf::EM_386, false, false) => Some(Architecture::I686),
        (elf::EM_AARCH64, true, false) => Some(Architecture::Aarch64),
        (elf::EM_ARM, false, false) => {
            let eabi5 = facts.flags & elf::EF_ARM_EABIMASK == elf::EF_ARM_EABI_VER5.0;
            (eabi5 && facts.flags & elf::EF_ARM_ABI_FLOAT_SOFT == 0).then_some(Architecture::Armv7l)
        }
        (elf::EM_PPC64, true, false) => Some(Architecture::Ppc64le),
        (elf::EM_PPC64, true, true) => Some(Architecture::Ppc64),
        (elf::EM_S390, true, true) => Some(Architecture::S390x),
        (elf::EM_RISCV, true, false) => Some(Architecture::Riscv64),
        (elf::EM_LOONGARCH, true, false) => Some(Architecture::Loongarch64),
        _ => None,
    }
}

/// The C library that a file is linked against, as far as the file tells: the interpreter, the names it needs, the
/// versions it asks for. A need of `libc.so` alone tells nothing: musl and bionic both are called so.
pub fn libc_of(facts: &ElfFacts) -> Option<Libc> {
    if facts.android_api.is_some() {
        return Some(Libc::Android);
    }
    let interp = facts.interp.as_deref().unwrap_or_default();
    if interp.starts_with("/system/bin/linker") {
        return Some(Libc::Android);
    }
    let names =
        || facts.needed.iter().map(String::as_str).chain([interp.rsplit('/').next().unwrap_or_default()]);
    if names().any(|n| n.starts_with("libc.musl-") || n.starts_with("ld-musl-")) {
        return Some(Libc::Musl);
    }
    let glibc = |n: &str| n == "libc.so.6" || n.starts_with("ld-linux") || n.starts_with("ld64.so.");
    let versions = || facts.version_needs.iter().flat_map(|need| &need.versions);
    if names().any(glibc) || versions().any(|v| v.starts_with("GLIBC_")) {
        return Some(Libc::Glibc);
    }
    versions().any(|v| v == "LIBC").then_some(Libc::Android)
}

/// The C library that a platform tag names; `None` for plain `linux_*`.
pub fn libc_of_tag(tag: &str) -> Option<Libc> {
    let families = [("manylinux", Libc::Glibc), ("musllinux", Libc::Musl), ("android", Libc::Android)];
    families.iter().find(|(family, _)| tag.starts_with(family)).map(|(_, libc)| *libc)
}

impl Target {
    /// Decides what a package is for: by the platform asked for (`plat`, not `auto`), the tags that it claims, the
    /// artifacts that tell, and their file names, in this order; glibc when nothing tells. `facts` are those of
    /// `set`, in the same order.
    pub fn decide(
        set: &[Artifact],
        facts: &[std::sync::Arc<ElfFacts>],
        claimed: &[String],
        plat: Option<&str>,
    ) -> Self {
        let tags = || plat.into_iter().filter(|p| *p != "auto").chain(claimed.iter().map(String::as_str));
        // A Python extension speaks for its package before a program or data file that happens to be in it.
        let mut voices: Vec<usize> = (0..facts.len().min(set.len())).collect();
        voices.sort_by_key(|i| facts.get(*i).is_none_or(|f| !f.python_extension));
        let by_file = || voices.iter().filter_map(|i| Some((set.get(*i)?, facts.get(*i)?)));

        let architecture =
            tags().find_map(Architecture::of_tag).or_else(|| by_file().find_map(|(_, f)| architecture(f)));
        let same = || by_file().filter(|(_, f)| crate::target::architecture(f) == architecture);
        let by_name = |artifact: &Artifact| match artifact.path.file_name() {
            name if name.ends_with("-linux-musl.so") => Some(Libc::Musl),
            name if name.ends_with("-linux-gnu.so") => Some(Libc::Glibc),
            _ => None,
        };
        let libc = tags()
            .find_map(libc_of_tag)
            .or_else(|| same().find_map(|(_, f)| libc_of(f)))
            .or_else(|| same().any(|(_, f)| f.needed.iter().any(|n| n == "libc.so")).then_some(Libc::Musl))
            .or_else(|| same().find_map(|(a, _)| by_name(a)))
            .unwrap_or(Libc::Glibc);
        Target { architecture, libc }
    }

    /// Whether a file is for this target: its architecture, and its C library if it tells.
    pub fn accepts(&self, facts: &ElfFacts) -> bool {
        architecture(facts) == self.architecture && libc_of(facts).is_none_or(|libc| libc == self.libc)
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
