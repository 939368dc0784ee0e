//! The section table (`IMAGE_SECTION_HEADER`) and where its sections stand in file and memory.

use std::mem::offset_of;
use std::ops::Range;

use object::LittleEndian as LE;
use object::pe;
use spokeshave_core::{Error, Result};

use super::Header;
use super::view::records;

/// What a page holds on every machine that Windows runs on, in bytes.
pub(crate) const PAGE: u64 = 0x1000;

/// What `PointerToRawData` is rounded down to by the loader, in bytes.
pub(crate) const SECTOR: u64 = 0x200;

/// More sections than any loader takes: Windows stops at 96.
const MAX_SECTIONS: u16 = 2048;

/// A section header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// Where the header stands in the file.
    pub header: u64,
    /// `Name`, filled up with zeros.
    pub name: [u8; 8],
    /// `VirtualSize` in bytes.
    pub virtual_size: u32,
    /// `VirtualAddress`: an RVA.
    pub virtual_address: u32,
    /// `SizeOfRawData` in bytes.
    pub size_of_raw_data: u32,
    /// `PointerToRawData`: a file offset.
    pub pointer_to_raw_data: u32,
    /// `PointerToRelocations`: a file offset, 0 in images as a rule.
    pub pointer_to_relocations: u32,
    /// `PointerToLinenumbers`: a file offset, 0 without COFF line numbers.
    pub pointer_to_linenumbers: u32,
    /// `Characteristics`.
    pub flags: pe::SectionFlags,
}

impl Section {
    /// The size that it has in memory: `VirtualSize`, or `SizeOfRawData` where a linker left that 0.
    pub fn memory_size(&self) -> u64 {
        let size = if self.virtual_size == 0 { self.size_of_raw_data } else { self.virtual_size };
        size.into()
    }

    /// Its addresses (RVA).
    pub fn addresses(&self) -> Range<u64> {
        let start = u64::from(self.virtual_address);
        start..start + self.memory_size()
    }

    /// Its bytes in the file, padding included; empty when it has none.
    pub fn file_range(&self) -> Range<u64> {
        let start = u64::from(self.pointer_to_raw_data);
        if start == 0 { 0..0 } else { start..start + u64::from(self.size_of_raw_data) }
    }

    /// The part of the file that is mapped to its addresses: whole pages.
    pub(super) fn mapped(&self) -> Range<u64> {
        let Range { start, end } = self.file_range();
        start..end.min(start + self.memory_size().next_multiple_of(PAGE))
    }

    /// Where its `VirtualSize` stands in the file.
    pub fn virtual_size_offset(&self) -> u64 {
        self.header.saturating_add(offset_of!(pe::ImageSectionHeader, virtual_size) as u64)
    }

    /// The fields of its header that hold file offsets: where each stands, and what it holds.
    pub fn file_pointers(&self) -> [(u64, u32); 3] {
        let at = |field: usize| self.header.saturating_add(field as u64);
        [
            (at(offset_of!(pe::ImageSectionHeader, pointer_to_raw_data)), self.pointer_to_raw_data),
            (at(offset_of!(pe::ImageSectionHeader, pointer_to_relocations)), self.pointer_to_relocations),
            (at(offset_of!(pe::ImageSectionHeader, pointer_to_linenumbers)), self.pointer_to_linenumbers),
        ]
    }

    /// Its name for messages.
    pub fn display_name(&self) -> String {
        let length = self.name.iter().position(|byte| *byte == 0).unwrap_or(self.name.len());
        self.name.get(..length).unwrap_or_default().escape_ascii().to_string()
    }
}

/// Reads the section table; all contents must lie inside of the file.
pub(super) fn read(bytes: &[u8], header: &Header) -> Result<Vec<Section>> {
    let at = header.section_table();
    let count = header.number_of_sections;
    if count > MAX_SECTIONS {
        let what = format!("{count} sections, which no loader takes");
        return Err(Error::new(what).offset(at).into());
    }
    let table: &[pe::ImageSectionHeader] = records(bytes, at, count.into(), "section table")?;
    let size = bytes.len() as u64;
    let mut sections = Vec::with_capacity(table.len());
    for (index, raw) in table.iter().enumerate() {
        let section = Section {
            header: at.saturating_add((index * pe::IMAGE_SIZEOF_SECTION_HEADER) as u64),
            name: raw.name,
            virtual_size: raw.virtual_size.get(LE),
            virtual_address: raw.virtual_address.get(LE),
            size_of_raw_data: raw.size_of_raw_data.get(LE),
            pointer_to_raw_data: raw.pointer_to_raw_data.get(LE),
            pointer_to_relocations: raw.pointer_to_relocations.get(LE),
            pointer_to_linenumbers: raw.pointer_to_linenumbers.get(LE),
            flags: raw.characteristics.get(LE),
        };
        let Range { start, end } = section.file_range();
        if end > size {
            let name = section.display_name();
            let what = format!("section {name} ends past end of file: {start:#x}..{end:#x} of {size:#x}");
            return Err(Error::new(what)
                .offset(section.header)
                .hint("the file looks truncated; build or fetch it again")
                .into());
        }
        sections.push(section);
    }
    Ok(sections)
}
