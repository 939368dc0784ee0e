//! Names of libraries that mean something apart from any policy.

use crate::target::{Architecture, Libc};

/// Whether `name` is the dynamic loader: it runs already when it is asked for.
pub fn is_loader(name: &str) -> bool {
    name.contains("ld-linux")
        || name.starts_with("ld-musl-")
        || matches!(name, "ld64.so.1" | "ld64.so.2" | "ld.so.1")
}

/// Whether `name` is the Python interpreter's library: `libpython3.13t.so.1.0`, `libpython3.so`.
pub fn is_libpython(name: &str) -> bool {
    let Some((version, so)) = name.strip_prefix("libpython").and_then(|rest| rest.split_once(".so")) else {
        return false;
    };
    let digits = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let numbers = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits.starts_with(|c: char| c.is_ascii_digit()) && numbers(digits) && numbers(so)
}

/// Whether musl's loader takes `name` for itself (`load_library` in musl's `ldso/dynlink.c`): its libc is one file with
/// many names.
pub fn is_musl_itself(name: &str) -> bool {
    const OWN: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
    name.strip_prefix("lib")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(stem, _)| OWN.contains(&stem))
}

/// The soname that a policy's `name` has on an architecture: musl's libc carries the architecture in its name.
pub fn soname(libc: Libc, architecture: Option<Architecture>, name: &str) -> String {
    match (libc, name, architecture) {
        (Libc::Musl, "libc.so", Some(architecture)) => {
            let architecture = match architecture {
                Architecture::I686 => "x86",
                Architecture::Armv7l => "armv7",
                other => other.name(),
            };
            format!("libc.musl-{architecture}.so.1")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_and_loaders() {
        for name in [
            "libpython3.11.so.1.0",
            "libpython3.so",
            "libpython3.13t.so.1.0",
            "libpython3.8dm.so.1.0",
            "libpython2.7.so",
        ] {
            assert!(is_libpython(name), "{name}");
        }
        for name in [
            "libpython.so",
            "libpythonx.so",
            "libpython3.11.a",
            "libboost_python311.so.1",
            "libpython3-foo.so",
        ] {
            assert!(!is_libpython(name), "{name}");
        }
        for name in ["ld-linux-x86-64.so.2", "ld-linux.so.2", "ld64.so.2", "ld-musl-x86_64.so.1"] {
            assert!(is_loader(name), "{name}");
        }
        assert!(!is_loader("libld.so"));
        assert!(is_musl_itself("libm.so.6") && is_musl_itself("libc.so") && !is_musl_itself("libcurl.so.4"));
    }
}
