//! The platform tags that a package earns: the oldest macOS that each of its machines needs.

mod choose;

pub use choose::{Request, select};

use std::collections::{BTreeMap, BTreeSet};

use crate::target::{Machine, Version};

/// What one file asks of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its path in the package, or its name.
    pub file: String,
    /// The machine of the slice.
    pub machine: Machine,
    /// The oldest macOS that the slice runs on.
    pub version: Version,
}

/// The tags that together say `versions`, and nothing else: `universal2` where one tag says both.
///
/// On an arm64 Mac `macosx_10_9_universal2` means macOS 11, the first that there was.
pub fn pack(versions: &BTreeMap<Machine, Version>) -> Vec<String> {
    let mut left = versions.clone();
    let mut tags = Vec::new();
    let pairs = [("universal2", Machine::X86_64, Machine::Arm64), ("intel", Machine::X86_64, Machine::I386)];
    for (group, first, second) in pairs {
        if let (Some(a), Some(b)) = (left.get(&first).copied(), left.get(&second).copied())
            && a.max(second.floor()).in_tags() == b.max(second.floor()).in_tags()
        {
            left.remove(&first);
            left.remove(&second);
            tags.push(tag(a, group));
        }
    }
    tags.extend(left.into_iter().map(|(machine, version)| tag(version, machine.name())));
    tags
}

/// One tag.
pub fn tag(version: Version, group: &str) -> String {
    let version = version.in_tags();
    format!("macosx_{}_{}_{group}", version.major, version.minor)
}

/// For each machine that has a binary, the newest macOS that any evidence for it asks for.
fn needed(evidence: &[Evidence], machines: &BTreeSet<Machine>) -> BTreeMap<Machine, Version> {
    let of = |machine: &Machine| {
        let asked = evidence.iter().filter(|e| e.machine == *machine).map(|e| e.version);
        (*machine, asked.fold(machine.floor(), Version::max))
    };
    machines.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
