//! Drops the sections that no segment loads: symbols, debug information, comments. What was appended to the file stays
//! at its end.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

use super::place::Placed;
use super::sections::adjusted;
use super::tables;
use super::write::Writes;
use crate::image::{Image, Section};

/// Rebuilds everything between the last loaded byte and the appended payload.
pub(super) fn strip(image: &Image<'_>, placed: &Placed, writes: &mut Writes) -> Result<()> {
    let header = &image.header;
    let Some(sections) = image.sections() else { return Ok(()) };
    let start = mapped_end(image);
    let tail = Tail::of(image, &sections, start);
    let mut kept = Kept::of(image, &sections);
    let mut bytes = Vec::new();
    let base = placed.moved(start);

    // 1. What is in no segment but stays all the same: bytes that nothing accounts for.
    let mut moved = Vec::new();
    for range in &tail.stays {
        align(&mut bytes, base, range.start);
        moved.push((range.clone(), base.saturating_add(bytes.len() as u64)));
        bytes.extend_from_slice(image.slice(range.clone()).unwrap_or_default());
    }
    let find = |offset: u64| {
        let inside = |(range, _): &&(Range<u64>, u64)| range.contains(&offset);
        moved.iter().find(inside).map(|(range, new)| new.saturating_add(offset - range.start))
    };

    // 2. The names of the sections that stay, if the table of names is not one of those.
    let names_at = base.saturating_add(bytes.len() as u64);
    bytes.extend_from_slice(&kept.names);

    // 3. The section headers, right before the payload, which may be found by their end.
    align(&mut bytes, base, 0);
    let table_at = base.saturating_add(bytes.len() as u64);
    let mut out = Vec::with_capacity(kept.sections.len());
    for (old, section) in std::mem::take(&mut kept.sections) {
        let mut new = adjusted(image, placed, &section);
        new.name = section.name;
        if old == usize::from(header.shstrndx) {
            new.offset = names_at;
            new.size = kept.names.len() as u64;
        } else if section.offset >= start
            && section.file_size() > 0
            && new.offset == placed.moved(section.offset)
        {
            new.offset = find(section.offset).unwrap_or(new.offset);
        }
        out.push(new);
    }
    let count =
        u16::try_from(out.len()).map_err(|_| Error::new("has too many sections").offset(header.shoff))?;
    bytes.extend_from_slice(&tables::section_headers(header, &out)?);
    writes.forget(&(start..tail.payload));
    writes.replace(start..tail.payload, bytes);

    // 4. The ELF header.
    let (shoff_at, shnum_at, shstrndx_at) = if header.is_64 { (40, 60, 62) } else { (32, 48, 50) };
    writes.put(shoff_at, tables::word(header, table_at)?);
    writes.put(shnum_at, tables::half(header, count));
    writes.put(shstrndx_at, tables::half(header, kept.names_index));
    Ok(())
}

/// The end of everything that a program header or the ELF header leads to, but for the sections.
fn mapped_end(image: &Image<'_>) -> u64 {
    let header = &image.header;
    let headers = header.phoff.saturating_add(header.phentsize().saturating_mul(header.phnum.into()));
    let size = image.bytes.len() as u64;
    let ends =
        image.segments.iter().filter(|segment| segment.filesz > 0).map(|segment| segment.file_range().end);
    ends.filter(|end| *end <= size).chain([header.size(), headers]).max().unwrap_or(size).min(size)
}

fn align(bytes: &mut Vec<u8>, base: u64, like: u64) {
    let at = base.wrapping_add(bytes.len() as u64);
    let padding = like.wrapping_sub(at) % 16;
    bytes.resize(bytes.len() + padding as usize, 0);
}

/// What stands behind the last loaded byte.
struct Tail {
    /// Ranges that stay, in order.
    stays: Vec<Range<u64>>,
    /// Where what was appended to the file begins; its end when nothing was.
    payload: u64,
}

