//! Where the file can grow.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

use crate::image::{Image, Segment};

/// The largest `.bss` of a library that becomes part of the file rather than move the program headers.
const LIBRARY_ZEROS: u64 = 1 << 20;
/// The same of a program. Kernels before 5.18 look for moved program headers in the wrong place, so it is larger.
const PROGRAM_ZEROS: u64 = 64 << 20;
/// Padding that may stand between the parts of our own area.
pub(super) const PADDING: u64 = 16;

/// Where the file grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// This segment ends with the string table, which grows where it is: into the gap behind, or, as the last one, by
    /// inserting bytes.
    Tail {
        /// Its index.
        index: usize,
        /// Whether it grows into the gap.
        gap: bool,
    },
    /// The gap in file and memory between this segment and the next one. The file does not grow.
    Gap(usize),
    /// The last `PT_LOAD`, over its `.bss`.
    Extend(usize),
    /// A `PT_LOAD` of its own, after the one with this index.
    New(usize),
}

/// What has to find room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Bytes that the string table gets at its end; 0 when it stays as it is.
    pub appended: u64,
    /// Where they begin in the file, if they follow what is there.
    pub after: u64,
    /// Bytes of the whole table in another place.
    pub table: u64,
    /// The dynamic section gets longer than its place.
    pub dynamic: bool,
}

impl Home {
    /// The first choice that works.
    pub fn choose(image: &Image<'_>, wanted: Wanted) -> Result<Self> {
        let loads = || image.segments.iter().enumerate().filter(|(_, segment)| segment.kind == elf::PT_LOAD);
        let Some((index, segment)) = loads().max_by_key(|(_, segment)| segment.vaddr) else {
            return Err(Error::new("has no PT_LOAD to extend").into());
        };
        let writable = segment.flags.contains(elf::PF_W);
        if wanted.appended > 0 && ends_with_strings(image, segment) && (writable || !wanted.dynamic) {
            return Ok(Home::Tail { index, gap: false });
        }
        if wanted.appended > 0 && !wanted.dynamic {
            let tail = |segment: &Segment| {
                let grown = wanted.after.saturating_add(wanted.appended);
                ends_with_strings(image, segment)
                    && dynamic_behind_strings(image).is_none()
                    && has_gap(image, segment, grown.saturating_sub(segment.file_range().end))
            };
            if let Some((index, _)) = loads().find(|(_, segment)| tail(segment)) {
                return Ok(Home::Tail { index, gap: true });
            }
            let size = wanted.table.saturating_add(PADDING);
            if let Some((index, _)) = loads().find(|(_, segment)| has_gap(image, segment, size)) {
                return Ok(Home::Gap(index));
            }
        }
        let program = image.segment(elf::PT_INTERP).is_some() || image.header.file_type == elf::ET_EXEC;
        let limit = if program { PROGRAM_ZEROS } else { LIBRARY_ZEROS };
        let small = segment.memsz.saturating_sub(segment.filesz) <= limit;
        if small && (writable || !wanted.dynamic) && can_grow(image, index, segment) {
            return Ok(Home::Extend(index));
        }
        Ok(Home::New(index))
    }

    /// The index of the segment that it is about.
    pub fn index(self) -> usize {
        let (Home::Tail { index, .. } | Home::Gap(index) | Home::Extend(index) | Home::New(index)) = self;
        index
    }

    /// Whether it takes bytes of a gap instead of inserting some.
    pub fn is_gap(self) -> bool {
        matches!(self, Home::Gap(_) | Home::Tail { gap: true, .. })
    }
}

/// Whether `size` bytes behind a segment belong to nothing, in the file and in memory, and are zero.
fn has_gap(image: &Image<'_>, segment: &Segment, size: u64) -> bool {
    let range = segment.file_range().end..segment.file_range().end.saturating_add(size);
    let Ok(page) = page(image) else { return false };
    // Between two segments only: what stands behind the last one is for a strip to cut.
    let Some(next) = image.loads().map(|load| load.vaddr).filter(|vaddr| *vaddr > segment.vaddr).min() else {
        return false;
    };
    let free_memory = (next - next % page).saturating_sub(segment.addresses().end) >= size;
    let touches = |other: Range<u64>| !other.is_empty() && other.start < range.end && range.start < other.end;
    let header = &image.header;
    let table = |at: u64, size: u64, count: u64| at..at.saturating_add(size.saturating_mul(count));
    let sections = image.sections().unwrap_or_default();
    let taken = sections
        .iter()
        .map(|section| section.offset..section.offset.saturating_add(section.file_size()))
        .chain(image.segments.iter().map(Segment::file_range))
        .chain([
            table(header.shoff, header.section_entsize(), header.shnum.into()),
            table(header.phoff, header.phentsize(), header.phnum.into()),
        ])
        .any(touches);
    let behind = image.loads().any(|load| load.filesz > 0 && load.offset >= range.end);
    let zero = image.slice(range.clone()).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    segment.filesz > 0 && segment.filesz == segment.memsz && free_memory && behind && !taken && zero
}

/// Whether bytes can be inserted behind the segment's part of the file without tearing another one apart.
fn can_grow(image: &Image<'_>, index: usize, segment: &Segment) -> bool {
    let end = segment.file_range().end;
    let torn = |other: &Segment| other.offset < end && end < other.file_range().end;
    let mut others = image.segments.iter().enumerate().filter(|(other, _)| *other != index);
    end <= image.bytes.len() as u64
        && (segment.filesz > 0 || end == loaded_end(image))
        && !others.any(|(_, other)| other.kind == elf::PT_LOAD && torn(other))
}

/// The end of what is loaded from the file.
pub(super) fn loaded_end(image: &Image<'_>) -> u64 {
    let ends = image.loads().filter(|load| load.filesz > 0).map(|load| load.file_range().end);
    ends.max().unwrap_or(0).min(image.bytes.len() as u64)
}

/// Whether the segment's part of the file ends with the string table, or with string table and dynamic section.
fn ends_with_strings(image: &Image<'_>, segment: &Segment) -> bool {
    let strings = image.string_table();
    let inside = segment.offset <= strings.start && strings.end <= segment.file_range().end;
    if strings.is_empty() || segment.filesz != segment.memsz || !inside {
        return false;
    }
    let padding = |range: Range<u64>| {
        range.end.wrapping_sub(range.start) < PADDING
            && image.slice(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    };
    let end = segment.file_range().end;
    match dynamic_behind_strings(image) {
        Some(dynamic) => padding(strings.end..dynamic.start) && padding(dynamic.end..end),
        None => padding(strings.end..end),
    }
}

/// The file range of the dynamic section, if it stands right behind the string table.
pub(super) fn dynamic_behind_strings(image: &Image<'_>) -> Option<Range<u64>> {
    let end = image.string_table().end;
    let range = image.dynamic.as_ref()?.range.clone();
    (range.start >= end && range.start - end < PADDING).then_some(range)
}

/// The largest alignment that the loaded segments ask for.
pub(super) fn page(image: &Image<'_>) -> Result<u64> {
    let align = image.loads().map(|load| load.align).max().unwrap_or(0).max(0x1000);
    if !align.is_power_of_two() || align > 1 << 30 {
        return Err(Error::new(format!("a PT_LOAD has the alignment {align:#x}"))
            .offset(image.header.phoff)
            .into());
    }
    Ok(align)
}
