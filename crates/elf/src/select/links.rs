//! What each reference of a file is, for every policy at once.

use spokeshave_core::{Globs, Location};

use crate::closure::{Closure, Edge, Node};
use crate::policy::{self, Policies};
use crate::target::Libc;

/// One reference (`DT_NEEDED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To a binary of the package.
    Package,
    /// To the Python interpreter's library, which an extension must not ask for.
    Python,
    /// To a library that `--exclude` keeps out, whatever the policy.
    Excluded(Option<usize>),
    /// To a library outside the package (a node, if it was found), which is promised from a policy on.
    Library {
        /// The node.
        to: Option<usize>,
        /// The first policy that promises it; `usize::MAX` when none does.
        promised_from: usize,
    },
}

/// The references of a node, in file order.
pub fn of(node: &Node, closure: &Closure, policies: &Policies, exclude: &Globs) -> Vec<Link> {
    node.needs.iter().map(|edge| link(node, edge, closure, policies, exclude)).collect()
}

fn link(node: &Node, edge: &Edge, closure: &Closure, policies: &Policies, exclude: &Globs) -> Link {
    let found = edge.to.and_then(|to| closure.nodes.get(to));
    if found.is_some_and(|library| library.artifact.is_some()) {
        return Link::Package;
    }
    let promised_from = policies.promised_from(&edge.name);
    let excluded = exclude.matches(&edge.name) || found.is_some_and(|library| matches_file(exclude, library));
    let android = policies.target().libc == Libc::Android;
    // A program that embeds Python can't do without the library; nor can what is bundled with no extension.
    let program = node.facts.interp.is_some() && !node.facts.python_extension;
    let embeds = program || (closure.outputs && !closure.nodes.iter().any(is_extension));
    match promised_from {
        None if excluded => Link::Excluded(edge.to),
        // Extensions for Android ask for libpython by design (PEP 738), and the interpreter brings it.
        None if policy::is_libpython(&edge.name) && android => {
            Link::Library { to: edge.to, promised_from: 0 }
        }
        None if policy::is_libpython(&edge.name) && !embeds => Link::Python,
        _ => Link::Library { to: edge.to, promised_from: promised_from.unwrap_or(usize::MAX) },
    }
}

fn is_extension(node: &Node) -> bool {
    node.artifact.is_some() && node.facts.is_extension_in(&node.location.file_name())
}

/// Whether a pattern matches a library's file name or real path.
fn matches_file(globs: &Globs, library: &Node) -> bool {
    let at =
        |location: &Location| globs.matches(&location.file_name()) || globs.matches(&location.to_string());
    at(&library.location) || at(&library.real)
}
