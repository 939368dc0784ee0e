//! A checked reader of ELF32 and ELF64 in both byte orders that sees a file as the loader does: ELF header, program
//! headers, `PT_DYNAMIC` and what its addresses lead to. Section headers are never needed.
//!
//! Names and layouts follow the System V gABI; the structures are `object`'s typed views. Every error names the
//! absolute offset in the file.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod dynamic;
mod header;
mod notes;
mod sections;
mod segment;
mod symbols;
#[cfg(test)]
mod tests;
mod versions;
mod view;

pub(crate) use dynamic::{DynEntry, Dynamic};
pub(crate) use header::Header;
pub(crate) use sections::Section;
pub(crate) use segment::Segment;
pub(crate) use symbols::Symbols;
pub(crate) use versions::Verneed;
pub(crate) use view::records;

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

/// An ELF file.
#[derive(Debug, Clone)]
pub(crate) struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// The ELF header.
    pub header: Header,
    /// The program headers, in file order.
    pub segments: Vec<Segment>,
    /// The dynamic section, if there is one with contents in the file.
    pub dynamic: Option<Dynamic>,
    /// Where `DT_STRTAB` and `DT_STRSZ` say that the strings are; empty without them.
    strings: Range<u64>,
}

impl<'a> Image<'a> {
    /// Reads the headers and the dynamic section. Object files, core files, debug files and static programs are read
    /// too: they have no `dynamic`.
    ///
    /// # Errors
    /// When it is no ELF file, or headers, segments or the dynamic section reach past the end of the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = Header::read(bytes)?;
        let segments = segment::read(bytes, &header)?;
        let mut image = Image { bytes, header, segments, dynamic: None, strings: 0..0 };
        image.dynamic = Dynamic::read(&image)?;
        image.strings = dynamic::string_table(&image)?;
        Ok(image)
    }

    /// The loaded segments (`PT_LOAD`).
    pub fn loads(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.kind == elf::PT_LOAD)
    }

    /// The first segment of a kind.
    pub fn segment(&self, kind: elf::ProgramType) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.kind == kind)
    }

    /// Where the byte that is loaded at `vaddr` stands in the file; `None` when nothing is loaded there or it has no
    /// contents in the file.
    pub fn offset_of(&self, vaddr: u64) -> Option<u64> {
        self.room_at(vaddr).map(|room| room.start)
    }

    /// Where the byte at `offset` of the file is loaded.
    pub fn vaddr_of(&self, offset: u64) -> Option<u64> {
        self.loads().find_map(|load| {
            let distance = offset.checked_sub(load.offset).filter(|distance| *distance < load.filesz)?;
            load.vaddr.checked_add(distance)
        })
    }

    /// The file range of `size` bytes that are loaded at `vaddr`; `None` when not all of them come from one segment's
    /// part of the file.
    pub fn range_of(&self, vaddr: u64, size: u64) -> Option<Range<u64>> {
        let room = self.room_at(vaddr)?;
        let end = room.start.checked_add(size)?;
        (end <= room.end).then_some(room.start..end)
    }

    /// The file range from the byte loaded at `vaddr` to the end of its segment's part of the file.
    pub fn room_at(&self, vaddr: u64) -> Option<Range<u64>> {
        self.loads().find_map(|load| {
            let distance = vaddr.checked_sub(load.vaddr).filter(|distance| *distance < load.filesz)?;
            Some(load.offset.checked_add(distance)?..load.offset.checked_add(load.filesz)?)
        })
    }

    /// A range of the file.
    pub fn slice(&self, range: Range<u64>) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    /// Size in bytes of an address, an offset, a word: 4 or 8.
    pub fn word(&self) -> u64 {
        if self.header.is_64 { 8 } else { 4 }
    }

    /// The string at `offset` of the dynamic string table, without its NUL.
    ///
    /// # Errors
    /// When it begins outside of the table or has no end there.
    pub fn string(&self, offset: u64) -> Result<&'a [u8]> {
        let start = self.strings.start.saturating_add(offset);
        let table =
            self.slice(start..self.strings.end).filter(|table| !table.is_empty()).ok_or_else(|| {
                let size = self.strings.end.saturating_sub(self.strings.start);
                Error::new(format!("string {offset:#x} lies outside of the string table ({size:#x} bytes)"))
                    .offset(self.strings.start)
            })?;
        match std::ffi::CStr::from_bytes_until_nul(table) {
            Ok(string) => Ok(string.to_bytes()),
            Err(_) => Err(Error::new("string has no end inside of the string table").offset(start).into()),
        }
    }

    /// [`Image::string`], as text.
    ///
    /// # Errors
    /// As above, and when it is not UTF-8, or holds control characters: no file name or version does, and a terminal
    /// would obey them.
    pub fn text(&self, offset: u64) -> Result<&'a str> {
        let fault = |what| Error::new(what).offset(self.strings.start.saturating_add(offset));
        let text = std::str::from_utf8(self.string(offset)?).map_err(|_| fault("string is not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(fault("string holds control characters").into());
        }
        Ok(text)
    }

    /// The file range of the dynamic string table; empty when there is none.
    pub fn string_table(&self) -> Range<u64> {
        self.strings.clone()
    }

    /// `PT_INTERP`: the program interpreter.
    ///
    /// # Errors
    /// When it is no NUL-terminated text inside of the file.
    pub fn interp(&self) -> Result<Option<&'a str>> {
        let Some(segment) = self.segment(elf::PT_INTERP).filter(|segment| segment.filesz > 0) else {
            return Ok(None);
        };
        let text = self
            .slice(segment.file_range())
            .and_then(|bytes| std::ffi::CStr::from_bytes_until_nul(bytes).ok())
            .and_then(|text| text.to_str().ok());
        match text {
            Some(text) => Ok(Some(text)),
            None => Err(Error::new("PT_INTERP is no text that ends inside of the file")
                .offset(segment.offset)
                .into()),
        }
    }
}
