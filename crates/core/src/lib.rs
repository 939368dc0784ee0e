//! The heart of spokeshave: bytes in → facts → plan → patched bytes → delivered.
//!
//! Core names no format. A platform is a [`Repairer`] in a crate of its own that registers itself with
//! [`Registration`]; core reads and writes the wheels, names what is carried and drives the backend.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod artifact;
mod audit;
mod bytes;
mod cache;
mod edit;
mod error;
mod event;
mod files;
mod graft;
mod options;
mod output;
mod parallel;
mod path;
mod registry;
mod repairer;

pub mod pipeline;
pub mod sbom;
pub mod staging;
pub mod wheel;

pub use artifact::{Artifact, BuildOutput, ByteSource, HostFile};
pub use audit::{
    Audit, AuditResult, AuditedArtifact, Fact, Library, Missing, Need, Obstacle, Role, Status, Target, Tried,
};
pub use bytes::Bytes;
pub use cache::FactsCache;
pub use edit::{Edit, apply};
pub use error::{Error, Locate, Result};
pub use event::{Event, EventSink, Silent};
pub use files::{FileId, Files, Found, Location};
pub use graft::{GraftedLib, graft};
pub use options::{Globs, Include, OptionSpec, OptionValue, OptionValues, Options};
pub use parallel::parallel_map;
pub use path::PackagePath;
pub use registry::{Registration, backends};
pub use repairer::{About, Context, Layout, PatchKind, Repairer, Subject, Which};