impl Tail {
    fn of(image: &Image<'_>, sections: &[Section], start: u64) -> Self {
        let size = image.bytes.len() as u64;
        let header = &image.header;
        let table = u64::from(header.shnum).saturating_mul(header.section_entsize());
        let (mut known, mut stays) = (Vec::new(), Vec::new());
        known.push(header.shoff..header.shoff.saturating_add(table));
        for (index, section) in sections.iter().enumerate().filter(|(_, section)| section.file_size() > 0) {
            let range = section.offset..section.offset.saturating_add(section.size);
            let names = index == usize::from(header.shstrndx) && !section.is_alloc();
            if names || image.is_strippable(index, section) {
                known.push(range);
            } else if range.start >= start {
                stays.push(range);
            }
        }
        let covered = known.iter().chain(&stays).map(|range| range.end).filter(|end| *end <= size);
        let payload = covered.max().unwrap_or(start).max(start);

        // Bytes between that nothing accounts for and that are more than padding.
        let mut taken: Vec<_> =
            known.iter().chain(&stays).filter(|range| range.end > start).cloned().collect();
        taken.sort_by_key(|range| (range.start, range.end));
        let mut at = start;
        for range in taken {
            if range.start > at && range.start <= payload {
                let gap = at..range.start;
                if image.slice(gap.clone()).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)) {
                    stays.push(gap);
                }
            }
            at = at.max(range.end);
        }
        stays.sort_by_key(|range| (range.start, range.end));
        Tail { stays: joined(stays), payload }
    }
}

/// Overlapping ranges made one.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// The sections that stay.
struct Kept {
    /// Old index and header, with the new name offset, `sh_link` and `sh_info`.
    sections: Vec<(usize, Section)>,
    /// The new table of names.
    names: Vec<u8>,
    /// Its index.
    names_index: u16,
}

impl Kept {
    fn of(image: &Image<'_>, sections: &[Section]) -> Self {
        let names_section = usize::from(image.header.shstrndx);
        let last_loaded = sections.iter().rposition(Section::is_alloc).unwrap_or(0);
        // Symbols refer to sections by index, so a section that goes leaves an inactive header where another that is
        // loaded comes behind it.
        let goes = |index: usize, section: &Section| image.is_strippable(index, section);
        let mut renumbered = Vec::with_capacity(sections.len());
        let mut next = 0_u32;
        for (index, section) in sections.iter().enumerate() {
            let stays = !goes(index, section);
            renumbered.push(if stays { next } else { 0 });
            next += u32::from(stays || index < last_loaded);
        }
        let number = |old: u32| renumbered.get(old as usize).copied().unwrap_or(0);
        let old_names = sections.get(names_section).filter(|_| names_section > 0);
        let old_names = old_names
            .and_then(|names| image.slice(names.offset..names.offset.saturating_add(names.file_size())));
        let mut names = vec![0];
        let mut kept = Vec::with_capacity(sections.len());
        for (index, section) in sections.iter().enumerate() {
            if goes(index, section) {
                if index < last_loaded {
                    kept.push((index, inactive()));
                }
                continue;
            }
            let mut section = *section;
            section.name = add_name(&mut names, old_names.unwrap_or_default(), section.name);
            section.link = number(section.link);
            let info_is_index = section.flags & elf::SHF_INFO_LINK.0 != 0
                || section.kind == elf::SHT_REL
                || section.kind == elf::SHT_RELA;
            if info_is_index {
                section.info = number(section.info);
            }
            kept.push((index, section));
        }
        let names_index = u16::try_from(number(names_section as u32)).unwrap_or(0);
        Kept { sections: kept, names, names_index }
    }
}

fn inactive() -> Section {
    Section {
        name: 0,
        kind: elf::SHT_NULL,
        flags: 0,
        addr: 0,
        offset: 0,
        size: 0,
        link: 0,
        info: 0,
        addralign: 0,
        entsize: 0,
    }
}

/// Copies a name; its offset in the new table.
fn add_name(names: &mut Vec<u8>, old: &[u8], at: u32) -> u32 {
    let name = old.get(at as usize..).and_then(|rest| std::ffi::CStr::from_bytes_until_nul(rest).ok());
    match name {
        Some(name) if !name.is_empty() => {
            let offset = names.len() as u32;
            names.extend_from_slice(name.to_bytes_with_nul());
            offset
        }
        _ => 0,
    }
}
