//! Policy selection: which platform tags a package earns, and which libraries must be carried for that.
//!
//! - [`links`]: what each reference of each file is under a policy (promised, to carry, excluded, …)
//! - [`evidence`]: what in a file bars policies (symbol versions, forbidden symbols, processor level, …)
//! - [`survey`]: both over the whole package, policy by policy
//! - [`choose`]: the policy, then [`tags`] and [`roles`]
//! - [`explain`]: why no better one

mod android;
mod choose;
mod evidence;
mod explain;
mod links;
mod requested;
mod roles;
mod survey;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use spokeshave_core::{Error, Globs, Missing, Obstacle, Result, Role};

use crate::closure::Closure;
use crate::target::Target;

/// What the user asked for, as far as the choice of a platform goes.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `--plat`; `None` and `auto` take the best that the package fits.
    pub plat: Option<&'a str>,
    /// `--only-plat`: no other tag than the one asked for.
    pub only_plat: bool,
    /// `--disable-isa-ext-check`: processor levels bar nothing.
    pub ignore_isa: bool,
    /// `--exclude`.
    pub exclude: &'a Globs,
    /// The platform tags that the package claims.
    pub claimed: &'a [String],
}

/// What becomes of a file of the closure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeRole {
    /// A binary of the package that counts.
    Artifact,
    /// A binary of the package that is for another target, and why: copied as it is.
    Foreign(String),
    /// A library outside the package.
    Library(Role),
    /// A library that only foreign binaries lead to.
    Unused,
}

/// The outcome: pure data, the same for the same closure.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The platform tags that the package earns once the external libraries are carried, best first.
    pub tags: Vec<String>,
    /// Those that it earns as it is.
    pub tags_as_is: Vec<String>,
    /// What becomes of each node of the closure, in its order.
    pub roles: Vec<NodeRole>,
    /// The references to take out (libpython), as indices of a node and of its need. Those of binaries that count and
    /// of libraries that are carried.
    pub removed: BTreeSet<(usize, usize)>,
    /// What must be carried and was found nowhere, sorted by name.
    pub missing: Vec<Missing>,
    /// Why the platform asked for can't be had.
    pub refusal: Option<Error>,
    /// What the user should know, sorted by file.
    pub warnings: Vec<String>,
    reasons: Vec<explain::Reason>,
}

/// Names one symbol that the file with this node index asks `file` for in `version`: `memcpy` for `GLIBC_2.14` of
/// `libc.so.6`. Called for messages only.
pub type SymbolNamer<'a> = dyn Fn(usize, &str, &str) -> Option<String> + 'a;

/// Chooses the platform of a package.
///
/// `name_symbol` is called for a refusal only.
///
/// # Errors
/// When the policy data that this program was built with are damaged.
pub fn select(
    closure: &Closure,
    target: &Target,
    request: &Request<'_>,
    name_symbol: &SymbolNamer<'_>,
) -> Result<Selection> {
    choose::select(closure, target, request, name_symbol)
}

impl Selection {
    /// Why no better tag: what bars it first, worst first; then what must be carried.
    pub fn obstacles(&self, name_symbol: &SymbolNamer<'_>) -> Vec<Obstacle> {
        explain::obstacles(&self.reasons, name_symbol)
    }
}
