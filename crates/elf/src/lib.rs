//! The ELF backend: Linux, musl, Android.

mod change;
mod closure;
mod facts;
mod image;
mod policy;
mod search;
mod select;
mod target;
