//! Build outputs are never harmed: origin → staged → restored → placed → delivered → finalized.
//!
//! ```text
//! stage ──▶ Staged ──restore_origin──▶ Restored ──place(patched bytes)──▶ Placed ──Tree::finish──▶ Delivered ──finalize──▶ done
//!              └───────── no patch predicted ──────── place ─────────────────┘
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{ByteSource, Error, PackagePath, Result};

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

/// A file that was delivered, and what is still held for it.
#[derive(Debug)]
pub struct Delivered {}

/// A directory that appears whole or not at all.
#[derive(Debug)]
pub struct Tree {}

fn unbuilt() -> anyhow::Error {
    Error::new("staging is not built yet").into()
}

/// Stages `origins` for a deliverable at `out`.
///
/// # Errors
/// When an origin can't be read.
pub fn stage(_origins: &[PathBuf], _out: &Path) -> Result<Vec<Staged>> {
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
    /// Compares the origin with what was staged.
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
}

impl Restored {
    /// Its bytes as they were staged.
    pub fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(crate::Bytes::from(Vec::new()))
    }
    /// Compares the origin with what was staged.
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
}

impl Tree {
    /// Begins a directory that is to become `out`.
    ///
    /// # Errors
    /// When `out` holds what no earlier bundle put there, or nothing can be written beside it.
    pub fn create(_out: &Path) -> Result<Self> {
        Err(unbuilt())
    }
    /// Writes a file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, _at: &PackagePath, _bytes: &[u8], _mode: u32) -> Result<()> {
        Err(unbuilt())
    }
    /// Makes the directory appear.
    ///
    /// # Errors
    /// When an origin changed since it was staged, or the directory can't be put in place.
    pub fn finish(self, _placed: Vec<Placed>) -> Result<Vec<Delivered>> {
        Err(unbuilt())
    }
}

impl Delivered {
    /// Drops what was held; what could not be dropped is a warning.
    pub fn finalize(self) -> Vec<String> {
        Vec::new()
    }
}
