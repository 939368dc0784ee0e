//! The directories that one file's RPATH and RUNPATH lead to.

use std::path::PathBuf;

use spokeshave_core::{Files, Location, PackagePath};

use super::environment::{Environment, SearchDir};
use super::tokens;
use crate::facts::ElfFacts;
use crate::target::Libc;

/// A place to look at, and the rule that leads there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The directory; or the entry as it is written and why it leads nowhere.
    pub dir: Result<Location, (String, &'static str)>,
    /// The rule.
    pub rule: String,
}

impl Place {
    pub(super) fn new(dir: Location, rule: impl Into<String>) -> Self {
        Place { dir: Ok(dir), rule: rule.into() }
    }

    pub(super) fn of_system(dir: &SearchDir) -> Self {
        Place::new(Location::Host(dir.path.clone()), dir.rule.clone())
    }

    /// Whether it is a directory of the package.
    pub(super) fn in_package(&self) -> bool {
        matches!(self.dir, Ok(Location::Package(_)))
    }
}

/// What a path is followed in.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// The environment of the load.
    pub env: &'a Environment,
    /// The package and the host.
    pub files: &'a Files,
    /// The directories of the package that are installed apart from the rest ([`spokeshave_core::Artifact::tree`]).
    pub trees: &'a [PackagePath],
}

impl Around<'_> {
    /// The tree that a path of the package is installed with; `None` for the package's root.
    fn tree(&self, path: &PackagePath) -> Option<&PackagePath> {
        self.trees.iter().find(|tree| path.is_below(tree))
    }
}

/// The search paths that a file brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paths {
    /// `DT_RPATH`; none when there is a `DT_RUNPATH`.
    pub rpath: Vec<Place>,
    /// `DT_RUNPATH`.
    pub runpath: Vec<Place>,
    /// Whether there is a `DT_RUNPATH`, be it empty.
    pub has_runpath: bool,
    /// The directories that its build linked from, where no loader looks.
    pub linked: Vec<Place>,
}

impl Paths {
    /// The search paths of the file at `location`.
    pub(crate) fn of(facts: &ElfFacts, location: &Location, around: Around<'_>) -> Self {
        let list = |entries: &[String], tag: &str| match entries.last() {
            Some(list) => places(list, &format!("{tag} of {location}"), location, around),
            None => Vec::new(),
        };
        let has_runpath = !facts.runpath.is_empty();
        let rpath = match (around.env.target.libc, has_runpath) {
            (Libc::Android, _) | (_, true) => Vec::new(),
            _ => list(&facts.rpath, "RPATH"),
        };
        Paths { rpath, runpath: list(&facts.runpath, "RUNPATH"), has_runpath, linked: Vec::new() }
    }

    /// Whether it leads anywhere.
    pub(crate) fn is_some(&self) -> bool {
        !(self.rpath.is_empty() && self.runpath.is_empty() && self.linked.is_empty())
    }

    /// Adds the directories that the file's build linked from.
    pub(crate) fn link_from(&mut self, dirs: &[PathBuf], location: &Location) {
        let rule = format!("{} {}", super::LINKED, location.file_name());
        self.linked = dirs.iter().map(|dir| Place::new(Location::Host(dir.clone()), rule.clone())).collect();
    }
}

/// The places that the entries of `list` lead to from the file at `location`.
fn places(list: &str, rule: &str, location: &Location, around: Around<'_>) -> Vec<Place> {
    let musl = around.env.target.libc == Libc::Musl;
    if musl && !musl_takes(list) {
        return Vec::new();
    }
    let separators: &[char] = if musl { &[':', '\n'] } else { &[':'] };
    let mut places: Vec<Place> = Vec::new();
    for entry in list.split(separators).filter(|entry| !entry.is_empty()) {
        let Some(dir) = directory(entry, location, around) else { continue };
        if !places.iter().any(|place| place.dir == dir) {
            places.push(Place { dir, rule: rule.to_owned() });
        }
    }
    places
}

/// musl knows no token but `$ORIGIN` and ignores a whole list that has another.
fn musl_takes(list: &str) -> bool {
    list.match_indices('$').all(|(at, _)| {
        list.get(at..).is_some_and(|text| text.starts_with("$ORIGIN") || text.starts_with("${ORIGIN}"))
    })
}

/// The path `text` (an entry of a search path, or a need with a slash) of the file at `location`. `None` when a token
/// has no value.
pub(super) fn directory(
    text: &str,
    location: &Location,
    around: Around<'_>,
) -> Option<Result<Location, (String, &'static str)>> {
    let Around { env, files, .. } = around;
    let expand = |text: &str, origin: Option<&str>| tokens::expand(text, origin, &env.lib, &env.platform);
    let nowhere = |why| Some(Err((text.to_owned(), why)));
    match (tokens::after_origin(text), location) {
        (Some(rest), Location::Package(path)) => {
            let relative = format!("{}{}", path.parent(), expand(rest, None)?);
            match PackagePath::root().resolve(&relative) {
                Some(dir) if around.tree(&dir) != around.tree(path) => nowhere("is installed elsewhere"),
                Some(dir) => Some(Ok(Location::Package(dir))),
                None => nowhere("leads out of the package"),
            }
        }
        (Some(rest), Location::Host(path)) => {
            let mut dir = path.parent().map(PathBuf::from).unwrap_or_default().into_os_string();
            let origin = dir.to_string_lossy().into_owned();
            dir.push(expand(rest, Some(&origin))?);
            Some(Ok(Location::Host(dir.into())))
        }
        (None, _) => {
            let origin = match location {
                Location::Host(path) => files.target_path(path).parent().map(|dir| dir.display().to_string()),
                Location::Package(_) => None,
            };
            let expanded = expand(text, origin.as_deref())?;
            if !expanded.starts_with('/') {
                return nowhere("relative to the working directory");
            }
            if env.target.libc == Libc::Android {
                return nowhere("a path of the host");
            }
            Some(Ok(Location::Host(files.in_sysroot(&expanded))))
        }
    }
}
