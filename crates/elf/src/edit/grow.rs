//! What is new and has no room yet gets some, and the program headers follow.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

use super::dynamic::{self, Capacity};
use super::goal::Goal;
use super::home::{self, Home, PADDING, Wanted};
use super::place::{Place, Placed};
use super::strings::Strings;
use super::tables;
use super::write::Writes;
use crate::image::{Image, Segment};

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

/// Puts the strings that have no room, and the dynamic section if it has none, into a new place.
pub(super) fn grow(
    image: &Image<'_>,
    goal: &Goal,
    strings: &Strings,
    capacity: &Capacity,
    wanted: Wanted,
    placed: &mut Placed,
    writes: &mut Writes,
) -> Result<()> {
    let home = Home::choose(image, wanted)?;
    let Some(segment) = image.segments.get(home.index()).copied() else { return Ok(()) };
    let mut growth = Growth::begin(image, home, segment, strings)?;
    if home == Home::Extend(home.index()) && segment.memsz > segment.filesz {
        placed.filled = Some(segment);
    }
    // The strings come first, since the dynamic section needs their address.
    if wanted.appended > 0 {
        placed.strings = Some(growth.put_strings(image, strings));
    }
    let behind = matches!(home, Home::Tail { .. }) && home::dynamic_behind_strings(image).is_some();
    let dynamic_moves = wanted.dynamic || behind;
    if dynamic_moves {
        growth.area.align(image.word());
        let place = growth.area.next(capacity.roomy);
        placed.dynamic = Some(place);
        growth.area.bytes.extend_from_slice(&dynamic::encode(image, goal, strings, placed, place)?);
        dynamic::follow(image, place, writes)?;
    }
    growth.settle(image, placed)?;
    let segments = growth.segments(image, placed, dynamic_moves)?;
    if growth.moves_headers {
        growth.put_headers(image, segments, writes)?;
    } else {
        writes.put(image.header.phoff, tables::program_headers(&image.header, &segments)?);
    }
    writes.replace(growth.replaced, growth.area.bytes);
    Ok(())
}

/// The growth of a file.
struct Growth {
    home: Home,
    /// The segment that the home is about.
    segment: Segment,
    /// What is new.
    area: Area,
    /// The old bytes that it replaces.
    replaced: Range<u64>,
    /// Whether the area begins with room for the program headers.
    moves_headers: bool,
}

impl Growth {
    /// Where the new bytes begin, and what stands before the strings.
    fn begin(image: &Image<'_>, home: Home, segment: Segment, strings: &Strings) -> Result<Self> {
        let end = segment.file_range().end;
        let vaddr = segment.vaddr.saturating_add(segment.filesz);
        let area = Area { offset: end, vaddr, bytes: Vec::new() };
        let mut growth = Growth { home, segment, area, replaced: end..end, moves_headers: false };
        match home {
            Home::Tail { .. } => {
                let start = image.string_table().start.saturating_add(strings.end);
                growth.replaced.start = start;
                growth.area.offset = start;
                growth.area.vaddr = segment.vaddr.saturating_add(start.saturating_sub(segment.offset));
            }
            Home::Gap(_) => growth.area.align(PADDING),
            Home::Extend(_) => {
                growth.area.zeros(segment.memsz.saturating_sub(segment.filesz));
                growth.area.align(PADDING);
            }
            Home::New(_) => {
                let page = home::page(image)?;
                let at = home::loaded_end(image);
                let top = image.loads().map(|load| load.addresses().end).max().unwrap_or(0);
                let vaddr = top.checked_next_multiple_of(page).and_then(|base| base.checked_add(at % page));
                growth.area.vaddr = vaddr.ok_or_else(|| no_addresses_left(image))?;
                growth.area.offset = at;
                growth.replaced = at..at;
                growth.area.align(PADDING);
                growth.moves_headers = !image.segments.iter().any(|segment| segment.kind == elf::PT_NULL);
                if growth.moves_headers {
                    let count = image.segments.len() as u64 + 1;
                    growth.area.zeros(image.header.phentsize().saturating_mul(count));
                    growth.area.align(PADDING);
                }
            }
        }
        Ok(growth)
    }

    /// Puts the strings: behind the table, or the whole table. Where the table is then.
    fn put_strings(&mut self, image: &Image<'_>, strings: &Strings) -> Place {
        let size = strings.end.saturating_add(strings.appended.len() as u64);
        let place = match self.home {
            Home::Tail { .. } => {
                let offset = image.string_table().start;
                let vaddr = self.segment.vaddr.saturating_add(offset.saturating_sub(self.segment.offset));
                Place { offset, vaddr, size }
            }
            Home::Gap(_) | Home::Extend(_) | Home::New(_) => {
                let place = self.area.next(size);
                self.area.bytes.extend_from_slice(&table_copy(image, strings));
                place
            }
        };
        self.area.bytes.extend_from_slice(&strings.appended);
        place
    }

