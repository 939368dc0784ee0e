//! The dependency graph: artifacts and libraries, and which import of which file leads where.

mod build;
mod locate;
mod seeds;

pub use build::read_artifacts;

use std::sync::Arc;

use spokeshave_core::{ByteSource, Location, Tried};

use crate::facts::PeFacts;

/// What a file of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A binary of the package: its index in the audited set.
    Artifact(usize),
    /// A library outside the package.
    Library,
    /// One that Windows or the interpreter brings. Nothing was read of it.
    Promised,
    /// One that `--exclude` keeps out. It may be nowhere on this host.
    Excluded,
}

/// One file of the graph; every file occurs once, whatever its names.
#[derive(Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The name that first asked for it; an artifact's own path.
    pub name: String,
    /// Every name under which it is needed, sorted.
    pub aliases: Vec<String>,
    /// Where it was found, links not followed.
    pub location: Location,
    /// Where it really is.
    pub real: Location,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
    /// What was read from it.
    pub facts: Arc<PeFacts>,
    /// Its references in file order; none of what nothing needs.
    pub needs: Vec<Edge>,
    /// The `--include` that asked for it.
    pub included: Option<usize>,
    /// Whether something that is looked into needs it, or it is looked into itself.
    pub reached: bool,
}

/// How a reference comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeKind {
    /// By the import table or the delay import table.
    Import,
    /// An exported function is forwarded there; the name can't be changed, and it may be absent.
    Forward,
}

/// One reference and where it led.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The name as written.
    pub name: String,
    /// How it comes about.
    pub kind: EdgeKind,
    /// The index of the node that it led to; `None` when it was found nowhere.
    pub to: Option<usize>,
    /// The rule that found it; empty when it was found nowhere.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
}

/// The whole graph: first the artifacts in the order given, then the libraries in the order in which they are met.
#[derive(Clone, Default)]
pub struct Closure {
    /// The files.
    pub nodes: Vec<Node>,
}

#[cfg(test)]
mod tests;
