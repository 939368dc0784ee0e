//! Reads back what was written, as a loader sees it.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Edit, Error, Result};

use super::view::{View, expected};
use crate::change::Changes;
use crate::image::{Image, Segment};

/// Checks that `new` is `old` with `changes` and nothing else: references, search path and versions, symbol names,
/// segments, and every other loaded byte.
///
/// # Errors
/// When it is not.
pub(crate) fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    let before = Image::parse(old)?;
    let after = Image::parse(new).map_err(|error| error.context("the changed file can't be read back"))?;
    compare(&before, &after, changes)?;
    let mut may_change = tables(&before, changes)?;
    may_change.extend(words_that_follow(&before)?);
    for (segment, counterpart) in before.loads().zip(after.loads()) {
        let (Some(was), Some(is)) = (old_bytes(&before, segment), old_bytes(&after, counterpart)) else {
            continue;
        };
        let mut at = 0;
        while let Some(step) = first_difference(was.get(at..), is.get(at..)) {
            let place = segment.offset.saturating_add((at + step) as u64);
            let Some(range) = may_change.iter().find(|range| range.contains(&place)) else {
                return Err(fault("a loaded byte changed that should not have", place));
            };
            at = usize::try_from(range.end.saturating_sub(segment.offset)).unwrap_or(usize::MAX);
        }
    }
    Ok(())
}

/// [`verify`] for edits that are not carried out yet: only the tables are put together, not the file.
///
/// # Errors
/// When the edited file would not be what was asked for.
pub(super) fn check(old: &[u8], edits: &[Edit], changes: &Changes) -> Result<()> {
    let before = Image::parse(old)?;
    let mut may_change = tables(&before, changes)?;
    let contents = before.loads().filter(|load| load.filesz > 0);
    let loaded = contents.map(|load| load.file_range().end).max().unwrap_or(0);
    for edit in edits {
        let strip = edit.range.start >= loaded || is_gap(&before, &edit.range);
        let inside = |range: &Range<u64>| range.start <= edit.range.start && edit.range.end <= range.end;
        if strip || edit.range.is_empty() || may_change.iter().any(inside) {
            continue;
        }
        let words = words_that_follow(&before)?;
        if !words.iter().any(inside) {
            return Err(fault("an edit leads outside of the tables", edit.range.start));
        }
        may_change.extend(words);
    }
    let sketch = sketch(old, edits, &may_change)?;
    let after =
        Image::parse(&sketch).map_err(|error| error.context("the changed file can't be read back"))?;
    compare(&before, &after, changes)
}

