//! Paths inside a package: checked once, safe to join.

use std::fmt;

use crate::Error;

/// A relative path below the package's root, with `/` between components.
///
/// It never is absolute and never holds `.`, `..`, an empty component, a backslash, a colon-drive or a NUL,
/// so it can be joined to a directory without leaving it. The root itself is the empty path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
#[serde(transparent)]
pub struct PackagePath(String);

impl PackagePath {
    /// Checks `path`; a trailing slash is dropped.
    ///
    /// # Errors
    /// When a component would lead out of the package or can't be told apart on every host.
    pub fn new(path: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Err(Error::new(format!("unsafe path in package: {why}"))
                .at(path.escape_debug())
                .hint("nothing is extracted from such a package; build it again with a sound tool"))
        };
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        if trimmed.is_empty() {
            return refuse("empty name");
        }
        if trimmed.starts_with('/') {
            return refuse("absolute path");
        }
        if trimmed.contains(['\\', '\0']) {
            return refuse("backslash or NUL in the name");
        }
        for component in trimmed.split('/') {
            match component {
                "" | "." => return refuse("empty or `.` component"),
                ".." => return refuse("`..` climbs out"),
                drive
                    if drive.len() >= 2
                        && drive.as_bytes()[1] == b':'
                        && drive.as_bytes()[0].is_ascii_alphabetic() =>
                {
                    return refuse("drive letter");
                }
                _ => {}
            }
        }
        Ok(PackagePath(trimmed.to_owned()))
    }

    /// The package's root.
    pub fn root() -> Self {
        PackagePath::default()
    }

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The directory that holds it; the root's parent is the root.
    pub fn parent(&self) -> PackagePath {
        PackagePath(self.0.rsplit_once('/').map_or_else(String::new, |(dir, _)| dir.to_owned()))
    }

    /// The components, none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|c| !c.is_empty())
    }

    /// `self` followed by the checked relative path `name`.
    ///
    /// # Errors
    /// As [`PackagePath::new`].
    pub fn join(&self, name: &str) -> Result<PackagePath, Error> {
        let name = PackagePath::new(name)?;
        Ok(if self.0.is_empty() { name } else { PackagePath(format!("{}/{}", self.0, name.0)) })
    }

    /// Follows `relative`, in which `.` and `..` are allowed, from this directory; `None` when it climbs out
    /// of the package.
    pub fn resolve(&self, relative: &str) -> Option<PackagePath> {
        let mut parts: Vec<&str> = self.components().collect();
        for component in relative.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        let joined = parts.join("/");
        if joined.is_empty() { Some(PackagePath::root()) } else { PackagePath::new(&joined).ok() }
    }

    /// How to get from the directory `from` to `self`: `../demo.libs`, or `.` when they are the same.
    pub fn relative_from(&self, from: &PackagePath) -> String {
        let (to, from): (Vec<&str>, Vec<&str>) = (self.components().collect(), from.components().collect());
        let shared = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
        let mut parts = vec![".."; from.len() - shared];
        parts.extend(&to[shared..]);
        if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
    }

    /// Whether it lies below (or is) the directory `dir`.
    pub fn is_below(&self, dir: &PackagePath) -> bool {
        dir.0.is_empty()
            || self.0 == dir.0
            || self.0.strip_prefix(&dir.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_leads_out() {
        for bad in
            ["", "/", "/etc/passwd", "..", "a/../b", "a//b", "./a", "C:/x", "c:x", "a\\b", "a\0b", "a/c:x"]
        {
            assert!(PackagePath::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(PackagePath::new("a/b/").unwrap().as_str(), "a/b");
    }

    #[test]
    fn relative_paths() {
        let p = |s: &str| if s.is_empty() { PackagePath::root() } else { PackagePath::new(s).unwrap() };
        assert_eq!(p("demo.libs").relative_from(&p("pkg/sub")), "../../demo.libs");
        assert_eq!(p("demo.libs").relative_from(&p("")), "demo.libs");
        assert_eq!(p("demo.libs").relative_from(&p("demo.libs")), ".");
        assert_eq!(p("pkg/a").resolve("../../x.libs"), Some(p("x.libs")));
        assert_eq!(p("pkg").resolve("../.."), None);
    }
}
