//! The debug directory (`IMAGE_DEBUG_DIRECTORY`), for its file offsets.

use std::mem::offset_of;

use object::LittleEndian as LE;
use object::pe;

use super::{Image, records};

/// An entry of the debug directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DebugEntry {
    /// Where its `PointerToRawData` stands in the file.
    pub pointer_offset: u64,
    /// `PointerToRawData`: a file offset, 0 when there is no data.
    pub pointer: u32,
    /// `SizeOfData` in bytes.
    pub size: u32,
}

impl Image<'_> {
    /// The entries of the debug directory; a broken one is the same as none, as for the loader.
    pub fn debug_entries(&self) -> Vec<DebugEntry> {
        let entry = size_of::<pe::ImageDebugDirectory>() as u64;
        let table: Option<(u64, &[pe::ImageDebugDirectory])> = (|| {
            let directory = self.header.directory(pe::IMAGE_DIRECTORY_ENTRY_DEBUG)?;
            let room = self.room_at(directory.address)?;
            let size = u64::from(directory.size);
            let whole = size.is_multiple_of(entry) && size <= room.end.saturating_sub(room.start);
            let count = if whole { size / entry } else { 0 };
            Some((room.start, records(self.bytes, room.start, count, "debug directory").ok()?))
        })();
        let Some((start, table)) = table else { return Vec::new() };
        let pointer = offset_of!(pe::ImageDebugDirectory, pointer_to_raw_data) as u64;
        let entries = table.iter().enumerate().map(|(index, raw)| DebugEntry {
            pointer_offset: start.saturating_add(index as u64 * entry).saturating_add(pointer),
            pointer: raw.pointer_to_raw_data.get(LE),
            size: raw.size_of_data.get(LE),
        });
        entries.collect()
    }
}
