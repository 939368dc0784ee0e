//! The search rules against the real loaders, with small libraries that gcc builds on the spot.

mod glibc;
mod kit;
mod mass;
mod musl;
mod others;
mod package;
