//! What the end-to-end tests build and run: fixtures from real compilers, the real binary, real loaders.
//!
//! A test makes a [`Bench`], compiles libraries and extensions with a [`Cc`], packs them into a wheel with a
//! [`Tree`], runs [`spokeshave`](Bench::spokeshave) on it, and judges the result with tools that share no code with
//! us: `readelf` ([`Dynamic`]), Python's zipfile ([`Wheel`]), CPython and pip ([`Venv`]), qemu ([`Arch`]), wine ([`Wine`]).
//!
//! Everything panics with the whole story when it goes wrong, a missing tool included.

mod arch;
mod bench;
mod cargo;
mod cc;
mod dynamic;
mod libs;
mod macho;
#[cfg(test)]
mod macho_tests;
pub mod mounts;
mod python;
mod run;
pub mod snapshot;
pub mod strace;
mod wheel;
mod wine;

pub use arch::{ARCHES, Arch};
pub use bench::Bench;
pub use cargo::Project;
pub use cc::Cc;
pub use dynamic::Dynamic;
pub use libs::{ALPHA, Libs};
pub use macho::{Called, Macho, MachoSignature, MachoSlice, call, chained_dylib, lipo, macos_wheel};
pub use python::{MAPS, Venv, python};
pub use run::{Outcome, run};
pub use wheel::{Tree, Wheel};
pub use wine::Wine;
