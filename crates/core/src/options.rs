//! What the user asked for: the options that every backend understands, and those that backends declare.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{Error, PackagePath, Result};

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValue {
    /// Nothing: it is there or not.
    Flag,
    /// One value; the string names it in the help (`A:B`).
    One(&'static str),
    /// A value that may be repeated.
    Many(&'static str),
}

/// An option that a backend declares as data. Two backends may declare one name only with the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    /// The long name without dashes.
    pub name: &'static str,
    /// What it takes.
    pub value: OptionValue,
    /// The environment variable that stands in for it.
    pub env: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// The values given for the options that backends declare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionValues(BTreeMap<String, Vec<String>>);

impl OptionValues {
    /// Records one occurrence: a flag with an empty list, any other with its value.
    pub fn push(&mut self, name: &str, value: Option<String>) {
        self.0.entry(name.to_owned()).or_default().extend(value);
    }
    /// Whether the option was given.
    pub fn flag(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    /// The last value given.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.last().map(String::as_str)
    }
    /// All values given, in order.
    pub fn many(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Shell-style patterns (`fnmatch`): `*` also matches `/`, case matters.
#[derive(Debug, Clone, Default)]
pub struct Globs(Vec<Pattern>);

#[derive(Debug, Clone)]
struct Pattern {
    exact: globset::GlobMatcher,
    folded: globset::GlobMatcher,
}

impl Globs {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// When a pattern is not a glob.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        let compile = |pattern: S| {
            let pattern = pattern.as_ref();
            let matcher = |folded: bool| {
                let glob = globset::GlobBuilder::new(pattern).case_insensitive(folded).build()?;
                Ok(glob.compile_matcher())
            };
            let both = || Ok(Pattern { exact: matcher(false)?, folded: matcher(true)? });
            both().map_err(|error: globset::Error| {
                Error::new(format!("not a glob pattern: {}", error.kind()))
                    .at(pattern)
                    .hint("`*`, `?` and `[abc]` match as in a shell")
                    .into()
            })
        };
        patterns.into_iter().map(compile).collect::<Result<_>>().map(Globs)
    }

    /// These patterns and some names, which stand for themselves.
    ///
    /// # Errors
    /// When a name is too long for a pattern.
    pub fn with_names<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names = Globs::new(names.into_iter().map(|name| globset::escape(name.as_ref())))?;
        Ok(Globs(self.0.iter().cloned().chain(names.0).collect()))
    }

    /// Whether a pattern matches `name`, a soname, file name or path.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.exact.is_match(name))
    }

    /// Whether a pattern matches `name`, for a format whose names are the same when they differ only in case.
    pub fn matches_folded(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.folded.is_match(name))
    }
}

/// `--include LIB[=DEST]`: a library to carry that is only opened at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// A name to search as the loader would, or a path (it holds a `/`).
    pub lib: String,
    /// The directory in the package to put it in; the libraries' directory when `None`.
    pub dest: Option<PackagePath>,
}

impl std::str::FromStr for Include {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let (lib, dest) = match text.split_once('=') {
            Some((lib, dest)) => (lib, Some(PackagePath::new(dest)?)),
            None => (text, None),
        };
        if lib.is_empty() {
            return Err(Error::new("no library named")
                .at(text)
                .hint("write --include LIB or --include LIB=DEST"));
        }
        Ok(Include { lib: lib.to_owned(), dest })
    }
}

/// The options that every backend understands.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--plat`: the platform tag asked for; `None` is `auto`.
    pub plat: Option<String>,
    /// `--exclude`: libraries that stay outside, by soname, file name or real path.
    pub exclude: Globs,
    /// `--include`.
    pub include: Vec<Include>,
    /// `--mangle-included`: included libraries get a hashed name too.
    pub mangle_included: bool,
    /// `--no-mangle`: carried libraries that keep their name, by soname or file name.
    pub no_mangle: Globs,
    /// `--lib-dir`: searched before everything else.
    pub lib_dirs: Vec<PathBuf>,
    /// `--sysroot`: the target's root directory; the host's own when `None`.
    pub sysroot: Option<PathBuf>,
    /// `--strip`: drop what no loader needs.
    pub strip: bool,
    /// The options that backends declare.
    pub backend: OptionValues,
}
