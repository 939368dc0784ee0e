//! What stands in a directory, to the last bit that a run could change.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file, directory or link.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Type and permission bits.
    pub mode: u32,
    /// Inode number, of a file only.
    pub inode: u64,
    /// Hard links, of a file only.
    pub links: u64,
    /// Modification time in nanoseconds, of a file only.
    pub mtime: i128,
    /// Extended attributes `user.*`.
    pub attributes: Vec<(String, Vec<u8>)>,
    /// A file's bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { mode, inode, links, mtime, attributes, bytes } = self;
        let sum: u64 =
            bytes.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        write!(
            f,
            "{mode:o} inode {inode} links {links} mtime {mtime} {attributes:?} {} bytes ({sum:x})",
            bytes.len()
        )
    }
}

/// All below a directory, by path relative to it.
pub type Snapshot = BTreeMap<PathBuf, Entry>;

/// What stands below `dir`, hidden files too; empty when it is not there.
#[track_caller]
pub fn snapshot(dir: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    if dir.exists() {
        walk(dir, dir, &mut found);
    }
    found
}

/// Paths, modes and bytes: what a deliverable is judged by.
pub fn contents(snapshot: &Snapshot) -> BTreeMap<PathBuf, (u32, &[u8])> {
    snapshot.iter().map(|(path, entry)| (path.clone(), (entry.mode, &entry.bytes[..]))).collect()
}

/// The state of one file.
#[track_caller]
pub fn entry(path: &Path) -> Entry {
    let meta = fs_err::symlink_metadata(path).unwrap();
    let mtime = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    let file = meta.is_file();
    Entry {
        mode: meta.mode(),
        inode: if file { meta.ino() } else { 0 },
        links: if file { meta.nlink() } else { 0 },
        mtime: if file { mtime } else { 0 },
        attributes: if file { attributes(path) } else { Vec::new() },
        bytes: if file { fs_err::read(path).unwrap() } else { Vec::new() },
    }
}

fn walk(root: &Path, dir: &Path, found: &mut Snapshot) {
    for item in fs_err::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let entry = entry(&path);
        let directory = entry.mode & 0o170_000 == 0o040_000;
        found.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
        if directory {
            walk(root, &path, found);
        }
    }
}

fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut names = Vec::with_capacity(4096);
    rustix::fs::listxattr(path, rustix::buffer::spare_capacity(&mut names)).unwrap();
    let names = String::from_utf8(names).unwrap();
    let mut found: Vec<_> = names
        .split_terminator('\0')
        .filter(|name| name.starts_with("user."))
        .map(|name| {
            let mut value = Vec::with_capacity(4096);
            rustix::fs::getxattr(path, name, rustix::buffer::spare_capacity(&mut value)).unwrap();
            (name.to_owned(), value)
        })
        .collect();
    found.sort();
    found
}

/// Gives a file an extended attribute `user.*`.
#[track_caller]
pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}
