//! The heart of spokeshave: bytes in → facts → plan → patched bytes → delivered.
//!
//! Core names no format. A platform is a [`Repairer`] in a crate of its own that registers itself with
//! [`Registration`]; core reads and writes the wheels, names what is carried and drives the backend.
//!
//! A program that uses the library depends on this crate and on the backends that it wants, and names each of those
//! (`use spokeshave_elf as _;`), or the linker drops it. All that a run knows is in its [`Engine`](pipeline::Engine):
//! the backends, the options, the environment as a value, and who takes the events. Nothing is printed and nothing is
//! process-wide, so several runs may go on at once.
//!
//! # A wheel in, the repaired wheel out
//!
//! What a build back-end does last: [`Engine::repair_wheel`](pipeline::Engine::repair_wheel) writes the repaired wheel
//! into a directory and tells which file it is, since the platform tag may be another now.
//!
//! ```no_run
//! use std::collections::{BTreeMap, BTreeSet};
//! use std::path::{Path, PathBuf};
//!
//! use spokeshave_core::pipeline::{Engine, WheelOptions};
//! use spokeshave_core::{Options, Result, Silent, backends};
//!
//! fn repair(wheel: &Path, dist: PathBuf) -> Result<PathBuf> {
//!     let backends = backends()?;
//!     let options = Options { plat: Some("manylinux_2_28_x86_64".to_owned()), ..Options::default() };
//!     // Only what is given counts, so `LD_LIBRARY_PATH` of this process does not.
//!     let env = BTreeMap::from([("SOURCE_DATE_EPOCH".to_owned(), "1700000000".to_owned())]);
//!     let engine = Engine { backends: &backends, options: &options, env: &env, events: &Silent };
//!     let report = engine.repair_wheel(
//!         wheel,
//!         &WheelOptions {
//!             wheel_dir: dist,
//!             lib_sdir: None,
//!             update_tags: true,
//!             compression_level: 6,
//!             sbom: true,
//!             dry_run: false,
//!             jobs: 4,
//!             taken: BTreeSet::new(),
//!         },
//!     )?;
//!     Ok(report.output)
//! }
//! ```
//!
//! # Build outputs in, a directory out
//!
//! [`Engine::bundle`](pipeline::Engine::bundle) takes programs and libraries where the build put them, with the
//! directories that they were linked from, and makes a directory that can be moved anywhere. The build's own files are
//! read and never changed, so that the next build finds them as it left them. With
//! [`Mode::Check`](pipeline::Mode::Check) external libraries are an error instead, and nothing is written.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::path::Path;
//!
//! use spokeshave_core::pipeline::{BundleOptions, Engine, Mode, Origin};
//! use spokeshave_core::{Options, PackagePath, Result, Silent, backends};
//!
//! fn bundle(target: &Path, native: &Path) -> Result<()> {
//!     let (backends, options) = (backends()?, Options::default());
//!     let engine = Engine { backends: &backends, options: &options, env: &BTreeMap::new(), events: &Silent };
//!     let origin = |name: &str| Origin { path: target.join(name), linked_paths: vec![native.to_path_buf()] };
//!     let report = engine.bundle(
//!         &[origin("app"), origin("libplugin.so")],
//!         &BundleOptions {
//!             out: "dist/app".into(),
//!             dist_name: "app".to_owned(),
//!             artifact_dir: PackagePath::new("bin")?,
//!             libs_dir: None,
//!             mode: Mode::Repair,
//!             sbom: true,
//!             dry_run: false,
//!             jobs: 4,
//!         },
//!     )?;
//!     for lib in &report.carried {
//!         assert!(report.output.join(&lib.path).exists(), "{} is carried", lib.original);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # A build output in, a copy for this machine out
//!
//! [`Engine::editable`](pipeline::Engine::editable) carries nothing: the copy only finds the directories that it was
//! linked from, as an editable install wants it. Where a format has no runtime search path, the copy has the same bytes
//! and a warning says so.
//!
//! ```no_run
//! # use std::collections::BTreeMap;
//! # use spokeshave_core::pipeline::{Engine, Origin};
//! # use spokeshave_core::{Options, Result, Silent, backends};
//! # fn editable() -> Result<()> {
//! # let (backends, options) = (backends()?, Options::default());
//! # let engine = Engine { backends: &backends, options: &options, env: &BTreeMap::new(), events: &Silent };
//! let origin = Origin { path: "target/debug/libfoo.so".into(), linked_paths: vec!["/opt/foo/lib".into()] };
//! let report = engine.editable(&origin, "python/foo/_foo.abi3.so".as_ref())?;
//! assert!(report.patched || !report.warnings.is_empty());
//! # Ok(()) }
//! ```
//!
//! # Events instead of prints
//!
//! An [`EventSink`] takes what a person may want to see meanwhile, from any thread. Warnings stand in the report too.
//!
//! ```
//! use std::sync::Mutex;
//!
//! use spokeshave_core::{Event, EventSink};
//!
//! /// Keeps what a build back-end shows in its own way.
//! #[derive(Default)]
//! struct Log(Mutex<Vec<String>>);
//!
//! impl EventSink for Log {
//!     fn event(&self, event: Event) {
//!         let line = match event {
//!             Event::Warning(text) => text,
//!             Event::Waiting { path } => format!("another run works on {}", path.display()),
//!             Event::Progress { done, total } => format!("{done} of {total} bytes"),
//!             _ => return,
//!         };
//!         self.0.lock().unwrap().push(line);
//!     }
//! }
//!
//! let log = Log::default();
//! log.event(Event::Progress { done: 1, total: 2 });
//! assert_eq!(*log.0.lock().unwrap(), ["1 of 2 bytes"]);
//! ```
//!
//! # Errors
//!
//! Every failure is an [`anyhow::Error`]. What spokeshave itself has to say is an [`Error`] inside of it, with the file,
//! the offset and a hint: `error.downcast_ref::<spokeshave_core::Error>()`.

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
pub use repairer::{
    About, Context, Layout, Merge, NameHash, PatchKind, PyPackage, PyPatch, Repairer, Subject, Which,
};
