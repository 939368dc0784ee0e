//! Build outputs are never harmed: origin → staged → restored → placed → delivered → finalized.
//!
//! ```text
//! stage ──▶ Staged ──restore_origin──▶ Restored ──place(patched bytes)──▶ Placed ──Tree::finish──▶ Delivered ──finalize──▶ done
//!              └───────── no patch predicted ──────── place ─────────────────┘
//! ```
//!
//! `Tree::create` stands before `stage`, so that what is wrong with the output is told before anything is held.
//! A deliverable that is one file needs no tree: `deliver` does `place` and `finish` in one step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{ByteSource, Error, EventSink, PackagePath, Result};

/// How an origin's bytes are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// A further name for its inode.
    Linked,
    /// A file of our own: a reflink, or a copy where neither a reflink nor a link can be had.
    Mirrored,
}

/// An origin whose bytes are held, locked against other runs.
#[derive(Debug)]
pub struct Staged {}

/// An origin to which no name of ours leads any more; its bytes are still held.
#[derive(Debug)]
pub struct Restored {}

/// A file that stands in an unfinished [`Tree`].
#[derive(Debug)]
pub struct Placed {}

/// A deliverable that appeared, and what is still held for it.
#[must_use = "`finalize` tells what could not be dropped"]
#[derive(Debug)]
pub struct Delivered {}

/// A directory that appears whole or not at all.
#[derive(Debug)]
pub struct Tree {}

fn unbuilt() -> anyhow::Error {
    Error::new("staging is not built yet").into()
}

/// Stages `origins` for a deliverable at `out`, one state for each in the same order. Another run that has one of them
/// staged is waited for, and `events` is told. Two paths may lead to one inode; the same origin must not be staged by
/// this thread already.
///
/// # Errors
/// When an origin can't be read, is no regular file, or is replaced again and again meanwhile.
pub fn stage(_origins: &[PathBuf], _out: &Path, _events: &dyn EventSink) -> Result<Vec<Staged>> {
    Err(unbuilt())
}

impl Staged {
    /// The path that the build owns.
    pub fn origin(&self) -> &Path {
        Path::new("")
    }
    /// How its bytes are held.
    pub fn hold(&self) -> Hold {
        Hold::Linked
    }
    /// Unix permission bits.
    pub fn mode(&self) -> u32 {
        0o755
    }
    /// Its bytes as they were staged.
    pub fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(crate::Bytes::from(Vec::new()))
    }
    /// Compares the origin with what was staged. `during` stands in the error's text behind "changed": `since it was
    /// staged`, ``while the backend `x` worked on it``.
    ///
    /// # Errors
    /// When it is another file now, or was written to.
    pub fn check(&self, _during: &str) -> Result<()> {
        Err(unbuilt())
    }
    /// Gives up every name of ours that leads to the build's inode.
    ///
    /// # Errors
    /// When the name can't be removed.
    pub fn restore_origin(self) -> Result<Restored> {
        Err(unbuilt())
    }
    /// Puts the bytes as they are into `tree`: a reflink or a copy, never a link.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn place(self, _tree: &mut Tree, _at: &PackagePath) -> Result<Placed> {
        Err(unbuilt())
    }
    /// Makes the file `target` appear with the bytes as they are, in place of what had its name: a deliverable of one
    /// file. Its directory must exist.
    ///
    /// # Errors
    /// When the origin changed, the file can't be written, or `target` is the origin.
    pub fn deliver(self, _target: &Path) -> Result<Delivered> {
        Err(unbuilt())
    }
}

impl Restored {
    /// The path that the build owns.
    pub fn origin(&self) -> &Path {
        Path::new("")
    }
    /// Unix permission bits.
    pub fn mode(&self) -> u32 {
        0o755
    }
    /// Its bytes as they were staged.
    pub fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(crate::Bytes::from(Vec::new()))
    }
    /// Compares the origin with what was staged. `during` stands in the error's text behind "changed": `since it was
    /// staged`, ``while the backend `x` worked on it``.
    ///
    /// # Errors
    /// When it is another file now, or was written to.
    pub fn check(&self, _during: &str) -> Result<()> {
        Err(unbuilt())
    }
    /// Writes `bytes` into `tree`, to a file that is new and shares its inode with nothing; `None`: the bytes as they were
    /// staged.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn place(self, _bytes: Option<&[u8]>, _tree: &mut Tree, _at: &PackagePath) -> Result<Placed> {
        Err(unbuilt())
    }
    /// Makes the file `target` appear with `bytes`, as [`Staged::deliver`] does.
    ///
    /// # Errors
    /// As [`Staged::deliver`].
    pub fn deliver(self, _bytes: Option<&[u8]>, _target: &Path) -> Result<Delivered> {
        Err(unbuilt())
    }
}

impl Tree {
    /// Begins a directory that is to become `out`.
    ///
    /// # Errors
    /// When `out` holds what no earlier bundle put there, or nothing can be written beside it.
    pub fn create(_out: &Path) -> Result<Self> {
        Err(unbuilt())
    }
    /// Writes a new file with these permission bits.
    ///
    /// # Errors
    /// When there is one at that place, or it can't be written.
    pub fn write(&mut self, _at: &PackagePath, _bytes: &[u8], _mode: u32) -> Result<()> {
        Err(unbuilt())
    }
    /// Makes the directory appear.
    ///
    /// # Errors
    /// When an origin changed since it was staged, or the directory can't be put in place.
    pub fn finish(self, _placed: Vec<Placed>) -> Result<Delivered> {
        Err(unbuilt())
    }
}

impl Delivered {
    /// Drops what was held, with the bundle that stood there before; what could not be dropped is a warning.
    pub fn finalize(self) -> Vec<String> {
        Vec::new()
    }
}
