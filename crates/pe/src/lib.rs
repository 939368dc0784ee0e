//! The PE backend: Windows.
//!
//! Linking this crate and naming it registers the backend: `use spokeshave_pe as _;`.

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

mod audit;
mod backend;
mod change;
mod closure;
mod edit;
mod facts;
#[cfg(test)]
#[path = "tests/fixtures.rs"]
mod fixtures;
#[doc(hidden)]
pub mod fuzzing;
mod image;
mod plan;
mod python;
mod search;
mod system;
mod target;

pub use change::Changes;
pub use facts::{Hybrid, Import, ImportKind, PeFacts, Version};
