//! Finds places for what is new, and says where everything stands afterwards.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

use super::dynamic::{self, Capacity};
use super::goal::Goal;
use super::grow::grow;
use super::home::Wanted;
use super::strings::Strings;
use super::versions;
use super::write::Writes;
use crate::image::{Image, Section, Segment, Verneed};

/// A table in its new place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Offset in the new file.
    pub offset: u64,
    /// Address.
    pub vaddr: u64,
    /// Size in bytes.
    pub size: u64,
}

/// Where everything stands afterwards.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// Old offsets from here on move by [`Placed::delta`].
    pub split: u64,
    /// By how much the file grows there.
    pub delta: u64,
    /// The string table, if it moved or grew.
    pub strings: Option<Place>,
    /// The dynamic section, if it moved.
    pub dynamic: Option<Place>,
    /// The old segment whose `.bss` is part of the file now.
    pub filled: Option<Segment>,
    /// The version needs that stay, if some were dropped.
    pub version_needs: Option<Vec<Verneed>>,
}

impl Placed {
    /// Nothing moves.
    pub fn unmoved(image: &Image<'_>) -> Self {
        let split = image.bytes.len() as u64;
        Placed { split, delta: 0, strings: None, dynamic: None, filled: None, version_needs: None }
    }

    /// Where the byte at an old offset stands afterwards.
    pub fn moved(&self, offset: u64) -> u64 {
        if offset >= self.split { offset.saturating_add(self.delta) } else { offset }
    }
}

/// Places the goal's strings and entries and writes them.
pub(super) fn place(image: &Image<'_>, goal: &Goal, writes: &mut Writes) -> Result<Placed> {
    let table = image.string_table();
    if table.is_empty() && !goal.texts.is_empty() {
        let at = image.dynamic.as_ref().map_or(0, |dynamic| dynamic.range.start);
        return Err(Error::new("dynamic section has no string table (DT_STRTAB, DT_STRSZ)")
            .offset(at)
            .into());
    }
    let strings = Strings::place(image, goal)?;
    let capacity = Capacity::of(image, goal)?;
    let appended = strings.appended.len() as u64;
    let wanted = Wanted {
        appended,
        after: table.start.saturating_add(strings.end),
        table: strings.end.saturating_add(appended),
        dynamic: !capacity.fits,
    };
    let mut placed = Placed::unmoved(image);
    versions::rename(image, goal, &strings, writes);
    if !goal.dropped.is_empty() {
        versions::drop(image, goal, writes)?;
        placed.version_needs = Some(goal.kept.clone());
    }
    if wanted.appended > 0 || wanted.dynamic {
        grow(image, goal, &strings, &capacity, wanted, &mut placed, writes)?;
    }
    if placed.strings.is_none_or(|new| new.offset == table.start) {
        for (at, bytes) in &strings.reused {
            writes.put(table.start.saturating_add(*at), bytes.as_slice());
        }
    } else if is_only_strings(image) {
        // Nothing reads the old table any more, and zeros cost little in an archive.
        let size = table.end.saturating_sub(table.start);
        writes.put(table.start, vec![0; usize::try_from(size).unwrap_or(0)]);
    }
    if placed.dynamic.is_none() {
        let (start, vaddr) = capacity.old;
        let place = Place { offset: start, vaddr, size: capacity.size };
        writes.put(start, dynamic::encode(image, goal, &strings, &placed, place)?);
    }
    Ok(placed)
}

/// Whether the section headers vouch that the string table's bytes are nothing else as well.
fn is_only_strings(image: &Image<'_>) -> bool {
    let table = image.string_table();
    let Some(sections) = image.sections() else { return false };
    let range = |section: &Section| section.offset..section.offset.saturating_add(section.file_size());
    let touches =
        |other: &Range<u64>| !other.is_empty() && other.start < table.end && table.start < other.end;
    let mut others = sections.iter().filter(|section| touches(&range(section)));
    let alone =
        others.next().is_some_and(|own| own.kind == elf::SHT_STRTAB && own.is_alloc() && range(own) == table)
            && others.next().is_none();
    let mut segments = image.segments.iter().filter(|segment| segment.kind != elf::PT_LOAD);
    alone && !segments.any(|segment| touches(&segment.file_range()))
}
