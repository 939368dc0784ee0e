//! Processors.

use std::fmt;

use object::macho;

/// A processor, as `mach/machine.h` numbers it. Displayed as `lipo` names it: `x86_64`, `arm64e`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arch {
    /// `cputype`.
    pub cputype: u32,
    /// `cpusubtype`, the capability bits (`CPU_SUBTYPE_MASK`) included.
    pub cpusubtype: u32,
}

impl Arch {
    /// `x86_64`, for every processor of that kind.
    pub const X86_64: Arch = Arch { cputype: macho::CPU_TYPE_X86_64.0, cpusubtype: 3 };
    /// `arm64`, for every processor of that kind.
    pub const ARM64: Arch = Arch { cputype: macho::CPU_TYPE_ARM64.0, cpusubtype: 0 };

    /// `cpusubtype` without the capability bits.
    pub fn subtype(self) -> u32 {
        self.cpusubtype & !macho::CPU_SUBTYPE_MASK
    }

    /// Whether nothing runs there without a signature: arm64 and arm64e.
    pub fn must_be_signed(self) -> bool {
        self.cputype == macho::CPU_TYPE_ARM64.0
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match (macho::CpuType(self.cputype), self.subtype()) {
            (macho::CPU_TYPE_X86_64, 8) => "x86_64h",
            (macho::CPU_TYPE_X86_64, _) => "x86_64",
            (macho::CPU_TYPE_X86, _) => "i386",
            (macho::CPU_TYPE_ARM64, 2) => "arm64e",
            (macho::CPU_TYPE_ARM64, _) => "arm64",
            (macho::CPU_TYPE_ARM64_32, _) => "arm64_32",
            (macho::CPU_TYPE_ARM, 6) => "armv6",
            (macho::CPU_TYPE_ARM, 9) => "armv7",
            (macho::CPU_TYPE_ARM, 11) => "armv7s",
            (macho::CPU_TYPE_ARM, 12) => "armv7k",
            (macho::CPU_TYPE_POWERPC, _) => "ppc",
            (macho::CPU_TYPE_POWERPC64, _) => "ppc64",
            (cputype, subtype) => return write!(f, "cputype {:#x} subtype {subtype:#x}", cputype.0),
        };
        f.write_str(name)
    }
}
