//! The import table (`IMAGE_IMPORT_DESCRIPTOR`) and its thunks.

use std::mem::offset_of;

use object::LittleEndian as LE;
use object::pe;
use spokeshave_core::{Error, Result};

use super::view::record;
use super::{Image, records};

/// How many descriptors a table may have; those of large programs have some 100.
const MAX_DESCRIPTORS: usize = 4096;

/// An import descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImportDescriptor {
    /// Where it stands in the file.
    pub offset: u64,
    /// `OriginalFirstThunk`: RVA of the import lookup table, 0 when there is none.
    pub original_first_thunk: u32,
    /// `TimeDateStamp`: 0 unless bound.
    pub time_date_stamp: u32,
    /// `ForwarderChain`.
    pub forwarder_chain: u32,
    /// `Name`: RVA.
    pub name: u32,
    /// `FirstThunk`: RVA of the import address table.
    pub first_thunk: u32,
}

impl ImportDescriptor {
    /// Size in bytes.
    pub const SIZE: u64 = size_of::<pe::ImageImportDescriptor>() as u64;
    /// Where `TimeDateStamp` stands in it; `ForwarderChain` follows.
    pub const TIME_DATE_STAMP: u64 = offset_of!(pe::ImageImportDescriptor, time_date_stamp) as u64;
    /// Where `Name` stands in it.
    pub const NAME: u64 = offset_of!(pe::ImageImportDescriptor, name) as u64;
}

/// How many functions an import takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Thunks {
    /// By name.
    pub names: u32,
    /// By ordinal.
    pub ordinals: u32,
}

impl Image<'_> {
    /// The import descriptors. As for the loader, the first without `Name` or `FirstThunk` ends them, not the
    /// directory's size.
    ///
    /// # Errors
    /// When they reach out of what is mapped.
    pub fn imports(&self) -> Result<Vec<ImportDescriptor>> {
        let index = pe::IMAGE_DIRECTORY_ENTRY_IMPORT;
        let mut found = Vec::new();
        self.descriptors(index, "import", |offset, raw: &pe::ImageImportDescriptor| {
            let descriptor = ImportDescriptor {
                offset,
                original_first_thunk: raw.original_first_thunk.get(LE),
                time_date_stamp: raw.time_date_stamp.get(LE),
                forwarder_chain: raw.forwarder_chain.get(LE),
                name: raw.name.get(LE),
                first_thunk: raw.first_thunk.get(LE),
            };
            let more = descriptor.name != 0 && descriptor.first_thunk != 0;
            found.extend(more.then_some(descriptor));
            Ok(more)
        })?;
        Ok(found)
    }

    /// Hands the records of a table to `take` until that says stop.
    pub(super) fn descriptors<T: object::pod::Pod>(
        &self,
        index: usize,
        what: &str,
        mut take: impl FnMut(u64, &T) -> Result<bool>,
    ) -> Result<()> {
        let Some(directory) = self.header.directory(index) else { return Ok(()) };
        let entry = self.header.directory_offset(index);
        let room = self.room_at(directory.address).ok_or_else(|| {
            let rva = directory.address;
            Error::new(format!("{what} table at RVA {rva:#x} lies outside of the file's sections"))
                .offset(entry)
        })?;
        let table = self.bytes.get(..room.end as usize).unwrap_or_default();
        let mut at = room.start;
        for _ in 0..MAX_DESCRIPTORS {
            if !take(at, record(table, at, &format!("{what} descriptor"))?)? {
                return Ok(());
            }
            at = at.saturating_add(size_of::<T>() as u64);
        }
        Err(Error::new(format!("more than {MAX_DESCRIPTORS} {what} descriptors")).offset(room.start).into())
    }

    /// Counts the thunks at `rva` up to the one that is 0, `left` of them at most, and takes them off `left`.
    ///
    /// # Errors
    /// When they have no end, or overlap others until they are more than the file can hold.
    pub fn thunks(&self, rva: u32, left: &mut u64) -> Result<Thunks> {
        let room = self.room_at(rva).ok_or_else(|| {
            Error::new(format!("import lookup table at RVA {rva:#x} lies outside of the file's sections"))
        })?;
        let size = if self.header.is_64 { 8 } else { 4 };
        let count = room.end.saturating_sub(room.start) / size;
        let mut thunks = Thunks::default();
        let mut ended = false;
        let mut take = |by_ordinal: Option<bool>| {
            match by_ordinal {
                None => ended = true,
                Some(true) => thunks.ordinals = thunks.ordinals.saturating_add(1),
                Some(false) => thunks.names = thunks.names.saturating_add(1),
            }
            *left = left.saturating_sub(1);
            !ended && *left > 0
        };
        let what = "import lookup table";
        if self.header.is_64 {
            let table: &[object::U64<LE>] = records(self.bytes, room.start, count, what)?;
            let kind = |value: u64| (value != 0).then_some(value & pe::IMAGE_ORDINAL_FLAG64 != 0);
            table.iter().all(|raw| take(kind(raw.get(LE))));
        } else {
            let table: &[object::U32<LE>] = records(self.bytes, room.start, count, what)?;
            let kind = |value: u32| (value != 0).then_some(value & pe::IMAGE_ORDINAL_FLAG32 != 0);
            table.iter().all(|raw| take(kind(raw.get(LE))));
        }
        if ended {
            return Ok(thunks);
        }
        let why = if *left == 0 { "overlaps others" } else { "has no end" };
        Err(Error::new(format!("{what} {why}")).offset(room.start).into())
    }
}
