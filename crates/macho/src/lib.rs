//! The Mach-O backend: macOS, with ad-hoc signing.
//!
//! It registers nothing yet: `spokeshave backends` does not list it, and such wheels are refused with a message that
//! names the missing backend.

mod change;
mod facts;
pub mod sign;

pub use change::{Changes, SliceChanges};
pub use facts::{Arch, Dylib, DylibKind, MachoFacts, MinOs, SignatureFacts, Slice};
