//! Cargo, run and listened to.
//!
//! 1. `invocation` is the command line: the user's arguments and the one that makes cargo talk JSON.
//! 2. `message` is what cargo prints then.
//! 3. `build` is what a run built: artifacts, linked paths.

mod build;
mod flags;
mod invocation;
mod message;

pub use build::Build;
pub use flags::{environment_flags, linked_paths};
pub use invocation::Invocation;
