//! Where a DLL is looked for on this host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spokeshave_core::{Context, Location};

use crate::target::Machine;

/// A file to look at, and the rule that leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The rule.
    pub rule: String,
}

/// The directories that are searched, and what lies in them.
pub struct Search<'a> {
    cx: &'a Context<'a>,
    /// `PATH`, on Windows hosts.
    path: Vec<PathBuf>,
    /// Windows' own directory below the sysroot, or of this host.
    windows: Option<PathBuf>,
    listed: BTreeMap<PathBuf, BTreeMap<String, String>>,
}

impl<'a> Search<'a> {
    /// From the options and the environment. `PATH` counts only where it holds Windows' paths.
    pub fn new(cx: &'a Context<'a>) -> Self {
        let variable = |name: &str| {
            let own = cx.env.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            own.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let here = cfg!(windows) && cx.options.sysroot.is_none();
        let path = variable("PATH").filter(|_| here).map(|value| std::env::split_paths(value).collect());
        let mut search =
            Search { cx, path: path.unwrap_or_default(), windows: None, listed: BTreeMap::new() };
        search.windows = match &cx.options.sysroot {
            Some(root) => search.child(root, "Windows"),
            None => variable("WINDIR").filter(|_| here).map(PathBuf::from),
        };
        search
    }

    /// The files that `name` may be, in order: `--lib-dir`, what the build linked from, `PATH`, Windows' directory. What
    /// stands beside the importer on this host comes before all but, for a build's own output, `--lib-dir`.
    pub fn places(
        &mut self,
        name: &str,
        importer: Option<&Location>,
        is_output: bool,
        linked: &[PathBuf],
        machine: Machine,
    ) -> Vec<Place> {
        let beside = match importer.map(Location::parent) {
            Some(Location::Host(dir)) => vec![(dir, "beside the importer".to_owned())],
            _ => Vec::new(),
        };
        let all = |dirs: &[PathBuf], rule: &str| -> Vec<(PathBuf, String)> {
            dirs.iter().map(|dir| (dir.clone(), rule.to_owned())).collect()
        };
        let lib_dirs = all(&self.cx.options.lib_dirs, "--lib-dir");
        let mut dirs = if is_output { [lib_dirs, beside].concat() } else { [beside, lib_dirs].concat() };
        dirs.extend(all(linked, "linked path"));
        dirs.extend(all(&self.path, "PATH"));
        dirs.extend(all(&self.windows_dirs(machine), "WINDIR"));
        let mut places: Vec<Place> = Vec::new();
        for (dir, rule) in dirs {
            let path = self.child(&dir, name).unwrap_or_else(|| dir.join(name));
            if !places.iter().any(|place| place.path == path) {
                places.push(Place { path, rule });
            }
        }
        places
    }

    /// `SysWOW64` for x86 where there is one (64-bit Windows), else `System32`.
    fn windows_dirs(&mut self, machine: Machine) -> Vec<PathBuf> {
        let Some(windows) = self.windows.clone() else { return Vec::new() };
        let wow = if machine == Machine::X86 { self.child(&windows, "SysWOW64") } else { None };
        wow.or_else(|| self.child(&windows, "System32")).into_iter().collect()
    }

    /// What is called `name` in `dir`, whatever its case; of several the one that has the very name, or else the first.
    fn child(&mut self, dir: &Path, name: &str) -> Option<PathBuf> {
        // A name with a path in it is no name that Windows searches for.
        if name.contains(['/', '\\']) {
            return None;
        }
        let files = self.cx.files;
        let listed = self.listed.entry(dir.to_path_buf()).or_insert_with(|| {
            let mut names = BTreeMap::new();
            for name in files.list(&Location::Host(dir.to_path_buf())) {
                names.entry(name.to_lowercase()).or_insert_with(|| name.clone());
                names.insert(name.clone(), name);
            }
            names
        });
        let found = listed.get(name).or_else(|| listed.get(&name.to_lowercase()))?;
        Some(dir.join(found))
    }
}
