//! API sets and the DLLs that Windows has.

use crate::target::Machine;

/// One name and a sum a line, sorted: 1 for x86, 2 for x64, 4 for arm64. `tests/tools/pe_system_dlls.py` makes it.
const TABLE: &str = include_str!("windows.txt");

/// Whether a name is that of an API set, which Windows maps to its own DLLs ("Windows API sets").
pub(crate) fn is_api_set(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("api-") || name.starts_with("ext-ms-")
}

/// Whether Windows 10 and later have a DLL of this name for `machine`.
///
/// The lists for x86 and x64 name what Windows 7 has, too. That for arm64 begins with Windows 10, which has the same
/// interfaces on all processors, so what it names counts for all.
pub(crate) fn is_windows(name: &str, machine: Machine) -> bool {
    let name = name.to_ascii_lowercase();
    let own = match machine {
        Machine::X86 => 1,
        Machine::X64 => 2,
        Machine::Arm64 | Machine::Arm => 4,
    };
    bits(&name).is_some_and(|bits| bits & (own | 4) != 0)
}

fn bits(name: &str) -> Option<u8> {
    let mut text = TABLE;
    // Lines are sorted by name: halve what is left, a line at a time.
    loop {
        let middle = text.len() / 2;
        let bytes = text.as_bytes();
        let start = memchr::memrchr(b'\n', bytes.get(..middle)?).map_or(0, |at| at + 1);
        let rest = text.get(start..)?;
        let line = rest.lines().next()?;
        let (listed, bits) = line.rsplit_once(' ')?;
        match name.cmp(listed) {
            std::cmp::Ordering::Equal => return bits.parse().ok(),
            std::cmp::Ordering::Less => text = text.get(..start)?,
            std::cmp::Ordering::Greater => text = rest.get(line.len() + 1..)?,
        }
        if text.is_empty() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_and_nothing_else() {
        let mut last = "";
        for line in TABLE.lines() {
            let (name, sum) = line.rsplit_once(' ').unwrap();
            assert!(last < name, "{last} stands before {name}");
            assert_eq!(bits(name), Some(sum.parse().unwrap()), "{name}");
            assert_eq!(bits(&format!("{name}x")), None);
            last = name;
        }
        assert_eq!(bits(""), None);
        assert_eq!(bits("zzzz.dll"), None);
    }

    #[test]
    fn windows_own_by_processor() {
        for name in ["KERNEL32.dll", "ucrtbase.dll", "ntdll.dll", "WS2_32.dll", "shcore.dll", "msvcrt.dll"] {
            for machine in [Machine::X86, Machine::X64, Machine::Arm64] {
                assert!(is_windows(name, machine), "{name} {machine:?}");
            }
        }
        for name in ["msvcp140.dll", "vcruntime140.dll", "libssl-3-x64.dll", "python3.dll", "vcomp140.dll"] {
            assert!(!is_windows(name, Machine::X64), "{name}");
        }
        assert!(is_api_set("API-MS-Win-Crt-runtime-l1-1-0.dll") && is_api_set("ext-ms-win-x.dll"));
        assert!(!is_api_set("apihelper.dll"));
    }
}
