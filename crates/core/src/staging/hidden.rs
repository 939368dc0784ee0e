//! Hidden directories beside a deliverable, locked while their run lives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::fs::{Fs, Kind};
use super::manifest;

/// So often a name is tried that another run took or swept in the same instant.
const ATTEMPTS: usize = 16;

/// A directory of ours. Dropping it removes it with all that is in it, unless it was given away.
#[derive(Debug)]
pub(super) struct Hidden {
    fs: Arc<dyn Fs>,
    path: Option<PathBuf>,
    /// The directory itself, locked.
    lock: Option<File>,
}

impl Hidden {
    /// Makes one for the deliverable `out`, whose directory must exist.
    pub fn create(fs: &Arc<dyn Fs>, out: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let path = Self::name(out);
            match fs.make_dir(&path, 0o777) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            let mut hidden = Hidden { fs: Arc::clone(fs), path: Some(path), lock: None };
            if hidden.lock()? {
                return Ok(hidden);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Locks it; `false` when another run's sweep was faster.
    fn lock(&mut self) -> io::Result<bool> {
        let Some(path) = &self.path else { return Ok(false) };
        if !cfg!(unix) {
            return Ok(true);
        }
        let dir = match self.fs.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        // Without locks nothing is swept, so there is nothing to fear.
        let locked = self.fs.try_lock(&dir).unwrap_or(true);
        let there = self.fs.stat(path).is_ok_and(|stat| stat.kind == Kind::Dir);
        self.lock = Some(dir);
        Ok(locked && there)
    }

    /// Takes over what another run or an earlier bundle left at `path`, with the lock on it if it could be had.
    pub fn adopt(fs: &Arc<dyn Fs>, path: PathBuf, lock: Option<File>) -> Self {
        Hidden { fs: Arc::clone(fs), path: Some(path), lock }
    }

    /// A new hidden name beside `out`; those of one deliverable begin alike.
    pub fn name(out: &Path) -> PathBuf {
        Self::unique(out.parent().unwrap_or(Path::new("")), &Self::prefix(out))
    }

    /// A name in `dir` that begins with `prefix` and is not given twice.
    pub fn unique(dir: &Path, prefix: &str) -> PathBuf {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        dir.join(format!("{prefix}{:x}-{:x}-{count:x}", std::process::id(), time.as_nanos()))
    }

    /// How the hidden names beside `out` begin.
    pub fn prefix(out: &Path) -> String {
        let name = out.file_name().unwrap_or_default().as_encoded_bytes();
        let tag: String = Sha256::digest(name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!(".spokeshave-{tag}-")
    }

    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.lock.as_ref().map_or(Ok(()), |dir| self.fs.set_mode(dir, mode))
    }

    /// It stands elsewhere now and is no longer ours; the lock is kept.
    pub fn give_away(&mut self) {
        self.path = None;
    }

    /// Removes it.
    pub fn remove(mut self) -> io::Result<()> {
        self.path.take().map_or(Ok(()), |path| remove(&*self.fs, &path))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // What can't be removed now is swept by the next run.
            let _ = remove(&*self.fs, &path);
        }
    }
}

/// Removes a hidden directory. One with a manifest was or is to be a bundle: files that are not of it are somebody's,
/// and then nothing is removed.
pub(super) fn remove(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    if let Some(stranger) = manifest::stranger_if_bundle(fs, dir)? {
        return Err(io::Error::other(format!("it holds `{stranger}`, which no bundle put there")));
    }
    remove_all(fs, dir)
}

fn remove_all(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    for name in fs.list(dir)? {
        let path = dir.join(name);
        match fs.stat(&path)?.kind {
            Kind::Dir => remove_all(fs, &path)?,
            _ => fs.unlink(&path)?,
        }
    }
    fs.remove_dir(dir)
}
