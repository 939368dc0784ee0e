//! What every package database comes down to: packages, and an index from paths to them.

use std::hash::{DefaultHasher, Hasher as _};

use super::PackageOwner;
use super::distro::Distro;
use super::purl::purl;
use crate::{Bytes, Files, Location};

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Package {
    /// The package manager, as package URLs name it.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// Without rpm's epoch.
    pub(super) version: String,
    /// rpm's epoch; empty when it has none (the others write it into the version).
    pub(super) epoch: String,
    pub(super) arch: String,
    /// What it was built from, as scanners expect it in the `upstream` qualifier; empty when unknown.
    pub(super) upstream: String,
    /// Empty when the database has none.
    pub(super) license: String,
    /// Of a manager that belongs to no distribution: the namespace of its package URLs and their further qualifiers.
    pub(super) own: Option<(String, Vec<(&'static str, String)>)>,
}

impl Package {
    /// The package as the public sees it.
    pub(super) fn describe(&self, distro: &Distro) -> PackageOwner {
        let Package { kind, name, version, epoch, arch, upstream, license, own } = self;
        let (namespace, on) = match own {
            Some((namespace, _)) => (&**namespace, String::new()),
            None => (distro.vendor(), distro.qualifier()),
        };
        let upstream = if upstream == name { "" } else { upstream };
        let mut qualifiers =
            vec![("arch", &**arch), ("distro", &on), ("epoch", epoch), ("upstream", upstream)];
        qualifiers.extend(own.iter().flat_map(|(_, more)| more).map(|(key, value)| (*key, &**value)));
        PackageOwner {
            name: name.clone(),
            version: if epoch.is_empty() { version.clone() } else { format!("{epoch}:{version}") },
            arch: arch.clone(),
            purl: purl(kind, namespace, name, version, &qualifiers),
            license: Some(license.clone()).filter(|text| !text.is_empty()),
        }
    }
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

    fn package(&self, path: &[u8]) -> Option<usize> {
        let wanted = hash(&[path]);
        let first = self.0.partition_point(|(hash, _)| *hash < wanted);
        self.0.get(first).filter(|(hash, _)| *hash == wanted).map(|(_, package)| *package as usize)
    }
}

/// A hash that is the same in every run.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.iter().for_each(|part| hasher.write(part));
    hasher.finish()
}

/// A package database below a sysroot.
pub(super) trait Database: Send + Sync {
    /// The package whose file has one of these absolute paths, which are one file's.
    fn owner(&self, paths: &[Vec<u8>]) -> Option<Package>;
}

/// A database that was read at once.
pub(super) struct Indexed {
    pub(super) packages: Vec<Package>,
    pub(super) index: PathIndex,
}

impl Database for Indexed {
    fn owner(&self, paths: &[Vec<u8>]) -> Option<Package> {
        let package = paths.iter().find_map(|path| self.index.package(path))?;
        self.packages.get(package).cloned()
    }
}

/// The bytes of the regular file at `path` of the target; `None` when there is none, or when it can't be read.
pub(super) fn read_file(files: &Files, path: &str) -> Option<Bytes> {
    files.read(&Location::Host(files.in_sysroot(path))).ok().flatten()
}
