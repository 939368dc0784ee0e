//! The dependency graph as the loader would build it: artifacts and libraries, and which need led where.

mod build;
mod locate;

pub use build::read_artifacts;

use std::path::PathBuf;
use std::sync::Arc;

use spokeshave_core::{ByteSource, Location, Tried};

use crate::facts::ElfFacts;

/// One file of the graph; every file occurs once, whatever its names.
#[derive(Clone)]
pub struct Node {
    /// The index in the audited set, if it is an artifact of the package.
    pub artifact: Option<usize>,
    /// The name that first asked for it; an artifact's own path if nothing did.
    pub name: String,
    /// Every name under which it is needed, sorted.
    pub aliases: Vec<String>,
    /// Where the loader found it, links not followed (`$ORIGIN` is the directory of this).
    pub location: Location,
    /// Where it really is.
    pub real: Location,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
    /// What was read from it.
    pub facts: Arc<ElfFacts>,
    /// Its `DT_NEEDED` entries in file order.
    pub needs: Vec<Edge>,
    /// `glibc-hwcaps` builds of it that this machine's loader may prefer; they stay behind.
    pub variants: Vec<PathBuf>,
    /// The `--include` that asked for it.
    pub included: Option<usize>,
}

/// One `DT_NEEDED` entry and where it led.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The name as written.
    pub name: String,
    /// The index of the node that it led to; `None` when it was found nowhere.
    pub to: Option<usize>,
    /// The rule that found it; empty when it was found nowhere.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
}

/// The whole graph: first the artifacts in the order given, then the libraries in the order the loader meets them.
#[derive(Clone, Default)]
pub struct Closure {
    /// The files.
    pub nodes: Vec<Node>,
    /// Whether the artifacts are build outputs, which will lie elsewhere, next to each other, and have no platform tag.
    pub outputs: bool,
}

#[cfg(test)]
mod tests;
