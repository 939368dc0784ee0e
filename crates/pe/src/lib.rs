//! The PE backend: Windows.
//!
//! It registers nothing yet: `spokeshave backends` does not list it, and such wheels are refused with a message that
//! names the missing backend.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods
    )
)]

mod change;
mod edit;
mod facts;
#[cfg(test)]
mod fixtures;
#[doc(hidden)]
pub mod fuzzing;
mod image;

pub use change::Changes;
pub use facts::{Hybrid, Import, ImportKind, PeFacts, Version};
