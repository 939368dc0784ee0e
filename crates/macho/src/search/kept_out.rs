//! What is never carried: the system's libraries and Python itself.

/// The path on the target of a library that macOS brings, whatever it is seen through: an SDK
/// (`…/MacOSX14.sdk/usr/lib/libz.tbd`) or the data volume (`/System/Volumes/Data/…`). `None` for any other path.
pub fn system_path(path: &str) -> Option<&str> {
    let path = match path.split_once(".sdk/") {
        Some((sdk, _)) if sdk.rsplit('/').next().is_some_and(|name| name.starts_with("MacOSX")) => {
            path.get(sdk.len() + ".sdk".len()..)?
        }
        _ => path,
    };
    let path = path.strip_prefix("/System/Volumes/Data").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let system = path.starts_with("/usr/lib/") || path.starts_with("/System/");
    (system && !path.split('/').any(|part| part == "..")).then_some(path)
}

/// Whether macOS has the library at a path of [`system_path`] though no disk has it: since macOS 11 libraries of the
/// system are in dyld's cache only. Where only a search path leads to `/usr/lib`, a mere name is not taken for one,
/// but for those that every program has.
pub fn in_cache(path: &str) -> bool {
    const EVERYWHERE: [&str; 5] =
        ["libSystem.B.dylib", "libc++.1.dylib", "libc++abi.dylib", "libobjc.A.dylib", "libz.1.dylib"];
    path.starts_with("/System/")
        || path.starts_with("/usr/lib/swift/libswift")
        || path.strip_prefix("/usr/lib/").is_some_and(|name| EVERYWHERE.contains(&name))
}

/// Whether a name is that of the Python interpreter's own library: `libpython3.12.dylib`, `Python.framework/…/Python`,
/// and those of Xcode (`Python3`), free-threaded (`PythonT`) and PyPy builds.
pub fn is_python(name: &str) -> bool {
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let versioned = |prefix: &str| {
        let rest = leaf.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(".dylib"));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let framework = ["Python", "Python3", "PythonT"]
        .iter()
        .any(|own| leaf == *own && name.split('/').any(|part| part.strip_suffix(".framework") == Some(own)));
    framework || versioned("libpython") || versioned("libpypy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_libraries_behind_anything() {
        let sdk = "/Applications/Xcode.app/Contents/Developer/Platforms/MacOSX.platform/Developer/SDKs/MacOSX14.2.sdk";
        for (path, is) in [
            ("/usr/lib/libSystem.B.dylib".to_owned(), Some("/usr/lib/libSystem.B.dylib")),
            (format!("{sdk}/usr/lib/libz.1.tbd"), Some("/usr/lib/libz.1.tbd")),
            (format!("{sdk}/opt/libz.1.tbd"), None),
            ("/System/Volumes/Data/usr/lib/libx.dylib".to_owned(), Some("/usr/lib/libx.dylib")),
            ("/System/Volumes/Data/opt/homebrew/lib/libx.dylib".to_owned(), None),
            (
                "/System/Library/Frameworks/Metal.framework/Metal".to_owned(),
                Some("/System/Library/Frameworks/Metal.framework/Metal"),
            ),
            ("/usr/library/libx.dylib".to_owned(), None),
            ("/usr/lib/../local/lib/libx.dylib".to_owned(), None),
            ("/usr/local/lib/libx.dylib".to_owned(), None),
        ] {
            assert_eq!(system_path(&path), is, "{path}");
        }
    }

    #[test]
    fn python_itself() {
        for own in [
            "@rpath/libpython3.12.dylib",
            "libpython3.13t.dylib",
            "/Library/Frameworks/Python.framework/Versions/3.11/Python",
            "@executable_path/../Python3.framework/Versions/3.9/Python3",
            "@rpath/PythonT.framework/Versions/3.13/PythonT",
            "libpypy3.10-c.dylib",
        ] {
            assert!(is_python(own), "{own}");
        }
        for other in [
            "/opt/lib/libpythonic.dylib",
            "Python.framework/Versions/3.11/lib/libssl.1.1.dylib",
            "/opt/Python",
        ] {
            assert!(!is_python(other), "{other}");
        }
    }
}
