//! What the engine tells while it works; it prints nothing itself.

use std::path::PathBuf;

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Work on an input began.
    Started {
        /// The input.
        input: PathBuf,
    },
    /// Something the user should know; it fails nothing.
    Warning(String),
    /// Another run has this build output staged; this one goes on when the other is done.
    Waiting {
        /// The build output.
        path: PathBuf,
    },
    /// Bytes of changed members that were written so far, of so many.
    Progress {
        /// Done so far, in bytes.
        done: u64,
        /// All there is, in bytes.
        total: u64,
    },
    /// An input is done, well or not.
    Finished {
        /// The input.
        input: PathBuf,
    },
}

/// Takes events; called from several threads.
pub trait EventSink: Sync {
    /// Takes one.
    fn event(&self, event: Event);
}

/// Drops every event.
pub struct Silent;

impl EventSink for Silent {
    fn event(&self, _: Event) {}
}
