//! Binaries to repair, and where their bytes come from.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::{Bytes, Error, Location, PackagePath, Result};

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

/// A library on the host: mapped when opened, or read where a build may write to it.
#[derive(Debug, Clone)]
pub struct HostFile {
    /// Its real path.
    pub path: PathBuf,
    /// Its size in bytes when it was found.
    pub size: u64,
    /// When it was written to, as of when it was found; `None` where the host does not tell.
    pub modified: Option<SystemTime>,
    /// Whether a build may write to it: a mapping that is cut short would be a fatal signal.
    pub built: bool,
}

impl ByteSource for HostFile {
    fn size(&self) -> u64 {
        self.size
    }
    /// Fails when it is no longer what was found: what was audited and what would be patched would be two files.
    fn open(&self) -> Result<Bytes> {
        let file = fs_err::File::open(&self.path)?;
        self.check(&file)?;
        if !self.built {
            return Bytes::map_file(&file);
        }
        let mut bytes = Vec::new();
        (&file).take(self.size).read_to_end(&mut bytes)?;
        self.check(&file)?;
        Ok(bytes.into())
    }
}

impl HostFile {
    fn check(&self, file: &fs_err::File) -> Result<()> {
        let now = file.metadata()?;
        if (now.len(), now.modified().ok()) == (self.size, self.modified) {
            return Ok(());
        }
        Err(Error::new("changed since it was found")
            .at(self.path.display())
            .hint("let the build or the installation that writes it finish, then run this again")
            .into())
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use crate::{Files, Location};

    #[test]
    fn a_library_that_changed_since_it_was_found_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libfoo.so");
        let write = |bytes: &[u8], second| {
            fs_err::write(&path, bytes).unwrap();
            let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
            file.file().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        write(b"as found", 1);
        let mut built = Files::new(None);
        built.built_in(&[dir.path().to_path_buf()]);
        let found = [Files::new(None), built].map(|files| files.find(&Location::Host(path.clone())).unwrap());
        for found in &found {
            assert_eq!(&*found.source.open().unwrap(), b"as found");
        }
        for (bytes, second) in [(&b"as built"[..], 2), (b"cut", 1)] {
            write(bytes, second);
            for found in &found {
                let error = found.source.open().unwrap_err().to_string();
                assert!(error.ends_with("libfoo.so: changed since it was found"), "{error}");
            }
        }
    }

    #[test]
    fn bytes_of_a_built_library_outlive_a_build_that_cuts_it_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libfoo.so");
        fs_err::write(&path, [7; 100_000]).unwrap();
        let mut files = Files::new(None);
        files.built_in(&[dir.path().to_path_buf()]);
        let bytes = files.find(&Location::Host(path.clone())).unwrap().source.open().unwrap();
        fs_err::write(&path, "").unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
    }
}
