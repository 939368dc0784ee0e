//! Microsoft's redistributable runtime.

/// Whether a name is that of a file of Microsoft's redistributable C, C++, OpenMP or MFC runtime. Its terms ask that it
/// is passed on unchanged. (The families: "Determining Which DLLs to Redistribute", Microsoft Learn.)
pub(crate) fn is_runtime(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(stem) = name.strip_suffix(".dll") else { return false };
    let digit = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let numbered = [
        "vcruntime",
        "vccorlib",
        "msvcp",
        "msvcr",
        "concrt",
        "mfc",
        "mfcm",
        "mfcmifc",
        "vcamp",
        "vcomp",
        "atl",
    ];
    let numbered = numbered.iter().any(|family| stem.strip_prefix(family).is_some_and(digit));
    numbered
        || stem.starts_with("msvcp_")
        || stem == "vcomp"
        || stem == "ucrtbase"
        || stem.starts_with("ucrtbase_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        for name in [
            "MSVCP140.dll",
            "msvcp140_atomic_wait.dll",
            "vcruntime140_1.dll",
            "concrt140.dll",
            "vcomp140.dll",
            "mfc140u.dll",
            "mfcm140.dll",
            "vccorlib140.dll",
            "msvcr100.dll",
            "vcamp140.dll",
        ] {
            assert!(is_runtime(name), "{name}");
        }
        for name in
            ["msvcp.dll", "libgcc_s_seh-1.dll", "msvcp140.pyd", "mfcx.dll", "vcompress.dll", "zlib1.dll"]
        {
            assert!(!is_runtime(name), "{name}");
        }
    }
}
