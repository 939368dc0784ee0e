//! The Mach-O backend: macOS, with ad-hoc signing.
//!
//! It registers nothing yet: `spokeshave backends` does not list it, and such wheels are refused with a message that
//! names the missing backend.

mod change;
mod edit;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod image;
pub mod sign;

pub use change::{Changes, SliceChanges};
pub use edit::{Budget, budget};
pub use facts::{Arch, CommandLayout, Dylib, DylibKind, MachoFacts, MinOs, NameSlot, SignatureFacts, Slice};
