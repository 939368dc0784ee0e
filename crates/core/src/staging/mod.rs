//! Build outputs are never harmed: origin → staged → restored → placed → delivered → finalized.
//!
//! ```text
//! stage ──▶ Staged ──restore_origin──▶ Restored ──place(patched bytes)──▶ Placed ──Tree::finish──▶ Delivered ──finalize──▶ done
//!              └───────── no patch predicted ──────── place ─────────────────┘
//! ```
//!
//! `Tree::create` stands before `stage`, so that what is wrong with the output is told before anything is held.
//! A deliverable that is one file needs no tree: `deliver` does `place` and `finish` in one step. Any state may be
//! dropped at any time; then it leaves nothing.
//!
//! The origin is opened for reading and never for more; it is never moved and its mode never set. Its bytes are read
//! through the descriptor that was opened when it was staged. Beside it, `.spokeshave/` holds the links of running
//! runs, and what a run that was killed left there is removed by the next.
//!
//! ```no_run
//! use spokeshave_core::staging::{Tree, stage};
//! use spokeshave_core::{PackagePath, Silent};
//! # fn main() -> spokeshave_core::Result<()> {
//! let mut tree = Tree::create("dist/app".as_ref())?;
//! let mut placed = Vec::new();
//! for staged in stage(&["target/release/app".into()], "dist/app".as_ref(), &Silent)? {
//!     let patched = staged.source().open()?.to_vec();
//!     placed.push(staged.restore_origin()?.place(Some(&patched), &mut tree, &PackagePath::new("bin/app")?)?);
//! }
//! for warning in tree.finish(placed)?.finalize() {
//!     eprintln!("{warning}");
//! }
//! # Ok(()) }
//! ```

mod begin;
mod fs;
mod guard;
mod hidden;
mod manifest;
mod real;
mod snapshot;
mod states;
mod sweep;
#[cfg(all(test, unix))]
mod tests;
mod tree;

pub use begin::stage;
pub use guard::Hold;
pub use states::{Delivered, Placed, Restored, Staged};
pub use tree::Tree;
