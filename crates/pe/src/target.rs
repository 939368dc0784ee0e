//! Which machines a package is for, and how platform tags name them.

use std::collections::BTreeSet;
use std::sync::Arc;

use object::pe;

use crate::facts::PeFacts;

/// A processor that Windows tags name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// `win32`
    X86,
    /// `win_amd64`; what runs in such a process, so ARM64EC too
    X64,
    /// `win_arm64`; ARM64X too
    Arm64,
    /// `win_arm32`
    Arm,
}

impl Machine {
    /// That of a file; `None` when no tag names it.
    pub fn of(facts: &PeFacts) -> Option<Self> {
        match pe::Machine(facts.machine) {
            pe::IMAGE_FILE_MACHINE_I386 => Some(Machine::X86),
            pe::IMAGE_FILE_MACHINE_AMD64 => Some(Machine::X64),
            pe::IMAGE_FILE_MACHINE_ARM64 => Some(Machine::Arm64),
            pe::IMAGE_FILE_MACHINE_ARMNT => Some(Machine::Arm),
            _ => None,
        }
    }

    fn of_tag(tag: &str) -> Option<Self> {
        match tag {
            "win32" => Some(Machine::X86),
            "win_amd64" => Some(Machine::X64),
            "win_arm64" => Some(Machine::Arm64),
            "win_arm32" => Some(Machine::Arm),
            _ => None,
        }
    }

    /// Its platform tag.
    pub fn tag(self) -> &'static str {
        match self {
            Machine::X86 => "win32",
            Machine::X64 => "win_amd64",
            Machine::Arm64 => "win_arm64",
            Machine::Arm => "win_arm32",
        }
    }
}

/// The machines that a package is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    machines: BTreeSet<Machine>,
}

impl Target {
    /// By the platform asked for or else the tags that the package claims; by its first binary when there is neither.
    pub fn decide(claimed: &[String], plat: Option<&str>, facts: &[Arc<PeFacts>]) -> Self {
        let tags: BTreeSet<Machine> = match plat {
            Some(plat) => Machine::of_tag(plat).into_iter().collect(),
            None => claimed.iter().filter_map(|tag| Machine::of_tag(tag)).collect(),
        };
        if !tags.is_empty() {
            return Target { machines: tags };
        }
        let first = facts.iter().filter(|facts| facts.inert.is_none()).find_map(|facts| Machine::of(facts));
        Target { machines: first.into_iter().collect() }
    }

    /// One of its machines; x64 when nothing tells.
    pub fn any(&self) -> Machine {
        self.machines.first().copied().unwrap_or(Machine::X64)
    }

    /// Why a file is not for the package; `None` when it is.
    pub fn misfit(&self, facts: &PeFacts) -> Option<String> {
        if Machine::of(facts).is_some_and(|machine| self.machines.contains(&machine)) {
            return None;
        }
        let wanted: Vec<&str> = self.machines.iter().map(|machine| machine.tag()).collect();
        let wanted = if wanted.is_empty() { "nothing known".to_owned() } else { wanted.join(" and ") };
        Some(format!("built for {}, the package is for {wanted}", facts.machine_name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_tag_and_by_binary() {
        let file = |machine: u16| Arc::new(PeFacts { machine, ..PeFacts::default() });
        let (x86, x64) = (file(0x14c), file(0x8664));
        let both = [x86.clone(), x64.clone()];
        let of = |claimed: &[&str], plat| {
            let claimed: Vec<String> = claimed.iter().map(|tag| (*tag).to_owned()).collect();
            let target = Target::decide(&claimed, plat, &both);
            (target.misfit(&x86).is_none(), target.misfit(&x64).is_none())
        };
        assert_eq!(of(&["win_amd64"], None), (false, true));
        assert_eq!(of(&["win32", "win_amd64"], None), (true, true));
        assert_eq!(of(&["win_amd64"], Some("win32")), (true, false));
        assert_eq!(of(&[], None), (true, false));
        assert_eq!(of(&["win_arm64"], None), (false, false));
    }
}
