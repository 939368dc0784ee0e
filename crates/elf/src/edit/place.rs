//! Places what is new, and says what the program headers become.

use object::elf;
use spokeshave_core::{Error, Result};

use super::dynamic::{self, Capacity};
use super::goal::Goal;
use super::home::{self, Home, PADDING, Wanted};
use super::strings::Strings;
use super::tables;
use super::versions;
use super::write::Writes;
use crate::image::{Image, Segment, Verneed};

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

/// New bytes at a known place of the new file and of memory.
struct Area {
    offset: u64,
    vaddr: u64,
    bytes: Vec<u8>,
}

impl Area {
    fn align(&mut self, to: u64) {
        let at = self.vaddr.wrapping_add(self.bytes.len() as u64);
        let padding = at.wrapping_neg() % to;
        self.zeros(padding);
    }

    fn zeros(&mut self, count: u64) {
        let size = self.bytes.len().saturating_add(count as usize);
        self.bytes.resize(size, 0);
    }

    /// The place of `size` bytes that come next.
    fn next(&self, size: u64) -> Place {
        let before = self.bytes.len() as u64;
        let (offset, vaddr) = (self.offset.saturating_add(before), self.vaddr.saturating_add(before));
        Place { offset, vaddr, size }
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
    let wanted = Wanted { strings: !strings.appended.is_empty(), dynamic: !capacity.fits };
    let mut placed = Placed::unmoved(image);
    versions::rename(image, goal, &strings, writes);
    if !goal.dropped.is_empty() {
        versions::drop(image, goal, writes)?;
        placed.version_needs = Some(goal.kept.clone());
    }
    if wanted.strings || wanted.dynamic {
        grow(image, goal, &strings, &capacity, wanted, &mut placed, writes)?;
    }
    if placed.strings.is_none_or(|new| new.offset == table.start) {
        for (at, bytes) in &strings.reused {
            writes.put(table.start.saturating_add(*at), bytes.as_slice());
        }
    }
    if placed.dynamic.is_none() {
        let (start, vaddr) = capacity.old;
        let place = Place { offset: start, vaddr, size: capacity.size };
        writes.put(start, dynamic::encode(image, goal, &strings, &placed, place)?);
    }
    Ok(placed)
}

fn grow(
    image: &Image<'_>,
    goal: &Goal,
    strings: &Strings,
    capacity: &Capacity,
    wanted: Wanted,
    placed: &mut Placed,
    writes: &mut Writes,
) -> Result<()> {
    let table = image.string_table();
    let home = Home::choose(image, wanted)?;
    let (Home::Tail(index) | Home::Extend(index) | Home::New(index)) = home;
    let Some(segment) = image.segments.get(index).copied() else { return Ok(()) };
    let mut segments = image.segments.clone();
    let mut moves_headers = false;
    let mut dynamic_moves = wanted.dynamic;

    // 1. Where the new bytes begin, and which old ones they replace.
    let end = segment.file_range().end;
    let mut area =
        Area { offset: end, vaddr: segment.vaddr.saturating_add(segment.filesz), bytes: Vec::new() };
    let mut replaced = end..end;
    match home {
        Home::Tail(_) => {
            replaced.start = table.start.saturating_add(strings.end);
            area.offset = replaced.start;
            area.vaddr = segment.vaddr.saturating_add(replaced.start.saturating_sub(segment.offset));
            dynamic_moves |= home::dynamic_behind_strings(image).is_some();
        }
        Home::Extend(_) => {
            area.zeros(segment.memsz.saturating_sub(segment.filesz));
            area.align(PADDING);
            placed.filled = (segment.memsz > segment.filesz).then_some(segment);
        }
        Home::New(_) => {
            let page = home::page(image)?;
            let at = home::loaded_end(image);
            let top = image.loads().map(|load| load.addresses().end).max().unwrap_or(0);
            let vaddr = top.checked_next_multiple_of(page).and_then(|base| base.checked_add(at % page));
            area.vaddr = vaddr.ok_or_else(|| no_addresses_left(image))?;
            area.offset = at;
            replaced = at..at;
            area.align(PADDING);
            moves_headers = !segments.iter().any(|segment| segment.kind == elf::PT_NULL);
            if moves_headers {
                let size = image.header.phentsize().saturating_mul(segments.len() as u64 + 1);
                area.zeros(size);
                area.align(PADDING);
            }
        }
    }

    // 2. The strings, then the dynamic section, which needs their address.
    if wanted.strings {
        let size = strings.end.saturating_add(strings.appended.len() as u64);
        if home == Home::Tail(index) {
            let vaddr = segment.vaddr.saturating_add(table.start.saturating_sub(segment.offset));
            placed.strings = Some(Place { offset: table.start, vaddr, size });
        } else {
            placed.strings = Some(area.next(size));
            area.bytes.extend_from_slice(&table_copy(image, strings));
        }
        area.bytes.extend_from_slice(&strings.appended);
    }
    if dynamic_moves {
        area.align(image.word());
        let place = area.next(capacity.roomy);
        placed.dynamic = Some(place);
        area.bytes.extend_from_slice(&dynamic::encode(image, goal, strings, placed, place)?);
        dynamic::follow(image, place, writes)?;
    }

    // 3. What stands behind keeps its alignment.
    let others_behind = image.loads().any(|load| load.filesz > 0 && load.offset >= replaced.end);
    let step = if others_behind { home::page(image)? } else { PADDING };
    let before = replaced.end.saturating_sub(replaced.start);
    let growth = (area.bytes.len() as u64).saturating_sub(before).next_multiple_of(step);
    let size = before.saturating_add(growth);
    area.zeros(size.saturating_sub(area.bytes.len() as u64));
    placed.split = replaced.end;
    placed.delta = growth;

    // 4. The program headers.
    for (at, other) in segments.iter_mut().enumerate() {
        if other.filesz > 0 && !(at == index && home != Home::New(index)) {
            other.offset = placed.moved(other.offset);
        }
    }
    let limit = if image.header.is_64 { u64::MAX } else { u32::MAX.into() };
    if area.vaddr.checked_add(size).is_none_or(|top| top > limit) {
        return Err(no_addresses_left(image));
    }
    let paddr_shift = match home {
        Home::New(_) => {
            let flags = if dynamic_moves { elf::PF_R | elf::PF_W } else { elf::PF_R };
            let new = Segment {
                kind: elf::PT_LOAD,
                flags,
                offset: area.offset,
                vaddr: area.vaddr,
                paddr: area.vaddr,
                filesz: size,
                memsz: size,
                align: home::page(image)?,
            };
            segments.insert(index + 1, new);
            if let Some(unused) = segments.iter().position(|segment| segment.kind == elf::PT_NULL) {
                segments.remove(unused);
            }
            0
        }
        Home::Tail(_) | Home::Extend(_) => {
            let filesz = replaced.start.saturating_sub(segment.offset).saturating_add(size);
            let new = Segment { filesz, memsz: filesz, ..segment };
            if let Some(slot) = segments.get_mut(index) {
                *slot = new;
            }
            segment.paddr.wrapping_sub(segment.vaddr)
        }
    };
    if let Some(new) = placed.dynamic {
        for segment in segments.iter_mut().filter(|segment| segment.kind == elf::PT_DYNAMIC) {
            segment.offset = new.offset;
            segment.vaddr = new.vaddr;
            segment.paddr = new.vaddr.wrapping_add(paddr_shift);
            segment.filesz = new.size;
            segment.memsz = new.size;
        }
    }
    if moves_headers {
        move_headers(image, &mut segments, &mut area, writes)?;
    } else {
        writes.put(image.header.phoff, tables::program_headers(&image.header, &segments)?);
    }
    writes.replace(replaced, area.bytes);
    Ok(())
}

/// The program headers go to the head of the area, where room was left for them.
fn move_headers(
    image: &Image<'_>,
    segments: &mut [Segment],
    area: &mut Area,
    writes: &mut Writes,
) -> Result<()> {
    let header = &image.header;
    let padding = area.vaddr.wrapping_neg() % PADDING;
    let (offset, vaddr) = (area.offset.saturating_add(padding), area.vaddr.saturating_add(padding));
    let size = header.phentsize().saturating_mul(segments.len() as u64);
    for segment in segments.iter_mut().filter(|segment| segment.kind == elf::PT_PHDR) {
        *segment = Segment { offset, vaddr, paddr: vaddr, filesz: size, memsz: size, ..*segment };
    }
    let count = u16::try_from(segments.len()).ok().filter(|count| *count < elf::PN_XNUM);
    let count = count.ok_or_else(|| Error::new("has too many program headers").offset(header.phoff))?;
    let bytes = tables::program_headers(header, segments)?;
    let room = area.bytes.get_mut(padding as usize..).and_then(|room| room.get_mut(..bytes.len()));
    if let Some(room) = room {
        room.copy_from_slice(&bytes);
    }
    let (phoff_at, phnum_at) = if header.is_64 { (32, 56) } else { (28, 44) };
    writes.put(phoff_at, tables::word(header, offset)?);
    writes.put(phnum_at, tables::half(header, count));
    Ok(())
}

/// The old table up to its last live string, with the new strings in the places of dead ones.
fn table_copy(image: &Image<'_>, strings: &Strings) -> Vec<u8> {
    let range = image.string_table();
    let kept = range.start..range.start.saturating_add(strings.end);
    let mut copy = image.slice(kept).unwrap_or_default().to_vec();
    for (at, bytes) in &strings.reused {
        let room = copy.get_mut(*at as usize..).and_then(|room| room.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
        }
    }
    copy
}

fn no_addresses_left(image: &Image<'_>) -> anyhow::Error {
    Error::new("has no addresses left behind its last segment").offset(image.header.phoff).into()
}
