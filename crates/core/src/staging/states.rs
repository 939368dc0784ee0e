//! The states. A step consumes the one before, so none can be skipped or taken twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(target_os = "linux")]
use super::fs::Stat;
use super::guard::{Guard, Hold, Private};
use super::hidden::Hidden;
use super::snapshot::changed;
use super::tree::Tree;
use crate::output::{Output, failed};
use crate::{ByteSource, Error, PackagePath, Result};

/// An origin whose bytes are held, locked against other runs.
#[derive(Debug)]
pub struct Staged(Origin);

/// An origin to which no name of ours leads any more; its bytes are still held.
#[derive(Debug)]
pub struct Restored(Origin);

/// A file that stands in an unfinished [`Tree`].
#[derive(Debug)]
pub struct Placed(pub(super) Origin);

/// A deliverable that appeared, and what is still held for it.
#[derive(Debug)]
#[must_use = "`finalize` tells what could not be dropped"]
pub struct Delivered {
    pub(super) origins: Vec<Origin>,
    /// The bundle whose place it took.
    pub(super) old: Option<Hidden>,
    pub(super) warnings: Vec<String>,
}

/// A path that a build owns, and the hold on what it led to.
#[derive(Debug)]
pub(super) struct Origin {
    pub given: PathBuf,
    pub real: PathBuf,
    pub guard: Arc<Guard>,
}

impl Staged {
    pub(super) fn new(origin: Origin) -> Self {
        Staged(origin)
    }

    /// The path that the build owns.
    pub fn origin(&self) -> &Path {
        &self.0.given
    }

    /// How its bytes are held.
    pub fn hold(&self) -> Hold {
        self.0.guard.hold
    }

    /// Unix permission bits.
    pub fn mode(&self) -> u32 {
        self.0.mode()
    }

    /// Its bytes as they were staged.
    pub fn source(&self) -> Arc<dyn ByteSource> {
        self.0.source()
    }

    /// Compares the origin with what was staged. `during` stands in the error's text behind "changed": `since it was
    /// staged`, ``while the backend `x` worked on it``.
    ///
    /// # Errors
    /// When it is another file now, or was written to.
    pub fn check(&self, during: &str) -> Result<()> {
        self.0.check(during)
    }

    /// Gives up every name of ours that leads to the build's inode.
    ///
    /// # Errors
    /// When the name can't be removed.
    pub fn restore_origin(self) -> Result<Restored> {
        self.0.guard.unlink().map_err(|error| {
            Error::new(format!("our link to it can't be removed: {error}"))
                .at(self.0.given.display())
                .hint("nothing was written; try again")
        })?;
        Ok(Restored(self.0))
    }

    /// Puts the bytes as they are into `tree`: a reflink or a copy, never a link.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn place(self, tree: &mut Tree, at: &PackagePath) -> Result<Placed> {
        self.0.place(None, tree, at)
    }

    /// Makes the file `target` appear with the bytes as they are, in place of what had its name: a deliverable of one
    /// file. Its directory must exist.
    ///
    /// # Errors
    /// When the origin changed, the file can't be written, or `target` is the origin.
    pub fn deliver(self, target: &Path) -> Result<Delivered> {
        self.0.deliver(None, target)
    }
}

impl Restored {
    /// The path that the build owns.
    pub fn origin(&self) -> &Path {
        &self.0.given
    }

    /// Unix permission bits.
    pub fn mode(&self) -> u32 {
        self.0.mode()
    }

    /// Its bytes as they were staged.
    pub fn source(&self) -> Arc<dyn ByteSource> {
        self.0.source()
    }

    /// Compares the origin with what was staged, as [`Staged::check`] does.
    ///
    /// # Errors
    /// As [`Staged::check`].
    pub fn check(&self, during: &str) -> Result<()> {
        self.0.check(during)
    }

    /// Writes `bytes` into `tree`, to a file that is new and shares its inode with nothing; `None`: the bytes as they were
    /// staged.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn place(self, bytes: Option<&[u8]>, tree: &mut Tree, at: &PackagePath) -> Result<Placed> {
        self.0.place(bytes, tree, at)
    }

    /// Makes the file `target` appear with `bytes`, as [`Staged::deliver`] does.
    ///
    /// # Errors
    /// As [`Staged::deliver`].
    pub fn deliver(self, bytes: Option<&[u8]>, target: &Path) -> Result<Delivered> {
        self.0.deliver(bytes, target)
    }
}

impl Placed {
    /// Compares the origin with what was staged, as [`Staged::check`] does.
    ///
    /// # Errors
    /// As [`Staged::check`].
    pub fn check(&self, during: &str) -> Result<()> {
        self.0.check(during)
    }
}

