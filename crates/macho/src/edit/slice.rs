//! One slice: its header anew, and its signature.

use std::ops::Range;

use spokeshave_core::Result;

use super::goal::Goal;
use super::{commands, seal};
use crate::change::SliceChanges;
use crate::facts::Slice;
use crate::image::Image;

/// What becomes of a slice: ranges of its old bytes and what stands there afterwards.
#[derive(Debug)]
pub(super) struct NewSlice {
    /// The header and load commands. They replace as many old bytes.
    pub head: Vec<u8>,
    /// The signature.
    pub tail: Option<Tail>,
}

/// The end of `__LINKEDIT`.
#[derive(Debug)]
pub(super) struct Tail {
    /// The old signature, or the place where there was none.
    pub range: Range<u64>,
    /// The new one, with zeros in front of it up to its alignment.
    pub bytes: Vec<u8>,
}

impl NewSlice {
    /// By how many bytes the slice grows.
    pub fn growth(&self) -> u64 {
        let tail = self.tail.as_ref();
        tail.map_or(0, |tail| (tail.bytes.len() as u64).saturating_sub(tail.range.end - tail.range.start))
    }
}

/// What becomes of the slice `image`; `None` when it is as `changes` ask.
///
/// # Errors
/// When the names do not fit before the first section, or the signature finds no place.
pub(super) fn edit(
    image: &Image<'_>,
    facts: &Slice,
    changes: &SliceChanges,
    file_name: &str,
) -> Result<Option<NewSlice>> {
    let Some(goal) = Goal::of(facts, changes) else { return Ok(None) };
    let head = commands::rewrite(image, facts, &goal)?;
    if !facts.layout.code_signature && !facts.arch.must_be_signed() {
        return Ok(Some(NewSlice { head, tail: None }));
    }
    let (head, tail) = seal::seal(image, facts, head, file_name)?;
    Ok(Some(NewSlice { head, tail: Some(tail) }))
}
