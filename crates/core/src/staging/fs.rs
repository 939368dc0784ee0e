//! Every file-system call of staging goes through here, so that tests can make any of them fail.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The calls; each is one point at which a run may fail or be killed.
pub(super) trait Fs: Send + Sync + std::fmt::Debug {
    /// The path with symbolic links followed.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;
    /// What is at a path; a symbolic link is not followed.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// What a descriptor leads to; `path` is where it was opened.
    fn fstat(&self, file: &File, path: &Path) -> io::Result<Stat>;
    /// Opens a file or directory for reading; a symbolic link is not followed.
    fn open(&self, path: &Path) -> io::Result<File>;
    /// The first `len` bytes, whatever the descriptor's position.
    fn read(&self, file: &File, len: u64) -> io::Result<Vec<u8>>;
    /// Locks it exclusively if no other descriptor has it locked.
    fn try_lock(&self, file: &File) -> io::Result<bool>;
    /// Waits for that.
    fn lock(&self, file: &File) -> io::Result<()>;
    fn unlock(&self, file: &File) -> io::Result<()>;
    /// Makes `to` a further name of the file `from`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// A new file in `dir` that has no name, readable and writable by its owner.
    fn nameless(&self, dir: &Path) -> io::Result<File>;
    /// Gives a file without a name its first one.
    fn name(&self, file: &File, to: &Path) -> io::Result<()>;
    /// A new file, readable and writable by its owner.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Makes the empty file `to` share the blocks of `from`.
    fn reflink(&self, from: &File, to: &File) -> io::Result<()>;
    /// Copies exactly the first `len` bytes into the empty file `to`.
    fn copy(&self, from: &File, to: &File, len: u64) -> io::Result<()>;
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    fn set_mode(&self, file: &File, mode: u32) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Makes a directory with what the umask leaves of `mode`.
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()>;
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    /// Gives a file or directory another name. An empty directory at `to` is replaced by a directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Lets two directories change places in one step; [`io::ErrorKind::Unsupported`] where that can't be had.
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()>;
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Dir,
    Other,
}

/// What staging wants to know of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    pub kind: Kind,
    pub identity: Identity,
    /// Whether it belongs to the user that runs this.
    pub ours: bool,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub inode: Inode,
    pub size: u64,
    /// Seconds and nanoseconds since the epoch.
    pub mtime: (i64, i64),
    pub mode: u32,
}

/// Device and inode; their order is the order in which origins are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inode {
    pub device: u64,
    pub number: u64,
}

impl Stat {
    #[cfg(unix)]
    pub fn new(meta: &Metadata, _path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Stat {
            kind: kind(meta),
            identity: Identity {
                inode: Inode { device: meta.dev(), number: meta.ino() },
                size: meta.len(),
                mtime: (meta.mtime(), meta.mtime_nsec()),
                mode: meta.mode() & 0o7777,
            },
            ours: meta.uid() == rustix::process::geteuid().as_raw(),
        }
    }

    /// Hosts without inodes: the path stands for them.
    #[cfg(not(unix))]
    pub fn new(meta: &Metadata, path: &Path) -> Self {
        use std::hash::{Hash as _, Hasher as _};
        let mut number = std::hash::DefaultHasher::new();
        path.hash(&mut number);
        let since = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let mtime = since.map_or((0, 0), |time| {
            (i64::try_from(time.as_secs()).unwrap_or(i64::MAX), i64::from(time.subsec_nanos()))
        });
        let inode = Inode { device: 0, number: number.finish() };
        let mode = if meta.permissions().readonly() { 0o555 } else { 0o755 };
        Stat { kind: kind(meta), identity: Identity { inode, size: meta.len(), mtime, mode }, ours: true }
    }
}

fn kind(meta: &Metadata) -> Kind {
    match () {
        () if meta.is_file() => Kind::File,
        () if meta.is_dir() => Kind::Dir,
        () => Kind::Other,
    }
}
