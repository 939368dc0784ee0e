//! The new file as far as the read-back must see it: what was edited and what the reader reads. The rest is never touched,
//! so it takes no memory; of it the edits themselves say whether it is the old one.

use std::ops::Range;

use spokeshave_core::{Edit, Error, Result};

use crate::image::{Binary, Content};

/// The file after `edits`, in which nothing but edits, headers and load commands is filled in.
///
/// # Errors
/// When the edits overlap, are out of order or reach past the end.
pub(super) fn sketch(old: &Binary<'_>, edits: &[Edit]) -> Result<Vec<u8>> {
    let fault =
        |at: u64| Error::new("an edit overlaps its neighbour or leads outside of the file").offset(at);
    let (mut size, mut end) = (old.bytes.len() as u64, 0);
    for edit in edits {
        let room = edit.range.start >= end && edit.range.end <= old.bytes.len() as u64;
        let removed = edit.range.end.checked_sub(edit.range.start).filter(|_| room);
        let removed = removed.ok_or_else(|| fault(edit.range.start))?;
        size = size.saturating_sub(removed).saturating_add(edit.bytes.len() as u64);
        end = edit.range.end;
    }
    let mut sketch = vec![0; usize::try_from(size).map_err(|_| fault(end))?];
    let mut put = |at: u64, bytes: &[u8]| {
        let room = usize::try_from(at).ok().and_then(|at| sketch.get_mut(at..)?.get_mut(..bytes.len()));
        room.map(|room| room.copy_from_slice(bytes)).ok_or_else(|| fault(at))
    };
    let heads = heads(old);
    let mut edits_left = edits.iter();
    let (mut at, mut new_at) = (0_u64, 0_u64);
    loop {
        let edit = edits_left.next();
        let until = edit.map_or(old.bytes.len() as u64, |edit| edit.range.start);
        for head in &heads {
            let part = head.start.max(at)..head.end.min(until);
            if let Some(bytes) = old.bytes.get(part.start as usize..part.end as usize) {
                put(new_at.saturating_add(part.start - at), bytes)?;
            }
        }
        let Some(edit) = edit else { return Ok(sketch) };
        new_at = new_at.saturating_add(until.saturating_sub(at));
        put(new_at, &edit.bytes)?;
        new_at = new_at.saturating_add(edit.bytes.len() as u64);
        at = edit.range.end;
    }
}

/// The fat header; header and load commands of each slice.
fn heads(old: &Binary<'_>) -> Vec<Range<u64>> {
    let table = old.fat.iter().map(|fat| 0..fat.table_end());
    let heads = old.slices.iter().map(|slice| match slice {
        Content::Image(image) => image.view.base..image.view.base.saturating_add(image.header.commands_end()),
        Content::Other(view, _) => view.base..view.base,
    });
    table.chain(heads).collect()
}

/// Whether `old` is left alone by `edits` and stands at `new` afterwards.
pub(super) fn is_kept(edits: &[Edit], old: &Range<u64>, new: &Range<u64>) -> bool {
    let mut moved = old.start;
    for edit in edits {
        if edit.range.end <= old.start {
            let removed = edit.range.end.saturating_sub(edit.range.start);
            moved = moved.saturating_add(edit.bytes.len() as u64).saturating_sub(removed);
        } else if edit.range.start < old.end {
            return false;
        }
    }
    let size = |range: &Range<u64>| range.end.saturating_sub(range.start);
    moved == new.start && size(old) == size(new)
}
