//! A door for the fuzz target and the mass test, which are crates of their own. No part of the API.

use spokeshave_core::{Edit, Result};

pub use crate::change::{Changes, SliceChanges};
pub use crate::edit::{Budget, budget};
pub use crate::facts::{Arch, Dylib, DylibKind, MachoFacts, Slice};

/// Whether a file that begins with `head` is a Mach-O file.
pub fn recognizes(head: &[u8]) -> bool {
    crate::image::recognizes(head)
}

/// The checked edits for `changes`.
///
/// # Errors
/// When they can't be carried out.
pub fn patch(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    crate::edit::patch(old, changes)
}

/// Compares the edited file with the old one.
///
/// # Errors
/// When it is not the old one with the changes.
pub fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    crate::edit::verify(old, new, changes)
}
