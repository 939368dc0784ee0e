//! The byte editor: changes in, edits of the old bytes out.
//!
//! Names stand in the load commands, which may grow up to the first section and no further: nothing behind them moves.
//! What else changes is the signature, at the end of `__LINKEDIT`.
//!
//! - [`goal`]: what the load commands are to say
//! - [`budget`]: whether they fit
//! - [`commands`]: header and load commands, written anew
//! - [`seal`]: the signature's place
//! - [`slice`], [`layout`]: one slice; the slices of a fat file
//! - [`verify`], [`sketch`]: the result, read back

mod budget;
mod commands;
mod goal;
mod layout;
mod seal;
mod sketch;
mod slice;
#[cfg(test)]
mod tests;
mod verify;

pub use budget::{Budget, budget};
pub(crate) use verify::verify;

use spokeshave_core::{Edit, Error, Result};

use crate::change::Changes;
use crate::facts::{MachoFacts, Slice};
use crate::image::{Binary, Content};

/// The edits that carry out `changes`, read back and checked: what a backend's `patch` returns.
///
/// A slice that changes and had a signature, or is for arm64, is signed ad hoc.
///
/// # Errors
/// When the file is damaged, a name does not fit before the first section of its slice, the signature finds no place,
/// or the result would not be what was asked for.
pub fn patch(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    let edits = edit(old, changes)?;
    if !edits.is_empty() {
        verify::check(old, &edits, changes)?;
    }
    Ok(edits)
}

fn edit(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let file = Binary::parse(old)?;
    let facts = MachoFacts::of(&file)?;
    if changes.slices.len() != file.slices.len() {
        let (asked, slices) = (changes.slices.len(), file.slices.len());
        return Err(Error::new(format!("changes for {asked} slices of a file that has {slices}")).into());
    }
    let mut slices = Vec::with_capacity(file.slices.len());
    for ((content, facts), change) in file.slices.iter().zip(&facts.slices).zip(&changes.slices) {
        slices.push(match content {
            _ if change.is_empty() => None,
            Content::Image(image) if image.inert().is_none() => {
                slice::edit(image, facts, change, &changes.file_name)?
            }
            Content::Image(_) | Content::Other(..) => return Err(inert(facts).into()),
        });
    }
    layout::edits(&file, slices)
}

fn inert(facts: &Slice) -> Error {
    Error::new(format!("{}: changes for what no loader loads", facts.arch)).offset(facts.offset)
}