impl Delivered {
    /// Drops what was held, with the bundle that stood there before; what could not be dropped is a warning.
    pub fn finalize(mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        // What a state of another path to the inode still needs stays until that goes.
        let guards = self.origins.drain(..).filter_map(|origin| Arc::into_inner(origin.guard));
        warnings.extend(guards.filter_map(|guard| guard.release()));
        if let Some(old) = self.old.take() {
            let path = old.path().display().to_string();
            let failed = |error| format!("{path}: the earlier bundle can't be removed: {error}");
            warnings.extend(old.remove().err().map(failed));
        }
        warnings
    }
}

impl Origin {
    fn mode(&self) -> u32 {
        self.guard.snapshot.identity.mode & 0o777
    }

    fn source(&self) -> Arc<dyn ByteSource> {
        Arc::clone(&self.guard.snapshot) as Arc<dyn ByteSource>
    }

    pub fn check(&self, during: &str) -> Result<()> {
        let snapshot = &self.guard.snapshot;
        let there = match snapshot.fs.stat(&self.real) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other),
        };
        let there = there.transpose().map_err(|error| self.failed("can't be compared", &error))?;
        // The descriptor too: a file system that makes up its inodes may show the path another one.
        let same = snapshot.unchanged().map_err(|error| self.failed("can't be compared", &error))?;
        if same && there.is_some_and(|stat| stat.identity == snapshot.identity) {
            return Ok(());
        }
        Err(changed(during).at(self.given.display()).into())
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> anyhow::Error {
        Error::new(format!("{what}: {error}")).at(self.given.display()).hint("try again").into()
    }

    fn place(self, bytes: Option<&[u8]>, tree: &mut Tree, at: &PackagePath) -> Result<Placed> {
        match bytes {
            Some(bytes) => tree.write(at, bytes, self.mode())?,
            None => {
                let path = tree.reserve(at)?;
                self.put(&path).or_else(|error| self.blame(|| tree.failed(at, &error)))?;
            }
        }
        Ok(Placed(self))
    }

    /// Why the bytes could not be copied: what was cut short since it was staged is the origin's affair.
    fn blame(&self, failed: impl FnOnce() -> anyhow::Error) -> Result<()> {
        self.check("since it was staged")?;
        Err(failed())
    }

    /// Makes the new file `path` with the bytes as they were staged. A file of our own becomes it, if there is one.
    fn put(&self, path: &Path) -> std::io::Result<()> {
        let snapshot = &self.guard.snapshot;
        let fs = &*snapshot.fs;
        if let Some(private) = &snapshot.private {
            let named = || -> std::io::Result<()> {
                match self.guard.take_private() {
                    Private::No => return Err(std::io::ErrorKind::NotFound.into()),
                    Private::Nameless => fs.name(private, path)?,
                    Private::Named(from, _hidden) => fs.rename(&from, path)?,
                }
                Ok(())
            };
            if named().is_ok() {
                fs.set_mode(private, self.mode())?;
                return fs.sync(private);
            }
        }
        let file = fs.create(path)?;
        snapshot.copy_to(&file)?;
        fs.set_mode(&file, self.mode())?;
        fs.sync(&file)
    }

    fn deliver(self, bytes: Option<&[u8]>, target: &Path) -> Result<Delivered> {
        let snapshot = &self.guard.snapshot;
        let there = snapshot.fs.real_path(target).and_then(|real| snapshot.fs.stat(&real));
        if there.is_ok_and(|stat| stat.identity.inode == snapshot.identity.inode) {
            return Err(Error::new("is the build's own output")
                .at(target.display())
                .hint("name another file for the result")
                .into());
        }
        let cant = |error: std::io::Error| failed("can't be written", &error, target);
        let output = match bytes {
            Some(bytes) => {
                let output = Output::create(target)?;
                snapshot.fs.write(output.file(), bytes).map_err(cant)?;
                output
            }
            None => match self.private_for(target) {
                Some(output) => output,
                None => {
                    let output = Output::create(target)?;
                    snapshot.copy_to(output.file()).or_else(|error| self.blame(|| cant(error)))?;
                    output
                }
            },
        };
        snapshot.fs.set_mode(output.file(), self.mode()).map_err(cant)?;
        self.check("since it was staged")?;
        output.finish()?;
        Ok(Delivered { origins: vec![self], old: None, warnings: Vec::new() })
    }

    /// A file of our own that only needs the name, if there is one on the file system of `target`.
    #[cfg(target_os = "linux")]
    fn private_for(&self, target: &Path) -> Option<Output> {
        let snapshot = &self.guard.snapshot;
        let (fs, private) = (&snapshot.fs, snapshot.private.as_ref()?);
        let dir = fs.real_path(target.parent()?).ok()?;
        let device = |stat: Stat| stat.identity.inode.device;
        let there = device(fs.fstat(private, target).ok()?) == device(fs.stat(&dir).ok()?);
        let file = private.try_clone().ok().filter(|_| there)?;
        matches!(self.guard.take_private(), Private::Nameless).then(|| Output::nameless(file, target))
    }

    #[cfg(not(target_os = "linux"))]
    fn private_for(&self, _target: &Path) -> Option<Output> {
        None
    }
}
