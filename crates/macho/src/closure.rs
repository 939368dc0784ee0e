//! The dependency graph as dyld would build it: artifacts and libraries, and which need of which slice led where.

mod build;
mod include;
mod join;
mod locate;
mod roots;

pub use build::read_artifacts;

use std::sync::Arc;

use spokeshave_core::{ByteSource, Location, Tried};

use crate::facts::{DylibKind, MachoFacts};

/// What a file of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A binary of the package: its index in the audited set.
    Artifact(usize),
    /// A library outside the package.
    Library,
    /// One that macOS or Python brings. It may be nowhere on this host, and nothing was read of it.
    Promised,
    /// One that `--exclude` keeps out. It may be nowhere on this host.
    Excluded,
    /// Only what stays out needs it, or its slices are part of another node now.
    Unused,
}

/// One file of the graph; every file occurs once, whatever its names.
#[derive(Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The file name that first asked for it; an artifact's own path.
    pub name: String,
    /// Every file name under which it is needed, sorted.
    pub aliases: Vec<String>,
    /// Where dyld found it, links not followed.
    pub location: Location,
    /// Where it really is (`@loader_path` is the directory of this).
    pub real: Location,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
    /// What was read from it.
    pub facts: Arc<MachoFacts>,
    /// For each slice its references in file order; none for a slice that no load reaches.
    pub needs: Vec<Vec<Edge>>,
    /// The `--include` that asked for it.
    pub included: Option<usize>,
}

/// One reference of one slice and where it led.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The name as written.
    pub name: String,
    /// How it is named.
    pub kind: DylibKind,
    /// The index of the node that it led to; `None` when it was found nowhere.
    pub to: Option<usize>,
    /// The rule that found it; empty when it was found nowhere.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
    /// Whether dyld finds it by itself inside the installed package, whatever loads the file.
    pub stays: bool,
    /// Whether where it leads depends on what loads the file.
    by_load: bool,
}

/// The whole graph: first the artifacts in the order given, then the libraries in the order dyld meets them.
#[derive(Clone, Default)]
pub struct Closure {
    /// The files.
    pub nodes: Vec<Node>,
}

#[cfg(test)]
mod tests;
