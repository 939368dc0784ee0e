//! Where an installer puts a member (PEP 427, "The .data directory").

use crate::PackagePath;

/// The directory of the target that a member goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `site-packages`: purelib or platlib as `Root-Is-Purelib` says.
    Root,
    /// `site-packages` for binaries.
    Platlib,
    /// `site-packages` for pure Python; the same directory but on a few systems.
    Purelib,
    /// Beside the interpreter.
    Scripts,
    /// Below the interpreter's prefix.
    Data,
    /// Beside Python's own headers.
    Headers,
    /// A `.data` subdirectory that no installer knows.
    Unknown,
}

/// Where a member will be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The directory that [`Installed::path`] is relative to.
    pub scheme: Scheme,
    /// The path below it.
    pub path: PackagePath,
}

impl Installed {
    /// Whether Python imports from there.
    pub fn is_library(&self) -> bool {
        matches!(self.scheme, Scheme::Root | Scheme::Platlib | Scheme::Purelib)
    }
}

/// Where the member `path` of a wheel will be installed. As in pip, any directory `*.data` at the root counts.
pub fn install_path(path: &PackagePath) -> Installed {
    let parts: Vec<&str> = path.components().collect();
    let stays = |scheme| Installed { scheme, path: path.clone() };
    let [data, key, rest @ ..] = parts.as_slice() else { return stays(Scheme::Root) };
    if !data.ends_with(".data") {
        return stays(Scheme::Root);
    }
    let scheme = match *key {
        "platlib" => Scheme::Platlib,
        "purelib" => Scheme::Purelib,
        "scripts" => Scheme::Scripts,
        "data" => Scheme::Data,
        "headers" => Scheme::Headers,
        _ => return stays(Scheme::Unknown),
    };
    match PackagePath::new(&rest.join("/")) {
        Ok(path) => Installed { scheme, path },
        Err(_) => Installed { scheme, path: PackagePath::root() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme() {
        for (member, scheme, installed) in [
            ("pkg/a.so", Scheme::Root, "pkg/a.so"),
            ("a.so", Scheme::Root, "a.so"),
            ("demo-1.0.data", Scheme::Root, "demo-1.0.data"),
            ("demo-1.0.data/platlib/pkg/a.so", Scheme::Platlib, "pkg/a.so"),
            ("demo-1.0.data/purelib/a.so", Scheme::Purelib, "a.so"),
            ("demo-1.0.data/scripts/tool", Scheme::Scripts, "tool"),
            ("demo-1.0.data/data/share/x", Scheme::Data, "share/x"),
            ("demo-1.0.data/headers/x.h", Scheme::Headers, "x.h"),
            ("demo-1.0.data/other/x", Scheme::Unknown, "demo-1.0.data/other/x"),
            ("demo-1.0.data/platlib", Scheme::Platlib, ""),
            ("pkg/x.data/platlib/a.so", Scheme::Root, "pkg/x.data/platlib/a.so"),
        ] {
            let found = install_path(&PackagePath::new(member).unwrap());
            assert_eq!((found.scheme, found.path.as_str()), (scheme, installed), "{member}");
        }
    }
}
