//! An ELF file's dynamic section as binutils' readelf reads it.

use std::path::Path;

use crate::run;

/// What `readelf -dV` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_RPATH`.
    pub rpath: Option<String>,
    /// `DT_RUNPATH`.
    pub runpath: Option<String>,
    /// The files that version needs name, in order.
    pub version_files: Vec<String>,
}

impl Dynamic {
    /// Reads `path`; any complaint of readelf is a panic.
    #[track_caller]
    pub fn of(path: &Path) -> Dynamic {
        let path = path.to_str().unwrap();
        let complaints =
            crate::Outcome::of(std::process::Command::new("readelf").args(["-aW", path])).exits(0);
        assert_eq!(complaints.stderr, "", "readelf complains about {path}");
        let text = run("readelf", ["-dVW", path]);
        let bracketed = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
        let mut dynamic = Dynamic::default();
        for line in text.lines() {
            if line.contains("(NEEDED)") {
                dynamic.needed.extend(bracketed(line));
            } else if line.contains("(SONAME)") {
                dynamic.soname = bracketed(line);
            } else if line.contains("(RPATH)") {
                dynamic.rpath = bracketed(line);
            } else if line.contains("(RUNPATH)") {
                dynamic.runpath = bracketed(line);
            } else if let Some((_, rest)) = line.split_once("File: ") {
                dynamic.version_files.extend(rest.split_whitespace().next().map(str::to_owned));
            }
        }
        dynamic
    }
}
