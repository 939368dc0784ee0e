//! Where a loader looks for a library, for an explicit environment: glibc's ld.so, musl's and Android's rules.
//!
//! - `environment`: what surrounds a load (directories of the system, `LD_LIBRARY_PATH`, `--lib-dir`), as a value
//! - `config`: `/etc/ld.so.conf` and musl's path file
//! - `tokens`: `$ORIGIN`, `$LIB`, `$PLATFORM`
//! - `places`: the directories that one file's RPATH and RUNPATH lead to
//! - `order`: in which order a name is looked for
//! - `fit`: whether a candidate is for the same machine

mod config;
mod environment;
mod fit;
mod order;
mod places;
mod tokens;

pub use environment::Environment;
pub(crate) use fit::misfit;
pub(crate) use order::{order, path_of_need};
pub(crate) use places::{Around, Paths, Place};

/// The rule of what no loader's rule finds, though the package has it.
pub const SIBLING: &str = "sibling in the package";
/// How the rule of what the build linked from begins.
pub const LINKED: &str = "linked path of";
/// The rule of a name that a library of the same load has already.
pub const LOADED: &str = "already loaded";
