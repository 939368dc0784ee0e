//! Read-only bytes: on the heap or mapped. The one place with `unsafe`.

use std::io::ErrorKind;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::MmapOptions;

use crate::{Error, Result};

/// Read-only bytes that are cheap to clone and are given back when the last clone goes.
#[derive(Clone)]
pub struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    Heap(Arc<Vec<u8>>),
    Mapped(Arc<memmap2::Mmap>),
}

impl Bytes {
    /// Maps a file that no build writes: an installed library, an input wheel. A build's own output is read
    /// instead ([`Bytes::read`]), since a truncated mapping is a fatal signal.
    ///
    /// # Errors
    /// When the file can't be mapped.
    pub fn map_file(file: &fs_err::File) -> Result<Self> {
        let failed =
            |error: std::io::Error| Error::new(format!("can't be mapped: {error}")).at(file.path().display());
        let len =
            usize::try_from(file.metadata()?.len()).map_err(|_| failed(ErrorKind::FileTooLarge.into()))?;
        if len == 0 {
            return Ok(Bytes::from(Vec::new()));
        }
        // SAFETY: the mapping is private and read-only. Another process that truncates the file while it is
        // mapped would raise SIGBUS; callers map only files that no build writes, as the contract above says.
        #[allow(unsafe_code)]
        let map = unsafe { MmapOptions::new().len(len).map(file.file()) }.map_err(failed)?;
        Ok(Bytes(Repr::Mapped(Arc::new(map))))
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Bytes::from(fs_err::read(path)?))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Repr::Heap(Arc::new(bytes)))
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Heap(bytes) => bytes,
            Repr::Mapped(map) => map,
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}
