//! `-L` among the flags of rustc.

use std::collections::BTreeMap;

/// The flags of rustc that the environment gives; cargo takes the first of these variables that is set.
pub fn environment_flags(env: &BTreeMap<String, String>) -> Vec<String> {
    // The Cargo Book, "Configuration", `build.rustflags`.
    match (env.get("CARGO_ENCODED_RUSTFLAGS"), env.get("RUSTFLAGS")) {
        (Some(encoded), _) => encoded.split('\x1f').map(str::to_owned).collect(),
        (None, Some(plain)) => plain.split_whitespace().map(str::to_owned).collect(),
        (None, None) => Vec::new(),
    }
}

/// The directories that `-L DIR`, `-LDIR`, `-L KIND=DIR` name for native libraries.
pub fn linked_paths<S: AsRef<str>>(flags: &[S]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut flags = flags.iter().map(AsRef::as_ref);
    while let Some(flag) = flags.next() {
        let value = match flag.strip_prefix("-L") {
            Some("") => flags.next(),
            joined => joined,
        };
        found.extend(value.and_then(native));
    }
    found
}

/// The directory of a search path as rustc and build scripts write it, `KIND=DIR` or `DIR`; `None` when it is no place
/// for native libraries.
pub fn native(search: &str) -> Option<&str> {
    // The rustc book, "Command-line arguments", `-L`. Anything else in front of a `=` belongs to the path.
    match search.split_once('=') {
        Some(("dependency" | "crate", _)) => None,
        Some(("native" | "framework" | "all", dir)) => Some(dir),
        _ => Some(search),
    }
    .filter(|dir| !dir.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_search_paths() {
        let cases = [
            ("native=/a", Some("/a")),
            ("all=/a", Some("/a")),
            ("framework=/a", Some("/a")),
            ("dependency=/a", None),
            ("crate=/a", None),
            ("/a", Some("/a")),
            ("/odd=name", Some("/odd=name")),
            ("native=", None),
            ("", None),
        ];
        for (search, want) in cases {
            assert_eq!(native(search), want, "{search}");
        }
    }

    #[test]
    fn flags_of_the_environment() {
        let env = |pairs: &[(&str, &str)]| -> Vec<String> {
            environment_flags(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let plain = ("RUSTFLAGS", "-Copt-level=1 -L native=/a  -L/b");
        let flags = env(&[plain]);
        assert_eq!(linked_paths(&flags), ["/a", "/b"]);
        let flags = env(&[plain, ("CARGO_ENCODED_RUSTFLAGS", "-L\x1f/with space\x1f-Ldependency=/c\x1f-L")]);
        assert_eq!(linked_paths(&flags), ["/with space"]);
        assert!(env(&[]).is_empty());
    }
}