    /// Everything is in the area: pads it, so that what stands behind keeps its alignment.
    fn settle(&mut self, image: &Image<'_>, placed: &mut Placed) -> Result<()> {
        let mut size = self.area.bytes.len() as u64;
        if self.home.is_gap() {
            self.replaced.end = self.replaced.end.max(self.replaced.start.saturating_add(size));
        }
        let others_behind = image.loads().any(|load| load.filesz > 0 && load.offset >= self.replaced.end);
        let step = if others_behind { home::page(image)? } else { PADDING };
        let before = self.replaced.end.saturating_sub(self.replaced.start);
        let growth = size.saturating_sub(before).next_multiple_of(step);
        size = before.saturating_add(growth);
        self.area.zeros(size.saturating_sub(self.area.bytes.len() as u64));
        placed.split = self.replaced.end;
        placed.delta = growth;
        let limit = if image.header.is_64 { u64::MAX } else { u32::MAX.into() };
        match self.area.vaddr.checked_add(size) {
            Some(top) if top <= limit => Ok(()),
            _ => Err(no_addresses_left(image)),
        }
    }

    /// The program headers.
    fn segments(&self, image: &Image<'_>, placed: &Placed, writable: bool) -> Result<Vec<Segment>> {
        let mut segments = image.segments.clone();
        let index = self.home.index();
        let size = self.area.bytes.len() as u64;
        for segment in segments.iter_mut().filter(|segment| segment.filesz > 0) {
            segment.offset = placed.moved(segment.offset);
        }
        let holder = if self.home == Home::New(index) {
            let new = Segment {
                kind: elf::PT_LOAD,
                flags: if writable { elf::PF_R | elf::PF_W } else { elf::PF_R },
                offset: self.area.offset,
                vaddr: self.area.vaddr,
                paddr: self.area.vaddr,
                filesz: size,
                memsz: size,
                align: home::page(image)?,
            };
            segments.insert(index + 1, new);
            if let Some(unused) = segments.iter().position(|segment| segment.kind == elf::PT_NULL) {
                segments.remove(unused);
            }
            new
        } else {
            let old = self.segment;
            let filesz = self.replaced.start.saturating_sub(old.offset).saturating_add(size);
            let new = Segment { filesz, memsz: filesz, ..old };
            if let Some(slot) = segments.get_mut(index) {
                *slot = new;
            }
            new
        };
        if let Some(new) = placed.dynamic {
            for segment in segments.iter_mut().filter(|segment| segment.kind == elf::PT_DYNAMIC) {
                segment.offset = new.offset;
                segment.vaddr = new.vaddr;
                segment.paddr = new.vaddr.wrapping_add(holder.paddr.wrapping_sub(holder.vaddr));
                segment.filesz = new.size;
                segment.memsz = new.size;
            }
        }
        Ok(segments)
    }

    /// The program headers go to the head of the area, where room was left for them.
    fn put_headers(
        &mut self,
        image: &Image<'_>,
        mut segments: Vec<Segment>,
        writes: &mut Writes,
    ) -> Result<()> {
        let header = &image.header;
        let padding = self.area.vaddr.wrapping_neg() % PADDING;
        let offset = self.area.offset.saturating_add(padding);
        let vaddr = self.area.vaddr.saturating_add(padding);
        let size = header.phentsize().saturating_mul(segments.len() as u64);
        for segment in segments.iter_mut().filter(|segment| segment.kind == elf::PT_PHDR) {
            *segment = Segment { offset, vaddr, paddr: vaddr, filesz: size, memsz: size, ..*segment };
        }
        let count = u16::try_from(segments.len()).ok().filter(|count| *count < elf::PN_XNUM);
        let count = count.ok_or_else(|| Error::new("has too many program headers").offset(header.phoff))?;
        let bytes = tables::program_headers(header, &segments)?;
        let room = self.area.bytes.get_mut(padding as usize..).and_then(|room| room.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(&bytes);
        }
        let (phoff_at, phnum_at) = if header.is_64 { (32, 56) } else { (28, 44) };
        writes.put(phoff_at, tables::word(header, offset)?);
        writes.put(phnum_at, tables::half(header, count));
        Ok(())
    }
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