/// Whether a range belongs to no segment and holds nothing.
fn is_gap(image: &Image<'_>, range: &Range<u64>) -> bool {
    let touches = |segment: &Segment| segment.offset < range.end && range.start < segment.file_range().end;
    let mut taken = image.segments.iter().filter(|segment| segment.filesz > 0);
    !taken.any(touches) && image.slice(range.clone()).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

/// The new file with only edits and `tables` in it; the rest is never touched, so it takes no memory.
fn sketch(old: &[u8], edits: &[Edit], tables: &[Range<u64>]) -> Result<Vec<u8>> {
    let added: u64 = edits.iter().map(|edit| edit.bytes.len() as u64).sum();
    let removed: u64 = edits.iter().map(|edit| edit.range.end.saturating_sub(edit.range.start)).sum();
    let size = (old.len() as u64).saturating_add(added).saturating_sub(removed);
    let mut sketch =
        vec![0; usize::try_from(size).map_err(|_| Error::new("the changed file would be too large"))?];
    let mut copy = |at: u64, bytes: &[u8]| {
        let room = usize::try_from(at).ok().and_then(|at| sketch.get_mut(at..)?.get_mut(..bytes.len()));
        room.map(|room| room.copy_from_slice(bytes))
            .ok_or_else(|| fault("an edit leads outside of the file", at))
    };
    let slice = |range: Range<u64>| old.get(range.start as usize..range.end as usize);
    let (mut at, mut new_at) = (0, 0_u64);
    let mut edits = edits.iter();
    loop {
        let edit = edits.next();
        let until = edit.map_or(old.len() as u64, |edit| edit.range.start);
        for table in tables {
            let part = table.start.max(at)..table.end.min(until);
            if part.start < part.end
                && let Some(bytes) = slice(part.clone())
            {
                copy(new_at.saturating_add(part.start - at), bytes)?;
            }
        }
        let Some(edit) = edit else { return Ok(sketch) };
        new_at = new_at.saturating_add(until.saturating_sub(at));
        copy(new_at, &edit.bytes)?;
        new_at = new_at.saturating_add(edit.bytes.len() as u64);
        at = edit.range.end;
    }
}

/// Where the editor may write inside of what is loaded.
fn tables(image: &Image<'_>, changes: &Changes) -> Result<Vec<Range<u64>>> {
    let header = &image.header;
    let mut ranges = Vec::new();
    ranges.push(0..header.size());
    ranges.push(
        header.phoff..header.phoff.saturating_add(header.phentsize().saturating_mul(header.phnum.into())),
    );
    if let Some(table) = image.sections() {
        let size = header.section_entsize().saturating_mul(table.len() as u64);
        ranges.push(header.shoff..header.shoff.saturating_add(size));
    }
    let Some(dynamic) = &image.dynamic else { return Ok(ranges) };
    ranges.push(dynamic.range.clone());
    ranges.push(image.string_table());
    for need in image.version_needs()? {
        ranges.push(need.offset..need.offset.saturating_add(16));
        ranges.extend(need.aux.iter().map(|aux| aux.offset..aux.offset.saturating_add(16)));
    }
    ranges.extend(image.version_defs()?.iter().flat_map(|def| &def.records).cloned());
    // Versions go from the symbols only with the reference that they belong to.
    if let Some(address) = dynamic.value(elf::DT_VERSYM)
        && changes.needed.iter().any(|(_, new)| new.is_none())
    {
        ranges.extend(image.range_of(address, (image.symbols()?.len() as u64).saturating_mul(2)));
    }
    ranges.extend(image.segment(elf::PT_INTERP).map(Segment::file_range));
    // The string table may have grown over the padding behind it, and over a dynamic section behind that.
    if let Some(load) = image.loads().find(|load| load.file_range().contains(&image.string_table().start)) {
        let end = load.file_range().end;
        let strings = image.string_table();
        if end.saturating_sub(strings.end)
            < dynamic.range.end.saturating_sub(dynamic.range.start).saturating_add(32)
        {
            ranges.push(strings.start..end);
        }
    }
    Ok(ranges)
}

/// The words that hold the address of the dynamic section.
fn words_that_follow(image: &Image<'_>) -> Result<Vec<Range<u64>>> {
    let words = super::dynamic::addresses_of_dynamic(image)?;
    Ok(words.into_iter().map(|at| at..at.saturating_add(image.word())).collect())
}

fn compare(before: &Image<'_>, after: &Image<'_>, changes: &Changes) -> Result<()> {
    segments(before, after)?;
    let (is, should) = (View::of(after)?, expected(before, changes)?);
    if is != should {
        let what = format!("the loader would not see what was asked for: {}", should.difference(&is));
        return Err(fault(&what, after.dynamic.as_ref().map_or(0, |dynamic| dynamic.range.start)));
    }
    let symbols = before.symbols()?;
    for name in symbols.names() {
        // A symbol whose name could not be read before need not be readable now.
        if let Ok(old) = before.string(name.into())
            && after.string(name.into()).ok() != Some(old)
        {
            return Err(fault("a symbol lost its name", after.string_table().start));
        }
    }
    Ok(())
}

/// The segments map the same contents, and nothing over each other.
fn segments(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let at = after.header.phoff;
    let identity = |image: &Image<'_>| {
        let header = &image.header;
        (header.is_64, header.endian, header.osabi, header.file_type, header.machine, header.flags)
    };
    if identity(before) != identity(after) || before.interp().ok() != after.interp().ok() {
        return Err(fault("the ELF header or PT_INTERP changed", 0));
    }
    let kept = |image: &Image<'_>| -> Vec<_> {
        let fixed = |segment: &&Segment| {
            ![elf::PT_LOAD, elf::PT_PHDR, elf::PT_DYNAMIC, elf::PT_NULL].contains(&segment.kind)
        };
        let key = |segment: &Segment| {
            (segment.kind, segment.flags, segment.vaddr, segment.filesz, segment.memsz, segment.align)
        };
        image.segments.iter().filter(fixed).map(key).collect()
    };
    if kept(before) != kept(after) {
        return Err(fault("a program header changed that should not have", at));
    }
    let congruent = |load: &Segment| load.align <= 1 || load.offset % load.align == load.vaddr % load.align;
    let overlaps =
        after.loads().zip(after.loads().skip(1)).any(|(low, high)| low.addresses().end > high.vaddr);
    if overlaps {
        return Err(fault("segments overlap or are out of order", at));
    }
    // A new segment comes behind the old ones.
    let mut after_loads = after.loads();
    for load in before.loads() {
        let same = |other: &&Segment| {
            other.vaddr == load.vaddr && other.flags == load.flags && other.align == load.align
        };
        let Some(new) = after_loads.next().filter(same) else {
            return Err(fault("a segment is missing", at));
        };
        if new.filesz < load.filesz || new.memsz < load.memsz {
            return Err(fault("a segment became smaller", at));
        }
        if congruent(load) && !congruent(new) {
            return Err(fault("a segment's address and offset differ modulo its alignment", at));
        }
        let zeros =
            new.offset.saturating_add(load.filesz)..new.offset.saturating_add(load.memsz.min(new.filesz));
        let dirty = after.slice(zeros).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0));
        if load.memsz > load.filesz && dirty {
            return Err(fault("memory that was zero no longer is", new.offset));
        }
    }
    if let Some(new) = after_loads.find(|new| !congruent(new)) {
        return Err(fault("the new segment's address and offset differ modulo its alignment", new.offset));
    }
    if let Some(phdr) = after.segment(elf::PT_PHDR)
        && phdr.offset != after.header.phoff
        && before.segment(elf::PT_PHDR).is_some_and(|old| old.offset == before.header.phoff)
    {
        return Err(fault("PT_PHDR does not lead to the program headers", at));
    }
    Ok(())
}

fn old_bytes<'a>(image: &Image<'a>, segment: &Segment) -> Option<&'a [u8]> {
    image.slice(segment.file_range())
}

/// How many leading bytes are the same, if there is a difference within the first one's length.
fn first_difference(was: Option<&[u8]>, is: Option<&[u8]>) -> Option<usize> {
    let (was, is) = (was?, is.unwrap_or_default());
    const BLOCK: usize = 4096;
    let mut at = 0;
    while at < was.len() {
        let end = was.len().min(at + BLOCK);
        let (left, right) = (was.get(at..end)?, is.get(at..end).unwrap_or_default());
        if left != right {
            let step = left.iter().zip(right).position(|(left, right)| left != right);
            return Some(at + step.unwrap_or(right.len()));
        }
        at = end;
    }
    None
}

fn fault(what: &str, offset: u64) -> anyhow::Error {
    Error::new(format!("read back: {what}"))
        .offset(offset)
        .hint("this is a fault of the editor; please report it")
        .into()
}
