//! The Mach-O backend: macOS, with ad-hoc signing.
//!
//! Linking this crate and naming it registers the backend: `use spokeshave_macho as _;`.

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
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod handmade;
mod image;
mod lipo;
mod merge;
mod plan;
mod search;
pub mod sign;
mod tags;
mod target;

pub use change::{Changes, SliceChanges};
pub use edit::{Budget, budget};
pub use facts::{Arch, CommandLayout, Dylib, DylibKind, MachoFacts, MinOs, NameSlot, SignatureFacts, Slice};
