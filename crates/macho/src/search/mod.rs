//! Where dyld looks for a library, for an explicit environment.
//!
//! - `environment`: what surrounds a load (`--lib-dir`, `DYLD_*`, `--executable-path`), as a value
//! - `expand`: `@loader_path`, `@executable_path`, `@rpath` and absolute names
//! - `order`: in which order a name is looked for
//! - `kept_out`: what is the system's or Python's own

mod environment;
mod expand;
mod kept_out;
mod order;

pub use environment::Environment;
pub(crate) use expand::{Around, Frame, leads_inside};
pub(crate) use kept_out::{in_cache, is_python, system_path};
pub(crate) use order::order;

/// The rule of what dyld does not find by itself, though the package has it.
pub const SIBLING: &str = "sibling in the package";
/// The rule of a name that is the `LC_ID_DYLIB` of a library of the same load.
pub const LOADED: &str = "already loaded";
