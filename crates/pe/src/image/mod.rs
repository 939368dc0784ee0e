//! A checked reader of PE32 and PE32+ that sees a file as the loader does: headers, section table, and what the data
//! directories lead to.
//!
//! Names and layouts follow Microsoft's "PE Format"; the structures are `object`'s typed views. Every error names the
//! absolute offset in the file.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod config;
mod debug;
mod delay;
mod exports;
mod header;
mod imports;
mod sections;
mod version;
mod view;

pub(crate) use delay::DelayDescriptor;
pub(crate) use exports::Exports;
pub(crate) use header::{Directory, Field, Header};
pub(crate) use imports::{ImportDescriptor, Thunks};
pub(crate) use sections::{PAGE, SECTOR, Section};
pub(crate) use view::{record, records};

use std::ops::Range;

use object::pe;
use spokeshave_core::{Error, Result};

/// More bytes than any name of a DLL has: `MAX_PATH` is 260.
const MAX_NAME: usize = 1024;

/// A PE file.
#[derive(Debug, Clone)]
pub(crate) struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// The headers.
    pub header: Header,
    /// The section table, in file order.
    pub sections: Vec<Section>,
}

impl<'a> Image<'a> {
    /// Reads the headers and the section table.
    ///
    /// # Errors
    /// When it is no PE file, or headers or a section reach past the end of the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = Header::read(bytes)?;
        let sections = sections::read(bytes, &header)?;
        Ok(Image { bytes, header, sections })
    }

    /// A range of the file.
    pub fn slice(&self, range: Range<u64>) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    /// The file range from the byte loaded at `rva` to the end of what is mapped with it; `None` when nothing is
    /// loaded there or it has no contents in the file.
    pub fn room_at(&self, rva: u32) -> Option<Range<u64>> {
        let rva = u64::from(rva);
        let found = self.sections.iter().find_map(|section| {
            let distance = rva.checked_sub(section.virtual_address.into())?;
            let mapped = section.mapped();
            let start = mapped.start.checked_add(distance).filter(|start| *start < mapped.end)?;
            Some(start..mapped.end)
        });
        let headers = u64::from(self.header.size_of_headers).min(self.bytes.len() as u64);
        found.or_else(|| (rva < headers).then_some(rva..headers))
    }

    /// Where the byte that is loaded at `rva` stands in the file.
    pub fn offset_of(&self, rva: u32) -> Option<u64> {
        self.room_at(rva).map(|room| room.start)
    }

    /// The RVA of an address that includes `ImageBase`.
    pub fn rva_of(&self, address: u64) -> Option<u32> {
        u32::try_from(address.checked_sub(self.header.image_base)?).ok()
    }

    /// The name at `rva`, and its file range without the NUL.
    ///
    /// # Errors
    /// When nothing is mapped there, or it is no text: no file name holds control characters, and a terminal would
    /// obey them.
    pub fn name_at(&self, rva: u32, what: &str) -> Result<(&'a str, Range<u64>)> {
        let room = self.room_at(rva).ok_or_else(|| {
            Error::new(format!("{what} at RVA {rva:#x} lies outside of the file's sections"))
        })?;
        let fault = |why: &str| Error::new(format!("{what} {why}")).offset(room.start);
        let bytes = self.slice(room.clone()).unwrap_or_default();
        let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
        let length = memchr::memchr(0, bytes).ok_or_else(|| fault("has no end"))?;
        let text = bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| fault("is not UTF-8"))?;
        if text.is_empty() {
            return Err(fault("is empty").into());
        }
        if text.chars().any(char::is_control) {
            return Err(fault("holds control characters").into());
        }
        Ok((text, room.start..room.start.saturating_add(length as u64)))
    }

    /// Where the sections' bytes end in the file; what stands behind is the overlay.
    pub fn contents_end(&self) -> u64 {
        let ends = self.sections.iter().map(|section| section.file_range().end);
        let headers = u64::from(self.header.size_of_headers).min(self.bytes.len() as u64);
        ends.max().unwrap_or(0).max(headers)
    }

    /// The attribute certificate table (`IMAGE_DIRECTORY_ENTRY_SECURITY`): Authenticode. As much of it as there is.
    pub fn certificates(&self) -> Option<Range<u64>> {
        let directory = self.header.directory(pe::IMAGE_DIRECTORY_ENTRY_SECURITY)?;
        let size = self.bytes.len() as u64;
        let start = u64::from(directory.address).min(size);
        Some(start..start.saturating_add(directory.size.into()).min(size))
    }

    /// Whether a directory leads to a section that has no contents in the file, as those of a debug file do.
    pub fn is_hollow(&self, index: usize) -> bool {
        let Some(directory) = self.header.directory(index) else { return false };
        let mut sections = self.sections.iter();
        let home = sections.find(|section| section.addresses().contains(&directory.address.into()));
        home.is_some_and(|section| section.file_range().is_empty())
    }
}
