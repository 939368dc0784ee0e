//! Whether a candidate is for the machine of the file that needs it.

use object::elf;

use crate::facts::ElfFacts;
use crate::target::{Libc, libc_of};

/// Why `candidate` can't serve `loader`; `None` when it can. The loader passes such a file over and goes on.
pub(crate) fn misfit(loader: &ElfFacts, candidate: &ElfFacts, libc: Libc) -> Option<String> {
    if candidate.is_64 != loader.is_64 {
        return Some(format!("other class ({}-bit)", if candidate.is_64 { 64 } else { 32 }));
    }
    if candidate.big_endian != loader.big_endian {
        return Some(format!(
            "other byte order ({}-endian)",
            if candidate.big_endian { "big" } else { "little" }
        ));
    }
    if candidate.machine != loader.machine {
        return Some(format!("other machine ({})", machine_name(candidate.machine)));
    }
    if let (Some(wanted), Some(has)) = (abi(loader), abi(candidate))
        && wanted != has
    {
        return Some(format!("other ABI ({has})"));
    }
    if let Some(inert) = candidate.inert {
        return Some(format!("no shared library ({inert})"));
    }
    // No loader tells them apart, but no process survives two C libraries.
    libc_of(candidate).filter(|has| *has != libc).map(|has| format!("other C library ({has})"))
}

/// The ABI that the header's flags tell: ARM's float ABI (ELF for the Arm Architecture, "ELF Header"), ELFv1 and v2 of
/// 64-bit PowerPC, RISC-V's float ABI.
fn abi(facts: &ElfFacts) -> Option<&'static str> {
    match elf::Machine(facts.machine) {
        elf::EM_ARM if facts.flags & elf::EF_ARM_ABI_FLOAT_HARD != 0 => Some("hard float"),
        elf::EM_ARM if facts.flags & elf::EF_ARM_ABI_FLOAT_SOFT != 0 => Some("soft float"),
        elf::EM_PPC64 => match facts.flags & 3 {
            1 => Some("ELFv1"),
            2 => Some("ELFv2"),
            _ => None,
        },
        elf::EM_RISCV => match facts.flags & 6 {
            0 => Some("soft float"),
            2 => Some("single float"),
            4 => Some("double float"),
            _ => Some("quad float"),
        },
        _ => None,
    }
}

/// The name of a machine, as far as it has policies or is met often.
fn machine_name(machine: u16) -> String {
    let name = match elf::Machine(machine) {
        elf::EM_X86_64 => "x86_64",
        elf::EM_386 => "i386",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_ARM => "arm",
        elf::EM_PPC64 => "ppc64",
        elf::EM_PPC => "ppc",
        elf::EM_S390 => "s390",
        elf::EM_RISCV => "riscv",
        elf::EM_LOONGARCH => "loongarch",
        elf::EM_MIPS => "mips",
        other => return format!("e_machine {}", other.0),
    };
    name.to_owned()
}
