//! What every package database comes down to: packages, and an index from paths to them.

use std::hash::{DefaultHasher, Hasher as _};

use super::PackageOwner;
use super::distro::Distro;
use super::purl::purl;
use crate::{Bytes, Files, Location};

/// A package manager, as package URLs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Deb,
    Apk,
    Rpm,
}

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// Without rpm's epoch.
    pub(super) version: String,
    /// rpm's epoch; empty when it has none (the others write it into the version).
    pub(super) epoch: String,
    pub(super) arch: String,
    /// What it was built from, as scanners expect it in the `upstream` qualifier; empty when that is its own name.
    pub(super) upstream: String,
    /// Empty when the database has none.
    pub(super) license: String,
}

/// Which packages list a path: hash of the path and index of the package.
///
/// Only hashes are kept: a system has some 10^5 files, so that two of them share one of 2^64 is not to be expected,
/// and who writes a database to make it happen could name the path in it as well.
#[derive(Debug, Default)]
pub(super) struct PathIndex(Vec<(u64, u32)>);

impl PathIndex {
    /// Notes that `package` lists the absolute path made of `parts`.
    pub(super) fn insert(&mut self, parts: &[&[u8]], package: usize) {
        if let Ok(package) = u32::try_from(package) {
            self.0.push((hash(parts), package));
        }
    }

    /// To be called once, after the last [`PathIndex::insert`].
    pub(super) fn finish(mut self) -> Self {
        self.0.sort_unstable();
        self.0.shrink_to_fit();
        self
    }

    fn packages(&self, path: &[u8]) -> impl Iterator<Item = usize> {
        let wanted = hash(&[path]);
        let start = self.0.partition_point(|(hash, _)| *hash < wanted);
        let found = self.0.get(start..).unwrap_or_default();
        found.iter().take_while(move |(hash, _)| *hash == wanted).map(|(_, package)| *package as usize)
    }
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish()
}

/// A file that a package brings but that lies elsewhere, because another package (or the administrator) has put its
/// own in that place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diversion {
    /// The place that packages name.
    pub(super) from: Vec<u8>,
    /// Where the others' files go instead.
    pub(super) to: Vec<u8>,
    /// The package whose own file stays at `from`; `:` for the administrator.
    pub(super) by: String,
}

/// A package database that was read.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) kind: Kind,
    pub(super) packages: Vec<Package>,
    pub(super) index: PathIndex,
    pub(super) diversions: Vec<Diversion>,
}

impl Database {
    /// The package whose file lies at the absolute path `path`.
    pub(super) fn owner(&self, path: &[u8]) -> Option<&Package> {
        let listed = |path| self.index.packages(path).filter_map(|package| self.packages.get(package));
        if let Some(diversion) = self.diversions.iter().find(|d| d.to == path) {
            return listed(&diversion.from).find(|package| package.name != diversion.by);
        }
        if let Some(diversion) = self.diversions.iter().find(|d| d.from == path) {
            return listed(path).find(|package| package.name == diversion.by);
        }
        listed(path).next()
    }

    /// The package as the public sees it.
    pub(super) fn describe(&self, package: &Package, distro: &Distro) -> PackageOwner {
        let Package { name, version, epoch, arch, upstream, license } = package;
        let kind = match self.kind {
            Kind::Deb => "deb",
            Kind::Apk => "apk",
            Kind::Rpm => "rpm",
        };
        let on = distro.qualifier();
        let upstream = if upstream == name { "" } else { upstream };
        let qualifiers = [("arch", &**arch), ("distro", &on), ("epoch", epoch), ("upstream", upstream)];
        PackageOwner {
            name: name.clone(),
            version: if epoch.is_empty() { version.clone() } else { format!("{epoch}:{version}") },
            arch: arch.clone(),
            purl: purl(kind, distro.vendor(), name, version, &qualifiers),
            license: Some(license.clone()).filter(|text| !text.is_empty()),
        }
    }
}

/// The bytes of the regular file at `path` of the target; `None` when there is none, or when it can't be read.
pub(super) fn read_file(files: &Files, path: &str) -> Option<Bytes> {
    files.read(&Location::Host(files.in_sysroot(path))).ok().flatten()
}
