//! Which slices a package is for, and how platform tags name them.

use std::collections::BTreeSet;
use std::sync::Arc;

use object::macho;

use crate::facts::{Arch, MachoFacts, Slice};

/// `PLATFORM_MACOS` of `mach-o/loader.h`.
const PLATFORM_MACOS: u32 = 1;

/// What the `LC_ID_DYLIB` of a carried library begins with: no path that exists, as delocate writes it.
pub const CARRIED_ID: &str = "/DLC/";

/// A version of macOS, as `MACOSX_DEPLOYMENT_TARGET` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 10, 11, …
    pub major: u32,
    /// Behind the first dot.
    pub minor: u32,
}

impl Version {
    /// X.Y.
    pub const fn new(major: u32, minor: u32) -> Self {
        Version { major, minor }
    }

    /// From nibbles 16.8.8; the patch level makes no tag. macOS 11 says 10.16 to programs that don't know it.
    pub fn from_nibbles(packed: u32) -> Self {
        match (packed >> 16, (packed >> 8) & 0xff) {
            (10, minor) if minor >= 16 => Version::new(minor - 5, 0),
            (major, minor) => Version { major, minor },
        }
    }

    /// From `10.9`, `11`, `11.3.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.').map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let minor = parts.next().unwrap_or(Ok(0)).ok()?;
        parts.all(|part| part.is_ok()).then_some(Version { major, minor })
    }

    /// As tags can say it: from macOS 11 on without the minor version, which no installer looks for.
    #[must_use]
    pub fn in_tags(self) -> Self {
        if self.major >= 11 { Version::new(self.major, 0) } else { self }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A processor as platform tags name it; `x86_64h` counts as `x86_64`, `arm64e` as `arm64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// AMD64.
    X86_64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit x86.
    I386,
    /// 32-bit PowerPC.
    Ppc,
    /// 64-bit PowerPC.
    Ppc64,
}

impl Machine {
    const ALL: [Machine; 5] = [Machine::X86_64, Machine::Arm64, Machine::I386, Machine::Ppc, Machine::Ppc64];

    /// That of a slice; `None` when no tag of macOS names it.
    pub fn of(arch: Arch) -> Option<Self> {
        match macho::CpuType(arch.cputype) {
            macho::CPU_TYPE_X86_64 => Some(Machine::X86_64),
            macho::CPU_TYPE_ARM64 => Some(Machine::Arm64),
            macho::CPU_TYPE_X86 => Some(Machine::I386),
            macho::CPU_TYPE_POWERPC => Some(Machine::Ppc),
            macho::CPU_TYPE_POWERPC64 => Some(Machine::Ppc64),
            _ => None,
        }
    }

    /// Its name in tags.
    pub fn name(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Arm64 => "arm64",
            Machine::I386 => "i386",
            Machine::Ppc => "ppc",
            Machine::Ppc64 => "ppc64",
        }
    }

    /// The machines that the last part of a tag stands for: `universal2`, `intel`, `arm64`. (The groups are those of
    /// `_mac_binary_formats` in PyPA's `packaging`.) `None` for a name that no tag has.
    pub fn group(name: &str) -> Option<Vec<Machine>> {
        use Machine::{Arm64, I386, Ppc, Ppc64, X86_64};
        Some(match name {
            "universal2" => vec![X86_64, Arm64],
            "intel" => vec![X86_64, I386],
            "fat" => vec![I386, Ppc],
            "fat3" => vec![X86_64, I386, Ppc],
            "fat32" => vec![X86_64, I386, Ppc],
            "fat64" => vec![X86_64, Ppc64],
            "universal" => vec![X86_64, I386, Ppc, Ppc64],
            one => vec![Machine::ALL.into_iter().find(|machine| machine.name() == one)?],
        })
    }

    /// The first macOS that ran on it.
    pub fn floor(self) -> Version {
        match self {
            Machine::Arm64 => Version::new(11, 0),
            Machine::X86_64 | Machine::I386 => Version::new(10, 4),
            Machine::Ppc | Machine::Ppc64 => Version::new(10, 0),
        }
    }
}

/// A platform tag of macOS, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacTag {
    /// The macOS that it promises to run on.
    pub version: Version,
    /// The machines that it is for.
    pub machines: Vec<Machine>,
}

impl MacTag {
    /// `macosx_10_9_universal2`; `None` for anything else.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut parts = tag.strip_prefix("macosx_")?.splitn(3, '_');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let version = Version::new(number()?, number()?);
        Some(MacTag { version, machines: Machine::group(parts.next()?)? })
    }
}

/// The machines that a package is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Those that its tags name and its binaries are for.
    pub machines: BTreeSet<Machine>,
}

impl Target {
    /// By the platform asked for (`plat`, not `auto`) or else the tags that the package claims, as far as its binaries
    /// (`facts`) are for these machines; by the binaries alone when there is neither.
    pub fn decide(claimed: &[String], plat: Option<&str>, facts: &[Arc<MachoFacts>]) -> Self {
        let asked: Vec<&str> = match plat {
            Some(plat) => vec![plat],
            None => claimed.iter().map(String::as_str).collect(),
        };
        let asked: BTreeSet<Machine> =
            asked.into_iter().filter_map(MacTag::parse).flat_map(|tag| tag.machines).collect();
        let present = present(facts);
        if asked.is_empty() {
            return Target { machines: present };
        }
        let both: BTreeSet<Machine> = asked.intersection(&present).copied().collect();
        Target { machines: if both.is_empty() { asked } else { both } }
    }

    /// Whether a slice is one that the package is for.
    pub fn accepts(&self, slice: &Slice) -> bool {
        Machine::of(slice.arch).is_some_and(|machine| self.machines.contains(&machine))
            && runs_on_macos(slice)
    }

    /// Why none of the slices of a file is for the package; `None` when one is.
    pub fn misfit(&self, facts: &MachoFacts) -> Option<String> {
        if facts.slices.iter().any(|slice| self.accepts(slice)) {
            return None;
        }
        if !facts.slices.iter().any(runs_on_macos) {
            return Some("built for another system than macOS".to_owned());
        }
        let wanted: Vec<&str> = self.machines.iter().map(|machine| machine.name()).collect();
        let wanted = if wanted.is_empty() { "nothing known".to_owned() } else { wanted.join(" and ") };
        Some(format!("built for {}, the package is for {wanted}", archs(facts)))
    }
}

/// The machines that the binaries of a package are for. A library that others need, or that a repair tool has carried
/// there, may have slices that nothing else in the package has, so it does not speak as long as there are others.
fn present(facts: &[Arc<MachoFacts>]) -> BTreeSet<Machine> {
    let loaded = || facts.iter().filter(|facts| facts.inert.is_none());
    let leaf = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let needed: BTreeSet<String> = loaded()
        .flat_map(|facts| &facts.slices)
        .flat_map(|slice| slice.dylibs.iter().map(|(_, dylib)| leaf(&dylib.name)))
        .collect();
    let speaks = |facts: &&Arc<MachoFacts>| {
        let ids = facts.slices.iter().filter_map(|slice| slice.id.as_ref());
        !ids.clone().any(|id| id.name.starts_with(CARRIED_ID) || needed.contains(&leaf(&id.name)))
    };
    let machines = |facts: &Arc<MachoFacts>| -> Vec<Machine> {
        let slices = facts.slices.iter().filter(|slice| runs_on_macos(slice));
        slices.filter_map(|slice| Machine::of(slice.arch)).collect()
    };
    let spoken: BTreeSet<Machine> = loaded().filter(speaks).flat_map(machines).collect();
    if spoken.is_empty() { loaded().flat_map(machines).collect() } else { spoken }
}

/// Whether a slice is for macOS. What names no system is older than iOS.
pub fn runs_on_macos(slice: &Slice) -> bool {
    slice.min_os.is_empty() || slice.min_os.iter().any(|min| min.platform == PLATFORM_MACOS)
}

/// The oldest macOS that a slice runs on, if it says so.
pub fn minimum(slice: &Slice) -> Option<Version> {
    let own = slice.min_os.iter().filter(|min| min.platform == PLATFORM_MACOS);
    own.map(|min| Version::from_nibbles(min.version)).max()
}

/// The slice of a file that dyld takes in a process of `process`: the same processor, or the plain one for a better
/// one (`x86_64` in a process of `x86_64h`). `arm64e` has an ABI of its own.
pub fn slice_for(process: Arch, facts: &MachoFacts) -> Option<usize> {
    let at = |kind: (u32, bool)| {
        facts.slices.iter().position(|slice| kind_of(slice.arch) == kind && runs_on_macos(slice))
    };
    let own = kind_of(process);
    let plain = process.cputype == macho::CPU_TYPE_X86_64.0;
    at(own).or_else(|| plain.then(|| at((process.cputype, false))).flatten())
}

/// The processor, and whether it is `x86_64h` or `arm64e`: no other subtypes are told apart here.
fn kind_of(arch: Arch) -> (u32, bool) {
    let better = match macho::CpuType(arch.cputype) {
        macho::CPU_TYPE_X86_64 => arch.subtype() == 8,
        macho::CPU_TYPE_ARM64 => arch.subtype() == 2,
        _ => false,
    };
    (arch.cputype, better)
}

/// The processors of a file, as `lipo` lists them: `x86_64 arm64`.
pub fn archs(facts: &MachoFacts) -> String {
    let names: Vec<String> = facts.slices.iter().map(|slice| slice.arch.to_string()).collect();
    names.join(" ")
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
