//! What a Python interpreter for Windows comes with.

use crate::target::Machine;

/// Whether a name is that of the interpreter's own library: CPython's `python3.dll`, `python312.dll` and those of
/// free-threaded (`t`) and debug (`_d`) builds, MSYS2's `libpython3.12.dll`, PyPy's, GraalPy's.
pub(crate) fn is_python(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(stem) = name.strip_suffix(".dll") else { return false };
    let numbers = |text: &str, also: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || also.contains(c))
    };
    if let Some(rest) = stem.strip_prefix("libpypy") {
        return rest.strip_suffix("-c").is_some_and(|version| numbers(version, "."));
    }
    if let Some(rest) = stem.strip_prefix("libpython") {
        return numbers(rest.strip_suffix('t').unwrap_or(rest), ".");
    }
    let plain = stem.strip_suffix("_d").unwrap_or(stem);
    let plain = plain.strip_suffix('t').unwrap_or(plain);
    stem == "python-native" || plain.strip_prefix("python").is_some_and(|version| numbers(version, ""))
}

/// Whether every interpreter of these tags (`cp39-abi3`) comes with the library `name` of Microsoft's C runtime. (What
/// each comes with is what its installer puts beside `python.exe`; delvewheel 1.13.2 has the same list.)
pub(crate) fn brings(pythons: &[String], machine: Machine, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !pythons.is_empty() && pythons.iter().all(|tag| with(tag, machine).contains(&name.as_str()))
}

fn with(tag: &str, machine: Machine) -> &'static [&'static str] {
    let (python, abi) = tag.split_once('-').unwrap_or((tag, "none"));
    let wide = matches!(machine, Machine::X64 | Machine::Arm64);
    let since_39: &[&str] =
        if wide { &["vcruntime140.dll", "vcruntime140_1.dll"] } else { &["vcruntime140.dll"] };
    if python.starts_with("graalpy") || abi.starts_with("graalpy") {
        return since_39;
    }
    if abi.starts_with("pypy") {
        return if abi.starts_with("pypy_41") { &["msvcr90.dll"] } else { &["vcruntime140.dll"] };
    }
    // `cp312` of `abi3` and of wheels without an ABI, else the ABI with its flags.
    let cpython = if abi.starts_with("cp") { abi } else { python };
    let Some(rest) = cpython.strip_prefix("cp") else { return &[] };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (version, flags) = rest.split_at_checked(digits).unwrap_or((rest, ""));
    if flags.contains('d') {
        return &["vcruntime140d.dll", "ucrtbased.dll"];
    }
    match version.split_at_checked(1).map(|(major, minor)| (major, minor.parse::<u32>())) {
        Some(("3", Ok(9..))) => since_39,
        Some(("3", Ok(5..=8))) => &["vcruntime140.dll"],
        Some(("3", Ok(3..=4))) => &["msvcr100.dll"],
        Some(("2", Ok(6..=7)) | ("3", Ok(2))) => &["msvcr90.dll"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_itself() {
        for name in [
            "python3.dll",
            "PYTHON312.dll",
            "python313t.dll",
            "python313_d.dll",
            "python314t_d.dll",
            "python3t.dll",
            "libpypy3.10-c.dll",
            "libpython3.12.dll",
            "python-native.dll",
        ] {
            assert!(is_python(name), "{name}");
        }
        for name in
            ["pythoncom312.dll", "pywintypes312.dll", "boost_python312.dll", "python.dll", "python312.pyd"]
        {
            assert!(!is_python(name), "{name}");
        }
    }

    #[test]
    fn the_runtime_by_tag() {
        let brings = |tags: &[&str], machine, name| {
            super::brings(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>(), machine, name)
        };
        for (tags, machine, name, is) in [
            (&["cp312-cp312"][..], Machine::X64, "VCRUNTIME140_1.dll", true),
            (&["cp312-cp312"], Machine::X86, "vcruntime140_1.dll", false),
            (&["cp38-cp38"], Machine::X64, "vcruntime140_1.dll", false),
            (&["cp38-cp38", "cp39-cp39"], Machine::X64, "vcruntime140_1.dll", false),
            (&["cp36-cp36m"], Machine::X64, "vcruntime140.dll", true),
            (&["cp39-abi3"], Machine::X64, "vcruntime140_1.dll", true),
            (&["cp313-cp313t"], Machine::Arm64, "vcruntime140_1.dll", true),
            (&["cp312-cp312d"], Machine::X64, "vcruntime140.dll", false),
            (&["cp312-cp312d"], Machine::X64, "vcruntime140d.dll", true),
            (&["pp310-pypy310_pp73"], Machine::X64, "vcruntime140.dll", true),
            (&["cp27-cp27m"], Machine::X64, "msvcr90.dll", true),
            (&["py3-none"], Machine::X64, "vcruntime140.dll", false),
            (&["cp312-cp312"], Machine::X64, "msvcp140.dll", false),
            (&[], Machine::X64, "vcruntime140.dll", false),
        ] {
            assert_eq!(brings(tags, machine, name), is, "{tags:?} {machine:?} {name}");
        }
    }
}
