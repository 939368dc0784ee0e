//! From slices to the edits of a file: a slice that grows takes the gap behind it, else those behind it move.

use spokeshave_core::{Edit, Error, Result};

use super::slice::NewSlice;
use crate::image::{Binary, Fat, FatArch};

/// The largest `align` that slices are moved by: `lipo` allows 15 at most.
const MAX_ALIGN: u32 = 15;

/// The edits of the file, sorted and disjoint.
///
/// # Errors
/// When slices can't move: something lies between them, or 32 bits do not hold their places.
pub(super) fn edits(file: &Binary<'_>, slices: Vec<Option<NewSlice>>) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    let Some(fat) = &file.fat else {
        slices.into_iter().flatten().for_each(|slice| push(&mut edits, 0, slice));
        return Ok(edits);
    };
    let mut slices = slices;
    let (mut old_end, mut end) = (fat.table_end(), fat.table_end());
    for index in fat.by_offset() {
        let Some(arch) = fat.arches.get(index) else { continue };
        let slice = slices.get_mut(index).and_then(Option::take);
        let offset = if end <= arch.offset { arch.offset } else { aligned(fat, index, arch, end)? };
        if offset - end != arch.offset - old_end {
            edits.push(gap(file, old_end..arch.offset, offset - end)?);
        }
        let growth = slice.as_ref().map_or(0, NewSlice::growth);
        let size = arch.size.saturating_add(growth);
        if (offset, size) != (arch.offset, arch.size) {
            edits.push(Edit::new(fat.place_at(index), fat.place(index, offset, size)?));
        }
        if let Some(slice) = slice {
            push(&mut edits, arch.offset, slice);
        }
        old_end = arch.offset.saturating_add(arch.size);
        end = offset.saturating_add(size);
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    Ok(edits)
}

/// Where a slice goes that does not begin at or after `end`.
fn aligned(fat: &Fat, index: usize, arch: &FatArch, end: u64) -> Result<u64> {
    let at = fat.entry_at(index);
    if arch.align > MAX_ALIGN {
        let what = format!("the {} slice would have to move, and is aligned to 2^{}", arch.arch, arch.align);
        return Err(Error::new(what).offset(at).into());
    }
    let offset = end.checked_next_multiple_of(1 << arch.align);
    offset.ok_or_else(|| Error::new("the fat file grows beyond what offsets can say").offset(at).into())
}

/// The bytes between two slices get another size; they are zeros.
fn gap(file: &Binary<'_>, old: std::ops::Range<u64>, size: u64) -> Result<Edit> {
    let bytes = file.bytes.get(old.start as usize..old.end as usize).unwrap_or_default();
    if bytes.iter().any(|byte| *byte != 0) {
        let what = "a slice would have to grow over bytes that belong to no slice and are not zero";
        return Err(Error::new(what).offset(old.start).into());
    }
    Ok(Edit::new(old, vec![0; usize::try_from(size).unwrap_or(0)]))
}

fn push(edits: &mut Vec<Edit>, base: u64, slice: NewSlice) {
    edits.push(Edit::new(base..base.saturating_add(slice.head.len() as u64), slice.head));
    if let Some(tail) = slice.tail {
        let range = base.saturating_add(tail.range.start)..base.saturating_add(tail.range.end);
        edits.push(Edit::new(range, tail.bytes));
    }
}
