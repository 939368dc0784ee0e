//! Binaries to repair, and where their bytes come from.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Bytes, Location, PackagePath, Result};

/// Where bytes come from; opened only while they are used.
pub trait ByteSource: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;
    /// The bytes. May inflate a wheel's member or map a file, so hold the result no longer than needed.
    ///
    /// # Errors
    /// When the source can't be read or is damaged.
    fn open(&self) -> Result<Bytes>;
}

/// Bytes that are there already.
impl ByteSource for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn open(&self) -> Result<Bytes> {
        Ok(self.clone())
    }
}

/// A library on the host, mapped when opened.
#[derive(Debug, Clone)]
pub struct HostFile {
    /// Its real path.
    pub path: PathBuf,
    /// Its size in bytes when it was found.
    pub size: u64,
}

impl ByteSource for HostFile {
    fn size(&self) -> u64 {
        self.size
    }
    fn open(&self) -> Result<Bytes> {
        Bytes::map(&self.path)
    }
}

/// A build's output, read when opened: a build may write to it at any time.
#[derive(Debug, Clone)]
pub struct BuildOutput {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes when it was found.
    pub size: u64,
}

impl ByteSource for BuildOutput {
    fn size(&self) -> u64 {
        self.size
    }
    fn open(&self) -> Result<Bytes> {
        Bytes::read(&self.path)
    }
}

/// A binary to repair.
#[derive(Clone)]
pub struct Artifact {
    /// Where it will live in the installed package, from its root (for a wheel: `site-packages`).
    pub path: PackagePath,
    /// The directory of the package that is installed as one tree with it: a relative path leads from it only to what
    /// has the same. The root, but for a wheel's `.data/data` and the like, which installers put elsewhere.
    pub tree: PackagePath,
    /// Where it lies on the host while it is audited, if it is a plain build output; `None` for a wheel's member.
    pub origin: Option<PathBuf>,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
    /// Directories that its build linked from.
    pub linked_paths: Vec<PathBuf>,
}

impl Artifact {
    /// Where a loader would see it during the audit: the origin of a build output, else the place in the package.
    pub fn location(&self) -> Location {
        match &self.origin {
            Some(path) => Location::Host(path.clone()),
            None => Location::Package(self.path.clone()),
        }
    }
}

impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Artifact")
            .field("path", &self.path)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
