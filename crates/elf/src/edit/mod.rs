//! The byte editor: changes in, edits of the old bytes out.
//!
//! It is driven by `PT_DYNAMIC` and leaves alone what it does not have to touch. In order of preference, new strings
//! go where dead strings stood; to the end of the segment that ends with the string table, which is how our own output
//! is edited again; with a copy of the table into the padding between two segments (so far the file did not grow);
//! behind the last `PT_LOAD`, whose `.bss` becomes part of the file; into a new `PT_LOAD`, the one case in which the
//! program headers move.
//!
//! - [`goal`]: which entries the dynamic section and the version needs are to have
//! - [`strings`]: which strings are dead, and where the new ones go
//! - [`home`]: where the file can grow
//! - [`place`], [`grow`]: what is new finds its place, and the program headers follow
//! - [`dynamic`], [`versions`]: the dynamic section and the version needs, written
//! - [`tables`]: records of the file format, encoded
//! - [`sections`]: the section header table kept in step
//! - [`strip`]: sections that no segment loads, dropped
//! - [`write`]: same-size writes and the grown area, made into edits
//! - [`verify`]: the result, read back
//! - [`view`]: what a loader sees of a file

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod dynamic;
mod goal;
mod grow;
mod home;
mod place;
mod refuse;
mod sections;
mod strings;
mod strip;
mod tables;
#[cfg(test)]
mod tests;
mod verify;
mod versions;
mod view;
mod write;

pub(crate) use verify::verify;

use object::elf;
use spokeshave_core::{Edit, Result};

use crate::change::Changes;
use crate::image::Image;
use goal::Goal;
use place::Placed;
use write::Writes;

/// The edits that carry out `changes`, read back and checked: what a backend's `patch` returns.
///
/// # Errors
/// When the file is damaged, is one that may not be changed (ld.so, a static program), or the result would not be
/// what was asked for.
pub(crate) fn patch(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    let edits = edit(old, changes)?;
    if !edits.is_empty() {
        verify::check(old, &edits, changes)?;
    }
    Ok(edits)
}

/// The edits that carry out `changes`, sorted and disjoint; none when the file is that way already.
///
/// # Errors
/// When the file is damaged, is one that may not be changed (ld.so, a static program), or there is no way to place
/// what is new.
pub(crate) fn edit(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let image = Image::parse(old)?;
    refuse::check_segments(&image)?;
    let mut writes = Writes::default();
    let mut placed = Placed::unmoved(&image);
    if let Some(goal) = Goal::of(&image, changes)? {
        refuse::check(&image)?;
        placed = place::place(&image, &goal, &mut writes)?;
    }
    if changes.strip && image.header.file_type != elf::ET_REL && image.has_strippable_sections() {
        strip::strip(&image, &placed, &mut writes)?;
    } else {
        sections::update(&image, &placed, &mut writes)?;
    }
    writes.into_edits(old)
}
