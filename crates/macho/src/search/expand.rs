//! What a name in a load command stands for: `expandAtLoaderPath` and its like in dyld's `Loader.cpp`.

use std::path::PathBuf;

use spokeshave_core::{Files, Location, PackagePath};

/// A file to look at, and the rule that leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file; or the name as it is written and why it leads nowhere.
    pub at: Result<Location, (String, &'static str)>,
    /// The rule.
    pub rule: String,
    /// Whether an `LC_RPATH` of another file than the importer, or the program's place, leads there.
    pub by_load: bool,
}

impl Place {
    /// Whether it is in the package.
    pub(crate) fn in_package(&self) -> bool {
        matches!(self.at, Ok(Location::Package(_)))
    }
}

/// One file of the loading chain.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    /// Where it really is.
    pub real: &'a Location,
    /// The `LC_RPATH`s of the slice that is loaded.
    pub rpaths: &'a [String],
}

/// What paths are followed in.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// The package and the host.
    pub files: &'a Files,
    /// The directories of the package that are installed apart from the rest ([`spokeshave_core::Artifact::tree`]).
    pub trees: &'a [PackagePath],
    /// The program's directory, if it is known.
    pub executable: Option<&'a Location>,
}

impl Around<'_> {
    /// The tree that a path of the package is installed with; `None` for the package's root.
    fn tree(&self, path: &PackagePath) -> Option<&PackagePath> {
        self.trees.iter().find(|tree| path.is_below(tree))
    }

    /// The path `rest` from the directory `dir`; `written` is shown when it leads nowhere.
    fn below(&self, dir: &Location, rest: &str, written: &str) -> Result<Location, (String, &'static str)> {
        match dir {
            Location::Package(dir) => match dir.resolve(rest) {
                Some(path) if self.tree(&path) != self.tree(dir) => {
                    Err((written.to_owned(), "is installed elsewhere"))
                }
                Some(path) => Ok(Location::Package(path)),
                None => Err((written.to_owned(), "leads out of the package")),
            },
            Location::Host(dir) => Ok(Location::Host(dir.join(rest.trim_start_matches('/')))),
        }
    }

    /// A path that may begin with `@loader_path` or `@executable_path`, as the file at `real` writes it.
    fn path(&self, written: &str, real: &Location) -> Result<Location, (String, &'static str)> {
        if let Some(rest) = after("@loader_path", written) {
            return self.below(&real.parent(), rest, written);
        }
        if let Some(rest) = after("@executable_path", written) {
            return match self.executable {
                Some(dir) => self.below(dir, rest, written),
                None => Err((
                    written.to_owned(),
                    "the program that loads it is not known (name its directory with --executable-path)",
                )),
            };
        }
        if written.starts_with('/') {
            return Ok(Location::Host(self.files.in_sysroot(written)));
        }
        Err((written.to_owned(), "relative to the working directory"))
    }
}

/// What follows `prefix` in `text`, when it ends there or a slash follows.
fn after<'a>(prefix: &str, text: &'a str) -> Option<&'a str> {
    text.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The files that `name` stands for, in dyld's order. `chain` is the importer, the file that loaded it, and so on to
/// the root of the load.
pub(crate) fn expand(name: &str, chain: &[Frame<'_>], around: Around<'_>) -> Vec<Place> {
    let Some(importer) = chain.first() else { return Vec::new() };
    let Some(rest) = name.strip_prefix("@rpath/") else {
        let by_load = name.starts_with("@executable_path");
        let rule = "path in the load command".to_owned();
        return vec![Place { at: around.path(name, importer.real), rule, by_load }];
    };
    let mut places = Vec::new();
    for (depth, frame) in chain.iter().enumerate() {
        for rpath in frame.rpaths {
            let at = around.path(rpath, frame.real).and_then(|dir| around.below(&dir, rest, rpath));
            places.push(Place {
                at,
                rule: format!("LC_RPATH {rpath} of {}", frame.real),
                by_load: depth > 0 || rpath.starts_with("@executable_path"),
            });
        }
    }
    if places.is_empty() {
        let why = "no file of the loading chain has an LC_RPATH";
        places.push(Place { at: Err((name.to_owned(), why)), rule: "LC_RPATH".to_owned(), by_load: true });
    }
    places
}

/// Where the `LC_RPATH` or name `written` of the file at `path` leads inside the package, if it begins with
/// `@loader_path` and does.
pub(crate) fn leads_inside(written: &str, path: &PackagePath) -> Option<PackagePath> {
    path.parent().resolve(after("@loader_path", written)?)
}

/// `name` in `dir`.
pub(super) fn in_dir(dir: &std::path::Path, name: &str) -> PathBuf {
    dir.join(name.trim_start_matches('/'))
}
