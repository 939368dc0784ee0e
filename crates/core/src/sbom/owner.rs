//! Which package of the host owns a file.

use std::path::{Component, Path};
use std::sync::OnceLock;

use super::database::Database;
use super::distro::Distro;
use super::{apk, conda, dpkg, homebrew, rpm};
use crate::Files;

/// The package that owns a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageOwner {
    /// Its name: `libcurl4`.
    pub name: String,
    /// Its full version, epoch included: `7.88.1-10+deb12u5`.
    pub version: String,
    /// Its architecture, as the database writes it.
    pub arch: String,
    /// Its package URL: `pkg:deb/debian/libcurl4@7.88.1-10?arch=amd64&distro=debian-12`.
    pub purl: String,
    /// Its licence as the database writes it, if it does.
    pub license: Option<String>,
}

/// The package databases below a sysroot: dpkg's, rpm's and apk's, conda's environments and Homebrew's Cellars. What is read of them is read once, when a
/// question needs it.
pub struct PackageDb {
    files: Files,
    distro: Distro,
    databases: OnceLock<Vec<Box<dyn Database>>>,
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
}

impl PackageDb {
    /// The databases of `sysroot` (the host's own when `None`). Nothing is read of them yet.
    pub fn open(sysroot: Option<&Path>) -> PackageDb {
        let files = Files::new(sysroot.map(Path::to_path_buf));
        let distro = Distro::read(&files);
        let aliases = aliases(&files);
        PackageDb { files, distro, databases: OnceLock::new(), aliases }
    }

    /// The package that owns the file at the host path `path` (the sysroot is part of it, links followed); `None`
    /// when no database knows it. Of a damaged database, what can't be read is not known.
    pub fn owner(&self, path: &Path) -> Option<PackageOwner> {
        let real = slashed(&self.files.target_path(path));
        let alias = |(link, dir): &(Vec<u8>, Vec<u8>)| {
            let rest = real.strip_prefix(&**dir).filter(|rest| rest.starts_with(b"/"))?;
            Some([link, rest].concat())
        };
        let mut names: Vec<_> = self.aliases.iter().filter_map(alias).collect();
        names.insert(0, real.clone());
        let databases = self.databases.get_or_init(|| {
            let databases = [dpkg::open(&self.files), rpm::read(&self.files), apk::read(&self.files)];
            let anywhere = [conda::open(&self.files), homebrew::open(&self.files)];
            databases.into_iter().flatten().chain(anywhere).collect()
        });
        Some(databases.iter().find_map(|db| db.owner(&names))?.describe(&self.distro))
    }
}

/// The directory links through which packages name files that really lie elsewhere, and where they lead: `/lib` and
/// `/usr/lib` since distributions merged the two.
fn aliases(files: &Files) -> Vec<(Vec<u8>, Vec<u8>)> {
    let links =
        ["/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/usr/lib32", "/usr/lib64", "/usr/sbin"];
    let resolve = |link: &&str| {
        let real = slashed(&files.target_path(&files.real_path(&files.in_sysroot(link))?));
        (real != link.as_bytes()).then(|| (link.as_bytes().to_vec(), real))
    };
    links.iter().filter_map(resolve).collect()
}

/// An absolute path as the databases write it, on every host.
fn slashed(path: &Path) -> Vec<u8> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.as_encoded_bytes()),
        _ => None,
    });
    names.fold(Vec::new(), |mut text, name| {
        text.push(b'/');
        text.extend(name);
        text
    })
}
