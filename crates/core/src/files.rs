//! All the I/O a backend has: read, list and real path, over the package first and then the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::{ByteSource, Bytes, HostFile, PackagePath, Result};

/// A file or directory: in the package or on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// Below the package's root.
    Package(PackagePath),
    /// On the host, as a path that can be opened (the sysroot is part of it).
    Host(PathBuf),
}

impl Location {
    /// The directory that holds it.
    pub fn parent(&self) -> Location {
        match self {
            Location::Package(path) => Location::Package(path.parent()),
            Location::Host(path) => Location::Host(path.parent().map(Path::to_path_buf).unwrap_or_default()),
        }
    }

    /// The last component.
    pub fn file_name(&self) -> String {
        match self {
            Location::Package(path) => path.file_name().to_owned(),
            Location::Host(path) => {
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Package(path) => write!(f, "{path}"),
            Location::Host(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What makes two locations one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileId {
    /// A member of the package, and how often it was replaced.
    Package(PackagePath, u32),
    /// Device and inode on the host.
    Inode(u64, u64),
    /// The real path, on hosts without inodes.
    Path(PathBuf),
}

/// A regular file that was found.
#[derive(Clone)]
pub struct Found {
    /// What makes it the same as another.
    pub id: FileId,
    /// Where it really is, symbolic links followed.
    pub real: Location,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
}

/// A read-only view of the package's members and of the host under the sysroot.
#[derive(Clone, Default)]
pub struct Files {
    members: BTreeMap<PackagePath, Member>,
    directories: BTreeSet<PackagePath>,
    sysroot: Option<PathBuf>,
    built: Vec<PathBuf>,
}

#[derive(Clone)]
struct Member {
    real: PackagePath,
    source: Arc<dyn ByteSource>,
    mode: u32,
    revision: u32,
}

const MAX_LINKS: usize = 40;

impl Files {
    /// A view of no package and of the host under `sysroot` (the host itself when `None`).
    pub fn new(sysroot: Option<PathBuf>) -> Self {
        Files { sysroot, ..Files::default() }
    }

    /// Says that a build may write below these directories, so that what lies there is read and not mapped.
    pub fn built_in(&mut self, dirs: &[PathBuf]) {
        for dir in dirs {
            self.built.extend(dir.canonicalize());
            self.built.push(dir.clone());
        }
        self.built.sort();
        self.built.dedup();
    }

    /// Adds a member of the package with its permission bits, or puts it in the place of the one at that path.
    pub fn insert(&mut self, path: PackagePath, source: Arc<dyn ByteSource>, mode: u32) {
        let mut dir = path.parent();
        while self.directories.insert(dir.clone()) && dir != PackagePath::root() {
            dir = dir.parent();
        }
        let revision = self.members.get(&path).map_or(0, |old| old.revision + 1);
        self.members.insert(path.clone(), Member { real: path, source, mode, revision });
    }

    /// Adds a symbolic link of the package to a member that is there; a link that leads nowhere is nothing.
    pub fn link(&mut self, path: PackagePath, target: &PackagePath) {
        if let Some(member) = self.members.get(target).cloned() {
            self.insert(path.clone(), member.source.clone(), member.mode);
            self.members.insert(path, member);
        }
    }

    /// The members' paths, sorted.
    pub fn members(&self) -> impl Iterator<Item = &PackagePath> {
        self.members.keys()
    }

    /// The sysroot, if one was given.
    pub fn sysroot(&self) -> Option<&Path> {
        self.sysroot.as_deref()
    }

    /// The host path of `/usr/lib` of the target: below the sysroot.
    pub fn in_sysroot(&self, target: &str) -> PathBuf {
        match &self.sysroot {
            Some(root) => root.join(target.trim_start_matches('/')),
            None => PathBuf::from(target),
        }
    }

    /// The path of the target that a host path stands for: `/usr/lib/x` of `SYSROOT/usr/lib/x`.
    pub fn target_path(&self, host: &Path) -> PathBuf {
        match self.sysroot.as_deref().and_then(|root| host.strip_prefix(root).ok()) {
            Some(rest) => Path::new("/").join(rest),
            None => host.to_path_buf(),
        }
    }

    /// The regular file at `at`, symbolic links followed; `None` when there is none.
    pub fn find(&self, at: &Location) -> Option<Found> {
        match at {
            Location::Package(path) => {
                let member = self.members.get(path)?;
                Some(Found {
                    id: FileId::Package(member.real.clone(), member.revision),
                    real: Location::Package(member.real.clone()),
                    source: member.source.clone(),
                    mode: member.mode,
                })
            }
            Location::Host(path) => {
                let real = self.real_path(path)?;
                let meta = fs_err::metadata(&real).ok().filter(|m| m.is_file())?;
                let (id, mode) = identity(&meta, &real);
                let built = self.built.iter().any(|dir| path.starts_with(dir) || real.starts_with(dir));
                Some(Found {
                    id,
                    real: Location::Host(real.clone()),
                    source: Arc::new(HostFile {
                        path: real,
                        size: meta.len(),
                        modified: meta.modified().ok(),
                        built,
                    }),
                    mode,
                })
            }
        }
    }

    /// The bytes of the regular file at `at`; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn read(&self, at: &Location) -> Result<Option<Bytes>> {
        self.find(at).map(|found| found.source.open()).transpose()
    }

    /// Whether `at` is a directory.
    pub fn is_dir(&self, at: &Location) -> bool {
        match at {
            Location::Package(path) => self.directories.contains(path),
            Location::Host(path) => self.real_path(path).is_some_and(|p| p.is_dir()),
        }
    }

    /// The names in a directory, sorted; none when it is no directory.
    pub fn list(&self, dir: &Location) -> Vec<String> {
        let mut names: Vec<String> = match dir {
            Location::Package(dir) => {
                let children =
                    self.members.keys().chain(&self.directories).filter(|p| !p.as_str().is_empty());
                children.filter(|p| p.parent() == *dir).map(|p| p.file_name().to_owned()).collect()
            }
            Location::Host(dir) => {
                let entries = self.real_path(dir).and_then(|d| fs_err::read_dir(d).ok());
                let entries = entries.into_iter().flatten().flatten();
                entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
            }
        };
        names.sort();
        names.dedup();
        names
    }

    /// The real path of a host path; links of a sysroot are followed inside it, as after `chroot`.
    pub fn real_path(&self, path: &Path) -> Option<PathBuf> {
        let Some(root) = self.sysroot.as_deref() else { return path.canonicalize().ok() };
        let Ok(rest) = path.strip_prefix(root) else { return path.canonicalize().ok() };
        let mut pending: Vec<PathBuf> = vec![rest.to_path_buf()];
        let mut real = root.to_path_buf();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            let mut components = part.components();
            let Some(first) = components.next() else { continue };
            pending.push(components.as_path().to_path_buf());
            match first {
                Component::RootDir | Component::Prefix(_) => real = root.to_path_buf(),
                Component::CurDir => {}
                Component::ParentDir => {
                    if real != root {
                        real.pop();
                    }
                }
                Component::Normal(name) => {
                    let next = real.join(name);
                    if fs_err::symlink_metadata(&next).ok()?.is_symlink() {
                        links += 1;
                        if links > MAX_LINKS {
                            return None;
                        }
                        pending.push(fs_err::read_link(&next).ok()?);
                    } else {
                        real = next;
                    }
                }
            }
        }
        Some(real)
    }
}

#[cfg(unix)]
fn identity(meta: &std::fs::Metadata, _real: &Path) -> (FileId, u32) {
    use std::os::unix::fs::MetadataExt as _;
    (FileId::Inode(meta.dev(), meta.ino()), meta.mode() & 0o7777)
}

#[cfg(not(unix))]
fn identity(_meta: &std::fs::Metadata, real: &Path) -> (FileId, u32) {
    (FileId::Path(real.to_path_buf()), 0o755)
}
