//! External libraries as they will be carried: hashed names, one copy per file.

use std::sync::Arc;

use crate::{ByteSource, PackagePath};

/// How a format names what it carries; data of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraftedName {
    /// The hash stands before this part of the file name (its first occurrence that ends the stem): `.so`.
    pub before: &'static str,
    /// What the hash covers.
    pub hash: HashOf,
}

/// What the hash in a carried library's name covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashOf {
    /// The library's own bytes.
    File,
    /// The library's own bytes and those of every carried library that it reaches.
    FileAndReached,
}

/// An external library as it will be carried.
#[derive(Clone)]
pub struct GraftedLib {
    /// Index into [`Audit::libraries`](crate::Audit::libraries).
    pub library: usize,
    /// The file name that it had.
    pub original: String,
    /// Every name under which it was needed, sorted.
    pub aliases: Vec<String>,
    /// The file name that it gets.
    pub name: String,
    /// Where it will live in the package.
    pub path: PackagePath,
    /// Whether the program opens it by name at run time (`--include`), so that every artifact must find it.
    pub included: bool,
    /// sha256 of the original bytes.
    pub sha256: [u8; 32],
    /// The original bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
}
