//! The section header table, kept in step with what moved: no loader reads it, but strip, objdump and debuggers do.

use object::elf;
use spokeshave_core::Result;

use super::place::Placed;
use super::tables;
use super::write::Writes;
use crate::image::{Image, Section};

/// Writes the section headers in their place. Without a usable table only its offset is kept right.
pub(super) fn update(image: &Image<'_>, placed: &Placed, writes: &mut Writes) -> Result<()> {
    let header = &image.header;
    if header.shoff == 0 {
        return Ok(());
    }
    let at = if header.is_64 { 40 } else { 32 };
    writes.put(at, tables::word(header, placed.moved(header.shoff))?);
    if let Some(sections) = image.sections() {
        let sections: Vec<_> = sections.iter().map(|section| adjusted(image, placed, section)).collect();
        writes.put(header.shoff, tables::section_headers(header, &sections)?);
    }
    Ok(())
}

/// A section header after everything has found its place.
pub(super) fn adjusted(image: &Image<'_>, placed: &Placed, old: &Section) -> Section {
    let mut section = *old;
    let nobits = section.kind == elf::SHT_NOBITS && section.is_alloc();
    if !nobits {
        section.offset = placed.moved(section.offset);
    }
    let table = image.string_table();
    let loaded_at = |address: Option<u64>| section.is_alloc() && address == Some(section.addr);
    let value = |tag| image.dynamic.as_ref().and_then(|dynamic| dynamic.value(tag));
    if section.kind == elf::SHT_STRTAB && loaded_at(value(elf::DT_STRTAB)) && !table.is_empty() {
        if let Some(new) = placed.strings {
            (section.offset, section.addr, section.size) = (new.offset, new.vaddr, new.size);
        }
    } else if section.kind == elf::SHT_DYNAMIC {
        if let Some(new) = placed.dynamic {
            (section.offset, section.addr, section.size) = (new.offset, new.vaddr, new.size);
        }
    } else if section.kind == elf::SHT_GNU_VERNEED
        && let Some(kept) = &placed.version_needs
    {
        match kept.first() {
            Some(first) => {
                let cut = first.offset.saturating_sub(old.offset).min(section.size);
                section.offset = section.offset.saturating_add(cut);
                section.addr = section.addr.saturating_add(cut);
                section.size -= cut;
                section.info = kept.len() as u32;
            }
            None => section.kind = elf::SHT_PROGBITS,
        }
    } else if nobits
        && section.flags & elf::SHF_TLS.0 == 0
        && let Some(filled) = placed.filled
        && let Some(distance) = section.addr.checked_sub(filled.vaddr)
        && (filled.filesz..=filled.memsz).contains(&distance)
    {
        section.kind = elf::SHT_PROGBITS;
        section.offset = filled.offset.saturating_add(distance);
    }
    section
}
