//! The dynamic section, encoded in its old place or in a new one.

use object::elf;
use spokeshave_core::{Error, Result};

use super::goal::{Goal, Value};
use super::place::{Place, Placed};
use super::strings::Strings;
use super::tables;
use super::write::Writes;
use crate::image::{Image, Section};

/// Spare entries of a dynamic section that moves, so that the next change finds room.
const SPARE: u64 = 4;

/// The room that the dynamic section has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    /// Whether the goal's entries and a `DT_NULL` fit in the old place.
    pub fits: bool,
    /// Offset and address of the old place.
    pub old: (u64, u64),
    /// Bytes of the old place.
    pub size: u64,
    /// Bytes of a new place.
    pub roomy: u64,
}

impl Capacity {
    pub fn of(image: &Image<'_>, goal: &Goal) -> Result<Self> {
        let Some(dynamic) = &image.dynamic else {
            return Err(Error::new("has no dynamic section to change").into());
        };
        let entsize = image.word().saturating_mul(2);
        let used = (dynamic.entries.len() as u64 + 1).saturating_mul(entsize);
        let range = dynamic.range.clone();
        let behind = range.start.saturating_add(used)..range.end;
        let null = image.slice(behind).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        let all = range.end.saturating_sub(range.start) / entsize * entsize;
        let size = if null { all } else { used };
        let needed = (goal.entries.len() as u64 + 1).saturating_mul(entsize);
        let roomy = needed.saturating_add(SPARE * entsize).max(size);
        Ok(Capacity { fits: needed <= size, old: (range.start, dynamic.vaddr), size, roomy })
    }
}

/// The entries for a place, filled up with `DT_NULL`.
pub(super) fn encode(
    image: &Image<'_>,
    goal: &Goal,
    strings: &Strings,
    placed: &Placed,
    place: Place,
) -> Result<Vec<u8>> {
    let header = &image.header;
    let mips = header.machine == elf::EM_MIPS || header.machine == elf::EM_MIPS_RS3_LE;
    let mut bytes = Vec::new();
    for entry in &goal.entries {
        let value = match (entry.value, placed.strings) {
            (Value::Text(index), _) => strings.offsets.get(index).copied().unwrap_or(0),
            (Value::Old(_), Some(new)) if entry.tag == elf::DT_STRTAB => new.vaddr,
            (Value::Old(_), Some(new)) if entry.tag == elf::DT_STRSZ => new.size,
            (Value::Old(value), _) if mips && entry.tag == elf::DT_MIPS_RLD_MAP_REL => {
                let now = place.vaddr.wrapping_add(bytes.len() as u64);
                relative_to(image, entry.offset, value, now)
            }
            (Value::Old(value), _) => value,
        };
        bytes.extend_from_slice(&tables::dynamic_entry(header, entry.tag, value)?);
    }
    let size = usize::try_from(place.size).unwrap_or(usize::MAX);
    if bytes.len() >= size {
        return Err(Error::new("dynamic section does not fit in its place").offset(place.offset).into());
    }
    bytes.resize(size, 0);
    Ok(bytes)
}

/// `DT_MIPS_RLD_MAP_REL` counts from its own address.
fn relative_to(image: &Image<'_>, offset: Option<u64>, value: u64, now: u64) -> u64 {
    let Some((dynamic, offset)) = image.dynamic.as_ref().zip(offset) else { return value };
    let before = dynamic.vaddr.wrapping_add(offset.wrapping_sub(dynamic.range.start));
    let moved = value.wrapping_add(before).wrapping_sub(now);
    if image.header.is_64 { moved } else { moved & u64::from(u32::MAX) }
}

/// What holds the address of the dynamic section follows it: the first word of the global offset table and the symbol
/// `_DYNAMIC`. No loader reads either in a library, but tools do.
pub(super) fn follow(image: &Image<'_>, new: Place, writes: &mut Writes) -> Result<()> {
    let word = tables::word(&image.header, new.vaddr)?;
    for at in addresses_of_dynamic(image)? {
        writes.put(at, word.as_slice());
    }
    Ok(())
}

/// The file offsets of the words that hold the address of the dynamic section, as far as they are known.
pub(super) fn addresses_of_dynamic(image: &Image<'_>) -> Result<Vec<u64>> {
    let Some(dynamic) = &image.dynamic else { return Ok(Vec::new()) };
    let old = tables::word(&image.header, dynamic.vaddr)?;
    let sections = image.sections().unwrap_or_default();
    let mut words: Vec<u64> = Vec::new();
    words.extend(dynamic.value(elf::DT_PLTGOT).and_then(|address| image.offset_of(address)));
    let got = |section: &&Section| {
        section.kind == elf::SHT_PROGBITS && section.is_alloc() && section.entsize == image.word()
    };
    words.extend(sections.iter().filter(got).map(|section| section.offset));
    for table in &sections {
        if table.kind == elf::SHT_SYMTAB || table.kind == elf::SHT_DYNSYM {
            let strings = sections.get(table.link as usize);
            let names = strings
                .and_then(|strings| image.slice(strings.offset..strings.offset.checked_add(strings.size)?));
            words.extend(dynamic_symbols(image, table, names.unwrap_or_default(), &old));
        }
    }
    words.retain(|at| image.slice(*at..at.saturating_add(image.word())) == Some(old.as_slice()));
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

/// Where `st_value` of `_DYNAMIC` stands in a symbol table.
fn dynamic_symbols(image: &Image<'_>, table: &Section, names: &[u8], address: &[u8]) -> Vec<u64> {
    let (entry, value_at) = if image.header.is_64 { (24, 8) } else { (16, 4) };
    let bytes = image.slice(table.offset..table.offset.saturating_add(table.size)).unwrap_or_default();
    let mut found = Vec::new();
    for (index, raw) in bytes.chunks_exact(entry).enumerate() {
        if raw.get(value_at..value_at + address.len()) != Some(address) {
            continue;
        }
        let name = raw.first_chunk::<4>().map(|name| match image.header.endian {
            object::Endianness::Little => u32::from_le_bytes(*name),
            object::Endianness::Big => u32::from_be_bytes(*name),
        });
        let name = name.and_then(|name| names.get(name as usize..)).unwrap_or_default();
        if name.starts_with(b"_DYNAMIC\0") {
            found.push(table.offset.saturating_add((index * entry + value_at) as u64));
        }
    }
    found
}
