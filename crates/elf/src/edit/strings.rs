//! The dynamic string table: which of its strings are dead, and where the new ones go.

use std::ops::Range;

use object::elf;
use spokeshave_core::{Error, Result};

use super::goal::{Goal, Value};
use crate::image::{Image, Symbols};

/// Where the new strings go.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// Offsets of [`Goal::texts`] in the table.
    pub offsets: Vec<u64>,
    /// Strings that go where dead ones stood: offset in the table, bytes with the NUL.
    pub reused: Vec<(u64, Vec<u8>)>,
    /// What is appended to the table.
    pub appended: Vec<u8>,
    /// Where that begins: the end of the table, or of its last live string.
    pub end: u64,
}

impl Strings {
    /// Finds a place for every new string of the goal.
    ///
    /// # Errors
    /// When a string that stays lies outside of the table.
    pub fn place(image: &Image<'_>, goal: &Goal) -> Result<Self> {
        let range = image.string_table();
        let table = image.slice(range.clone()).unwrap_or_default();
        let size = table.len() as u64;
        let mut strings = Strings { end: size, ..Strings::default() };
        let mut live = Live::of(image, goal, size)?;
        let mut missing = Vec::new();
        for (index, text) in goal.texts.iter().enumerate() {
            let mut wanted = text.clone();
            wanted.push(0);
            let found = memchr::memmem::find(table, &wanted).map(|at| at as u64);
            match found {
                Some(at) => live.mark(at),
                None => missing.push((index, wanted)),
            }
            strings.offsets.push(found.unwrap_or(u64::MAX));
        }
        let mut free = if live.known { live.free(table) } else { Vec::new() };
        let mut homeless = Vec::new();
        for (index, wanted) in missing {
            let length = wanted.len() as u64;
            let fits = |range: &&mut Range<u64>| range.end - range.start >= length;
            match free.iter_mut().filter(fits).min_by_key(|range| range.end - range.start) {
                Some(range) => {
                    if let Some(offset) = strings.offsets.get_mut(index) {
                        *offset = range.start;
                    }
                    strings.reused.push((range.start, wanted));
                    range.start += length;
                }
                None => homeless.push((index, wanted)),
            }
        }
        if let Some(last) = free.last().filter(|range| range.end == size && !homeless.is_empty()) {
            strings.end = last.start;
        }
        if table.last().is_some_and(|last| *last != 0) && strings.end == size {
            strings.appended.push(0);
        }
        for (index, wanted) in homeless {
            if let Some(offset) = strings.offsets.get_mut(index) {
                *offset = strings.end + strings.appended.len() as u64;
            }
            strings.appended.extend_from_slice(&wanted);
        }
        if strings.appended == [0] {
            strings.appended.clear();
        }
        Ok(strings)
    }
}

/// Which strings are referred to after the change: one bit for each byte that a reference leads to.
struct Live {
    bits: Vec<u64>,
    size: u64,
    /// Whether every reference is known; if not, nothing may be taken for dead.
    known: bool,
}

impl Live {
    fn of(image: &Image<'_>, goal: &Goal, size: u64) -> Result<Self> {
        let words = usize::try_from(size / 64 + 1)
            .map_err(|_| Error::new("string table is too large").offset(image.string_table().start))?;
        let mut live = Live { bits: vec![0; words], size, known: !shared_by_sections(image) };
        live.mark(0);
        // Any entry that stays may be a string of a tag that we don't know, so its value counts whatever it means.
        for entry in &goal.entries {
            if let Value::Old(value) = entry.value {
                live.mark(value);
            }
        }
        live.mark_versions(image, goal)?;
        live.mark_symbols(image)?;
        Ok(live)
    }

    fn mark(&mut self, offset: u64) {
        if offset < self.size
            && let Some(word) = self.bits.get_mut((offset / 64) as usize)
        {
            *word |= 1 << (offset % 64);
        }
    }

    fn mark_versions(&mut self, image: &Image<'_>, goal: &Goal) -> Result<()> {
        for need in image.version_needs()? {
            let renamed = goal.files.iter().any(|(offset, _)| *offset == need.offset);
            if !renamed {
                self.mark(need.file.into());
            }
            need.aux.iter().for_each(|aux| self.mark(aux.name.into()));
        }
        for def in image.version_defs()? {
            def.names.iter().for_each(|name| self.mark((*name).into()));
        }
        Ok(())
    }

    fn mark_symbols(&mut self, image: &Image<'_>) -> Result<()> {
        let symbols: Symbols<'_> = image.symbols()?;
        if !symbols.exact {
            self.known = false;
            return Ok(());
        }
        symbols.names().for_each(|name| self.mark(name.into()));
        Ok(())
    }

    /// The first mark in a range.
    fn first(&self, range: Range<u64>) -> Option<u64> {
        let mut at = range.start;
        while at < range.end {
            let word = self.bits.get((at / 64) as usize).copied().unwrap_or(0) >> (at % 64);
            if word != 0 {
                let found = at + u64::from(word.trailing_zeros());
                return (found < range.end).then_some(found);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }

    /// The ranges that no live string touches, each with room for a NUL at its end.
    fn free(&self, table: &[u8]) -> Vec<Range<u64>> {
        let mut free: Vec<Range<u64>> = Vec::new();
        let mut start = 0;
        for end in memchr::memchr_iter(0, table) {
            let end = end as u64 + 1;
            let dead = start..self.first(start..end).unwrap_or(end);
            match free.last_mut() {
                Some(last) if last.end == dead.start => last.end = dead.end,
                _ if dead.is_empty() => {}
                _ => free.push(dead),
            }
            start = end;
        }
        free
    }
}

/// Whether a section that we don't know uses the string table too (prelink's library list, a symbol table or section
/// names that share it).
fn shared_by_sections(image: &Image<'_>) -> bool {
    let Some(sections) = image.sections() else { return false };
    let start = image.string_table().start;
    let own = |index: usize| {
        sections.get(index).is_some_and(|section| section.is_alloc() && section.offset == start)
    };
    let known = [elf::SHT_DYNSYM, elf::SHT_DYNAMIC, elf::SHT_GNU_VERDEF, elf::SHT_GNU_VERNEED];
    let shared =
        |section: &crate::image::Section| own(section.link as usize) && !known.contains(&section.kind);
    own(image.header.shstrndx.into()) || sections.iter().any(shared)
}
