//! What is held of an inode until the last state that needs it goes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hidden::Hidden;
use super::snapshot::Snapshot;

/// How an origin's bytes are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// A further name for its inode.
    Linked,
    /// A file of our own: a reflink, or a copy where neither a reflink nor a link can be had.
    Mirrored,
}

/// The lock on an origin's inode with our further name for it, or our own file. States of several paths that lead to
/// one inode share it.
#[derive(Debug)]
pub(super) struct Guard {
    pub snapshot: Arc<Snapshot>,
    held: Mutex<Held>,
    pub hold: Hold,
}

#[derive(Debug)]
struct Held {
    link: Option<PathBuf>,
    private: Private,
    locked: bool,
}

/// Whether the file of our own can become the deliverable.
#[derive(Debug)]
pub(super) enum Private {
    /// There is none, or it went into a deliverable already.
    No,
    /// It has no name yet.
    Nameless,
    /// It lies in a directory of ours.
    Named(PathBuf, Hidden),
}

impl Guard {
    pub fn linked(snapshot: Snapshot, link: PathBuf, locked: bool) -> Self {
        let held = Held { link: Some(link), private: Private::No, locked };
        Guard { snapshot: Arc::new(snapshot), held: Mutex::new(held), hold: Hold::Linked }
    }

    pub fn mirrored(snapshot: Snapshot, private: Private, locked: bool) -> Self {
        let held = Held { link: None, private, locked };
        Guard { snapshot: Arc::new(snapshot), held: Mutex::new(held), hold: Hold::Mirrored }
    }

    /// What is held is whole whichever thread panicked.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives our name for the inode up; its bytes are still held by the descriptor.
    pub fn unlink(&self) -> io::Result<()> {
        let mut held = self.held();
        if let Some(link) = &held.link {
            remove_link(&self.snapshot, link)?;
            held.link = None;
        }
        Ok(())
    }

    /// Takes the file of our own for a deliverable. The first asks successfully; later ones have to copy.
    pub fn take_private(&self) -> Private {
        std::mem::replace(&mut self.held().private, Private::No)
    }

    /// Drops all that is held and says what could not be dropped.
    pub fn release(&self) -> Option<String> {
        let unlinked = self.unlink();
        let mut held = self.held();
        held.private = Private::No;
        if std::mem::take(&mut held.locked) {
            // A lock that can't be released goes with its descriptor.
            let _ = self.snapshot.fs.unlock(&self.snapshot.file);
        }
        let left = held.link.take()?;
        let error = unlinked.err()?;
        Some(format!("{}: can't be removed: {error}; the next run does it", left.display()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
    }
}

/// Removes a link of ours and the directory if it was the last in it.
fn remove_link(snapshot: &Snapshot, link: &Path) -> io::Result<()> {
    match snapshot.fs.unlink(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(dir) = link.parent() {
        // It stays while another run has a link in it, and the last one takes it away.
        let _ = snapshot.fs.remove_dir(dir);
    }
    Ok(())
}
