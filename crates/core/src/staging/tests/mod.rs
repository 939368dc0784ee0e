//! Staging on a real directory.

mod faults;
mod faulty;
mod hold;
mod machine;
mod trees;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::PackagePath;

/// A build's output directory and a place for deliverables.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// `target/app` and `target/deps/app`, two names of one inode, written an hour ago.
    fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    /// In memory where the host has such a place: for tests of thousands of runs.
    fn quick() -> Self {
        Self::in_dir(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn in_dir(dir: tempfile::TempDir) -> Self {
        let place = Place { dir };
        fs_err::create_dir_all(place.path("target/deps")).unwrap();
        place.build("target/deps/app", b"as built", 0o755);
        fs_err::hard_link(place.path("target/deps/app"), place.path("target/app")).unwrap();
        place
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(relative)
    }

    fn build(&self, relative: &str, bytes: &[u8], mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(relative);
        fs_err::write(&path, bytes).unwrap();
        let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_permissions(PermissionsExt::from_mode(mode)).unwrap();
        let hour = std::time::Duration::from_secs(3600);
        file.file().set_modified(std::time::SystemTime::now() - hour).unwrap();
    }

    fn read(&self, relative: &str) -> Vec<u8> {
        fs_err::read(self.path(relative)).unwrap()
    }

    fn mode(&self, relative: &str) -> u32 {
        fs_err::metadata(self.path(relative)).unwrap().mode() & 0o7777
    }

    /// The part of the listing that is below `relative`.
    fn below(&self, relative: &str) -> Vec<String> {
        let prefix = self.path(relative).display().to_string();
        self.listing().into_iter().filter(|line| line.starts_with(&prefix)).collect()
    }

    /// Every file and directory below, with what must not change of it.
    fn listing(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.path(""), &mut found);
        found
    }
}

fn list(dir: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let meta = fs_err::symlink_metadata(&path).unwrap();
        let name = path.display();
        if meta.is_dir() {
            found.push(format!("{name}/ {:o}", meta.mode()));
            list(&path, found);
        } else {
            let (mode, links, inode) = (meta.mode(), meta.nlink(), meta.ino());
            let bytes = fs_err::read(&path).unwrap_or_default();
            found.push(format!(
                "{name} {mode:o} {links} {inode} {}.{} {bytes:?}",
                meta.mtime(),
                meta.mtime_nsec()
            ));
        }
    }
}

fn at(path: &str) -> PackagePath {
    PackagePath::new(path).unwrap()
}
