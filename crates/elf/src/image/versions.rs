//! Symbol versions (LSB, "Symbol Versioning"), found by `DT_VERNEED` and `DT_VERDEF` and walked as glibc walks them: by
//! the links, until one is 0.

use std::ops::Range;

use object::Endianness;
use object::elf;
use spokeshave_core::{Error, Result};

use super::Image;
use super::view::record;

/// The versions needed of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verneed {
    /// Where the record stands in the file.
    pub offset: u64,
    /// `vn_file`: the file's name, an offset into the string table.
    pub file: u32,
    /// `vn_next`: distance to the next record, 0 at the end.
    pub next: u32,
    /// Its versions.
    pub aux: Vec<Vernaux>,
}

/// One version needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vernaux {
    /// Where the record stands in the file.
    pub offset: u64,
    /// `vna_flags`.
    pub flags: u16,
    /// `vna_other`: the index that `DT_VERSYM` uses.
    pub index: u16,
    /// `vna_name`: the version's name, an offset into the string table.
    pub name: u32,
}

/// One version defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdef {
    /// Where the record stands in the file.
    pub offset: u64,
    /// `vd_flags`: `VER_FLG_BASE` marks the name of the file itself.
    pub flags: u16,
    /// `vd_ndx`: the index that `DT_VERSYM` uses.
    pub index: u16,
    /// `vda_name`s: its own name, then its parents'. Offsets into the string table.
    pub names: Vec<u32>,
    /// The file ranges of the records.
    pub records: Vec<Range<u64>>,
}

/// How many records there can be, so that links that overlap can't be walked for ever.
struct Budget(u64);

impl Budget {
    fn take(&mut self, offset: u64) -> Result<()> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| {
            Error::new("version table has more records than bytes to hold them").offset(offset)
        })?;
        Ok(())
    }
}

impl<'a> Image<'a> {
    /// `DT_VERNEED`.
    ///
    /// # Errors
    /// When it is not loaded, or a link leads out of the file.
    pub fn version_needs(&self) -> Result<Vec<Verneed>> {
        let endian = self.header.endian;
        let Some((bytes, mut at, mut budget)) = self.version_table(elf::DT_VERNEED)? else {
            return Ok(Vec::new());
        };
        let mut needs = Vec::new();
        loop {
            budget.take(at)?;
            let raw: &elf::Verneed<Endianness> = record(bytes, at, "version needs (Verneed)")?;
            let next = raw.vn_next.get(endian);
            let mut need = Verneed { offset: at, file: raw.vn_file.get(endian), next, aux: Vec::new() };
            let mut aux_at = at.saturating_add(raw.vn_aux.get(endian).into());
            // A record whose versions were all taken out says so by its count; else the links count, as in glibc.
            let mut left = raw.vn_cnt.get(endian) > 0;
            while left {
                budget.take(aux_at)?;
                let aux: &elf::Vernaux<Endianness> = record(bytes, aux_at, "version needs (Vernaux)")?;
                need.aux.push(Vernaux {
                    offset: aux_at,
                    flags: aux.vna_flags.get(endian).0,
                    index: aux.vna_other.get(endian).0,
                    name: aux.vna_name.get(endian),
                });
                let next = aux.vna_next.get(endian);
                aux_at = aux_at.saturating_add(next.into());
                left = next != 0;
            }
            needs.push(need);
            match next {
                0 => return Ok(needs),
                next => at = at.saturating_add(next.into()),
            }
        }
    }

    /// `DT_VERDEF`.
    ///
    /// # Errors
    /// When it is not loaded, or a link leads out of the file.
    pub fn version_defs(&self) -> Result<Vec<Verdef>> {
        let endian = self.header.endian;
        let Some((bytes, mut at, mut budget)) = self.version_table(elf::DT_VERDEF)? else {
            return Ok(Vec::new());
        };
        let mut defs = Vec::new();
        loop {
            budget.take(at)?;
            let raw: &elf::Verdef<Endianness> = record(bytes, at, "version definitions (Verdef)")?;
            let mut names = Vec::new();
            let mut records = Vec::new();
            records.push(at..at.saturating_add(20));
            let mut aux_at = at.saturating_add(raw.vd_aux.get(endian).into());
            for _ in 0..raw.vd_cnt.get(endian) {
                budget.take(aux_at)?;
                let aux: &elf::Verdaux<Endianness> = record(bytes, aux_at, "version definitions (Verdaux)")?;
                names.push(aux.vda_name.get(endian));
                records.push(aux_at..aux_at.saturating_add(8));
                match aux.vda_next.get(endian) {
                    0 => break,
                    next => aux_at = aux_at.saturating_add(next.into()),
                }
            }
            defs.push(Verdef {
                offset: at,
                flags: raw.vd_flags.get(endian).0,
                index: raw.vd_ndx.get(endian).0,
                names,
                records,
            });
            match raw.vd_next.get(endian) {
                0 => return Ok(defs),
                next => at = at.saturating_add(next.into()),
            }
        }
    }

    /// The file up to the end of a version table's segment, where in it the table begins, and how many records it can
    /// have.
    fn version_table(&self, tag: elf::DynamicTag) -> Result<Option<(&'a [u8], u64, Budget)>> {
        let Some(dynamic) = &self.dynamic else { return Ok(None) };
        let Some(address) = dynamic.value(tag) else { return Ok(None) };
        let Some(room) = self.room_at(address) else {
            let what = format!("version table (address {address:#x}) is not inside of a segment");
            return Err(Error::new(what).offset(dynamic.range.start).into());
        };
        // The smallest record (Verdaux) has 8 bytes.
        let bytes = self.slice(0..room.end).unwrap_or_default();
        Ok(Some((bytes, room.start, Budget(room.end.saturating_sub(room.start) / 8))))
    }
}
