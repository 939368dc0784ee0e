//! The one table in which the command line knows formats: to say which backend is missing.

use std::io::Read as _;
use std::path::Path;

use spokeshave_core::{Error, Repairer};

use crate::terminal::core_error;

/// How core begins the error for an input that no backend claims.
const NO_BACKEND: &str = "no backend";

struct Format {
    /// With its article.
    name: &'static str,
    /// First bytes, any of these.
    magic: &'static [&'static [u8]],
    /// Platform tags of wheels begin with one of these.
    tags: &'static [&'static str],
    /// The cargo feature, equal to the backend's name, that brings it.
    feature: Option<&'static str>,
}

const FORMATS: &[Format] = &[
    Format {
        name: "an ELF file",
        magic: &[b"\x7fELF"],
        tags: &["linux", "manylinux", "musllinux", "android"],
        feature: Some("elf"),
    },
    Format {
        name: "a Mach-O file",
        magic: &[
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"\xca\xfe\xba\xbf",
        ],
        tags: &["macosx", "ios"],
        feature: Some("macho"),
    },
    Format { name: "a PE file", magic: &[b"MZ"], tags: &["win32", "win_"], feature: Some("pe") },
    Format {
        name: "a WebAssembly module",
        magic: &[b"\0asm"],
        tags: &["pyodide", "pyemscripten", "emscripten", "wasi", "wasm"],
        feature: None,
    },
    Format { name: "an XCOFF file", magic: &[b"\x01\xdf", b"\x01\xf7"], tags: &["aix"], feature: None },
    Format {
        name: "a static library (ar archive)",
        magic: &[b"!<arch>\n", b"!<thin>\n"],
        tags: &[],
        feature: None,
    },
    Format { name: "a zip archive", magic: &[b"PK\x03\x04"], tags: &[], feature: None },
    Format { name: "a gzip archive", magic: &[b"\x1f\x8b"], tags: &[], feature: None },
    Format { name: "a script", magic: &[b"#!"], tags: &[], feature: None },
];

/// The features that this program was built with.
const BUILT_WITH: &[(&str, bool)] =
    &[("elf", cfg!(feature = "elf")), ("macho", cfg!(feature = "macho")), ("pe", cfg!(feature = "pe"))];

/// Says more about an input that no backend claims; other errors, and formats that are not in the table, come back
/// as they are.
pub fn explain(error: anyhow::Error, input: &Path, backends: &[&'static dyn Repairer]) -> anyhow::Error {
    if !core_error(&error).is_some_and(|core| core.what.starts_with(NO_BACKEND)) {
        return error;
    }
    let tags = platform_tags(input);
    let by_tag =
        FORMATS.iter().find(|f| tags.iter().any(|tag| f.tags.iter().any(|start| tag.starts_with(start))));
    let (format, subject) = match by_tag {
        Some(format) => {
            (format, format!("its tag `{}` says that it is for {}", tags.join("."), plural(format.name)))
        }
        None => match head(input).and_then(|head| {
            FORMATS.iter().find(|format| format.magic.iter().any(|magic| head.starts_with(magic)))
        }) {
            Some(format) => (format, format!("this is {}", format.name)),
            None => return error,
        },
    };
    let linked = |name| backends.iter().any(|backend| backend.about().name == name);
    let (missing, hint) = match format.feature {
        // Its backend was asked and does not want it: it knows better than this table.
        Some(feature) if linked(feature) => return error,
        Some(feature) if BUILT_WITH.contains(&(feature, true)) => (
            "no backend for it is linked in",
            format!(
                "the crate spokeshave-{feature} of this version does not repair it yet; `spokeshave backends` lists what is there"
            ),
        ),
        Some(feature) => {
            ("no backend for it is linked in", format!("build spokeshave with `--features {feature}`"))
        }
        None => ("no backend repairs such files", "`spokeshave backends` lists what is there".to_owned()),
    };
    Error::new(format!("{subject}; {missing}")).at(input.display()).hint(hint).into()
}

/// As [`explain`], if the error is about `input`, which is one of several.
pub fn explain_at(error: anyhow::Error, input: &Path, backends: &[&'static dyn Repairer]) -> anyhow::Error {
    let about = core_error(&error).and_then(|core| core.path.as_deref());
    if about == Some(&*input.to_string_lossy()) { explain(error, input, backends) } else { error }
}

/// The platform tags that a wheel's file name claims; none for any other file.
pub fn platform_tags(input: &Path) -> Vec<String> {
    let name = input.file_name().unwrap_or_default().to_string_lossy();
    let Some(stem) = name.strip_suffix(".whl") else { return Vec::new() };
    match stem.rsplit('-').next() {
        Some(tags) if stem.matches('-').count() >= 4 => tags.split('.').map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn plural(name: &str) -> String {
    let bare = name.split_once(' ').map_or(name, |(_article, bare)| bare);
    format!("{bare}s")
}

fn head(input: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    fs_err::File::open(input).ok()?.take(16).read_to_end(&mut head).ok()?;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(name: &str, bytes: &[u8], what: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let error = explain(Error::new(what).into(), &path, &[]);
        let core = core_error(&error).unwrap();
        format!("{} | {}", core.what, core.hint.as_deref().unwrap_or_default())
    }

    #[test]
    fn names_the_format_and_what_would_bring_it() {
        let what = "no backend recognizes this file";
        insta::assert_snapshot!(explained("x.wasm", b"\0asm\x01\0\0\0", what), @"this is a WebAssembly module; no backend repairs such files | `spokeshave backends` lists what is there");
        insta::assert_snapshot!(explained("a-1-py3-none-pyodide_2024_0_wasm32.whl", b"PK", what), @"its tag `pyodide_2024_0_wasm32` says that it is for WebAssembly modules; no backend repairs such files | `spokeshave backends` lists what is there");
        insta::assert_snapshot!(explained("notes.txt", b"hello", what), @"no backend recognizes this file |");
        insta::assert_snapshot!(explained("x.wasm", b"\0asm\x01\0\0\0", "truncated"), @"truncated |");
        let macho = explained("x.dylib", b"\xcf\xfa\xed\xfe0000", what);
        assert!(macho.starts_with("this is a Mach-O file; no backend for it is linked in |"), "{macho}");
        assert!(macho.contains("macho"), "{macho}");
    }

    #[test]
    fn tags_of_a_wheel() {
        let of = |name: &str| platform_tags(Path::new(name)).join(" ");
        assert_eq!(
            of("d/demo-1.0-1-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
            "manylinux_2_17_x86_64 manylinux2014_x86_64"
        );
        assert_eq!(of("demo.whl"), "");
        assert_eq!(of("libfoo.so"), "");
    }
}
