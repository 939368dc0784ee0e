//! The version needs follow the references.

use object::Endianness;
use object::elf;
use object::endian::U16;
use spokeshave_core::{Error, Result};

use super::goal::Goal;
use super::strings::Strings;
use super::tables;
use super::write::Writes;
use crate::image::{Image, records};

/// Offset of `vn_file` in `Elfxx_Verneed`.
const VN_FILE: u64 = 4;
/// Offset of `vn_next` in `Elfxx_Verneed`.
const VN_NEXT: u64 = 12;

/// Writes the new `vn_file`s.
pub(super) fn rename(image: &Image<'_>, goal: &Goal, strings: &Strings, writes: &mut Writes) {
    for (record, text) in &goal.files {
        let offset = strings.offsets.get(*text).and_then(|offset| u32::try_from(*offset).ok()).unwrap_or(0);
        writes.put(record.saturating_add(VN_FILE), tables::word32(&image.header, offset));
    }
}

/// Takes the dropped records out of the chain, and their versions from the symbols that ask for them: glibc stops with
/// an assertion at a version need whose file is not loaded.
pub(super) fn drop(image: &Image<'_>, goal: &Goal, writes: &mut Writes) -> Result<()> {
    for (index, need) in goal.kept.iter().enumerate() {
        let next = goal.kept.get(index + 1).map_or(0, |next| next.offset.saturating_sub(need.offset));
        let next = u32::try_from(next).unwrap_or(0);
        if next != need.next {
            writes.put(need.offset.saturating_add(VN_NEXT), tables::word32(&image.header, next));
        }
    }
    let Some(address) = image.dynamic.as_ref().and_then(|dynamic| dynamic.value(elf::DT_VERSYM)) else {
        return Ok(());
    };
    let gone = |index: u16| goal.dropped.iter().flat_map(|need| &need.aux).any(|aux| aux.index == index);
    let count = image.symbols()?.len() as u64;
    let Some(range) = image.range_of(address, count.saturating_mul(2)) else {
        return Err(Error::new("symbol version table (DT_VERSYM) is not inside of a segment").into());
    };
    let table: &[U16<Endianness>] =
        records(image.bytes, range.start, count, "symbol version table (DT_VERSYM)")?;
    for (index, version) in table.iter().enumerate() {
        if gone(version.get(image.header.endian) & elf::VERSYM_VERSION) {
            let at = range.start.saturating_add(index as u64 * 2);
            writes.put(at, tables::half(&image.header, elf::VER_NDX_GLOBAL.0));
        }
    }
    Ok(())
}
