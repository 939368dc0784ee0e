//! The byte editor: changes in, edits of the old bytes out.
//!
//! In order of preference, new names are written over the old ones; into the zeros that fill up a section in the file
//! (so far it does not grow); into one new read-only section behind the others. That one's header takes room behind the
//! section table, and where there is none the headers are widened. What stands behind the sections (the overlay) moves
//! behind the new one, and all file offsets follow.
//!
//! Whatever is edited loses what vouches for its old imports: signature, bound imports, `DependentLoadFlags`.
//!
//! - [`references`]: which fields name a DLL, and which of them change
//! - [`place`]: where the new names go
//! - [`grow`]: the new section, its header, and what moves
//! - [`moves`]: where the old bytes stand afterwards
//! - [`invalidate`]: what no longer fits is taken away
//! - [`checksum`]: the checksum of the edited file
//! - [`write`]: same-size writes, insertions and removals, made into edits
//! - [`verify`]: the result, read back

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod checksum;
mod grow;
mod invalidate;
mod moves;
mod place;
mod references;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub(crate) use verify::verify;

use std::ops::Range;

use spokeshave_core::{Edit, Error, Result};

use crate::change::Changes;
use crate::facts::hybrid;
use crate::image::{Field, Image, Section};
use write::Writes;

/// The edits that carry out `changes`, read back and checked: what a backend's `patch` returns.
///
/// # Errors
/// When the file is damaged, is one that may not be changed (ARM64X), there is no way to place what is new, or the
/// result would not be what was asked for.
pub(crate) fn patch(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    let edits = edit(old, changes)?;
    if !edits.is_empty() {
        verify(old, &spokeshave_core::apply(old, &edits)?, changes)?;
    }
    Ok(edits)
}

/// The edits that carry out `changes`, sorted and disjoint; none when the file is that way already.
///
/// # Errors
/// As [`patch`], but for the last.
pub(crate) fn edit(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let image = Image::parse(old)?;
    let references = references::of(&image)?;
    let goal = references::goal(&references, changes)?;
    if goal.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    refuse(&image, &references)?;
    let mut writes = Writes::default();
    let mut moves = moves::Moves::default();
    place::place(&image, &references, &goal, &mut moves, &mut writes)?;
    invalidate::invalidate(&image, &mut moves, &mut writes)?;
    moves.follow(&image, &mut writes)?;
    let mut edits = writes.into_edits(old)?;
    references::check(&references, &edits)?;
    if image.header.check_sum != 0 {
        checksum::update(&image, &mut edits)?;
    }
    Ok(edits)
}

/// Refuses files whose import table is another one in another process, and tables among the headers, which may move.
fn refuse(image: &Image<'_>, references: &[references::Reference<'_>]) -> Result<()> {
    if let Some(hybrid) = hybrid(image) {
        let what = format!("is {}, whose imports can't be changed", hybrid.name());
        return Err(Error::new(what)
            .offset(image.header.offset_of(Field::NumberOfSections))
            .hint("carry it and what it imports under their own names")
            .into());
    }
    let table_end = image.header.section_table_end();
    let inside = |range: &Range<u64>| !range.is_empty() && range.start < table_end;
    if let Some(range) = image.sections.iter().map(Section::file_range).find(inside) {
        let what = format!("a section begins inside of the headers, which end at {table_end:#x}");
        return Err(Error::new(what).offset(range.start).into());
    }
    let imports = references.iter().flat_map(|reference| [reference.descriptor.start, reference.text.start]);
    let debug = image.debug_entries().into_iter().map(|entry| entry.pointer_offset);
    let config = image.load_config().dependent_load_flags.map(|(at, _)| at);
    let headers = u64::from(image.header.size_of_headers);
    match imports.chain(debug).chain(config).find(|at| *at < headers) {
        Some(at) => Err(Error::new("a table of the loader stands in the headers, which an edit may move")
            .offset(at)
            .into()),
        None => Ok(()),
    }
}
