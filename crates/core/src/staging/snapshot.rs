//! The bytes of an origin as they were when it was staged.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::fs::{Fs, Identity};
use crate::{ByteSource, Bytes, Error, Result};

/// A descriptor on the origin's inode, and a file of our own with its bytes if there is one.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub fs: Arc<dyn Fs>,
    /// Where it was opened.
    pub path: PathBuf,
    pub file: File,
    pub identity: Identity,
    pub private: Option<File>,
}

impl Snapshot {
    /// Whether the inode is as it was.
    pub fn unchanged(&self) -> io::Result<bool> {
        Ok(self.fs.fstat(&self.file, &self.path)?.identity == self.identity)
    }

    /// Fills the empty file `to`.
    pub fn copy_to(&self, to: &File) -> io::Result<()> {
        let from = self.private.as_ref().unwrap_or(&self.file);
        fill(&*self.fs, from, to, self.identity.size)
    }
}

/// Fills the empty file `to` with the first `len` bytes of `from`: shared blocks, else a copy.
pub(super) fn fill(fs: &dyn Fs, from: &File, to: &File, len: u64) -> io::Result<()> {
    fs.reflink(from, to).or_else(|_| fs.copy(from, to, len))
}

impl ByteSource for Snapshot {
    fn size(&self) -> u64 {
        self.identity.size
    }

    /// Reads, since a build may truncate its output at any time; a file of our own is mapped.
    fn open(&self) -> Result<Bytes> {
        if let Some(private) = &self.private {
            let private = private.try_clone().map_err(|error| unreadable(self, &error))?;
            return Bytes::map_file(&fs_err::File::from_parts(private, &self.path));
        }
        let read = self.fs.read(&self.file, self.identity.size);
        match read {
            Ok(bytes) if self.unchanged().map_err(|error| unreadable(self, &error))? => {
                Ok(Bytes::from(bytes))
            }
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(unreadable(self, &error)),
            _ => Err(changed("while it was read").at(self.path.display()).into()),
        }
    }
}

fn unreadable(snapshot: &Snapshot, error: &io::Error) -> anyhow::Error {
    Error::new(format!("can't be read: {error}")).at(snapshot.path.display()).into()
}

/// The error for an origin that is not what was staged.
pub(super) fn changed(during: &str) -> Error {
    Error::new(format!("changed {during}")).hint("let the build finish, then run this again")
}
