//! The ELF backend: Linux, musl, Android.
//!
//! Linking this crate and naming it registers the backend: `use spokeshave_elf as _;`.

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
mod image;
mod plan;
mod policy;
mod search;
mod select;
mod target;
