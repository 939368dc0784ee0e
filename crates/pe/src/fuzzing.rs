//! A door for the fuzz target and the mass test, which are crates of their own. No part of the API.

use spokeshave_core::{Edit, Result};

pub use crate::change::Changes;
pub use crate::facts::{Import, PeFacts};

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
