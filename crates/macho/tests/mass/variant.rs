//! The ways in which each file is edited.

use std::path::Path;

use spokeshave_macho::fuzzing::{Arch, Changes, MachoFacts, Slice, SliceChanges};

/// A way to edit a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Every name becomes what it is.
    AsItIs,
    /// Every name and search path gets longer by a dozen bytes.
    Longer,
    /// One name takes the last byte of room.
    Full,
    /// One name takes one unit more than there is.
    TooLong,
    /// Short names, no search paths.
    Shorter,
    /// Search paths dropped, added and put into another order.
    Paths,
}

impl Variant {
    /// All of them.
    pub const ALL: [Variant; 6] =
        [Variant::AsItIs, Variant::Longer, Variant::Full, Variant::TooLong, Variant::Shorter, Variant::Paths];

    /// The changes of a file.
    pub fn changes(self, facts: &MachoFacts, path: &Path) -> Changes {
        Changes {
            slices: facts.slices.iter().map(|slice| self.of_slice(slice)).collect(),
            file_name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        }
    }

    fn of_slice(self, slice: &Slice) -> SliceChanges {
        let every = |to: &dyn Fn(&str) -> String| SliceChanges {
            id: slice.id.as_ref().map(|id| to(&id.name)),
            dylibs: slice.dylibs.iter().map(|(_, dylib)| (dylib.name.clone(), to(&dylib.name))).collect(),
            rpaths: Some(slice.rpaths.iter().map(|path| to(path)).collect()),
        };
        match self {
            Variant::AsItIs => every(&str::to_owned),
            Variant::Longer => every(&|name| format!("{name}-0123456789a")),
            Variant::Full => one_name(slice, 0),
            Variant::TooLong => one_name(slice, 1),
            Variant::Shorter => {
                let leaf = |name: &str| format!("@/{}", name.rsplit('/').next().unwrap());
                SliceChanges { rpaths: Some(Vec::new()), ..every(&leaf) }
            }
            Variant::Paths => {
                let mut paths: Vec<String> = slice.rpaths.iter().rev().skip(1).cloned().collect();
                paths.insert(0, "@p".to_owned());
                SliceChanges { rpaths: Some(paths), ..SliceChanges::default() }
            }
        }
    }

    /// How many bytes the first slice lacks that lacks any, counted from the names alone.
    pub fn missing(self, facts: &MachoFacts, changes: &Changes) -> Option<u64> {
        let lacks = |(slice, changes): (&Slice, &SliceChanges)| {
            let missing = growth(slice, changes) - i64::from(slice.header_room);
            (missing > 0).then_some(missing as u64)
        };
        facts.slices.iter().zip(&changes.slices).find_map(lacks)
    }
}

fn unit(slice: &Slice) -> usize {
    if slice.layout.is_64 { 8 } else { 4 }
}

/// What an unsigned arm64 slice needs for `LC_CODE_SIGNATURE`.
fn signature(slice: &Slice) -> usize {
    let arm64 = slice.arch.cputype == Arch::ARM64.cputype;
    if arm64 && !slice.layout.code_signature { 16 } else { 0 }
}

/// One name that takes all the room there is, and some units more.
fn one_name(slice: &Slice, more: usize) -> SliceChanges {
    let unit = unit(slice);
    let room = (slice.header_room as usize / unit + more) * unit;
    let room = room.saturating_sub(signature(slice));
    let name = |cmdsize: u32, header: u32| "x".repeat(cmdsize as usize + room - header as usize - 1);
    if let Some(slot) = slice.layout.id {
        let id = Some(name(slot.cmdsize, slot.name_offset));
        return SliceChanges { id, ..SliceChanges::default() };
    }
    let (slot, (_, dylib)) = (slice.layout.dylibs[0], &slice.dylibs[0]);
    let dylibs = vec![(dylib.name.clone(), name(slot.cmdsize, slot.name_offset))];
    SliceChanges { dylibs, ..SliceChanges::default() }
}

fn growth(slice: &Slice, changes: &SliceChanges) -> i64 {
    let size = |header: usize, name: &str| (header + name.len() + 1).next_multiple_of(unit(slice)) as i64;
    let mut growth = 0;
    if let (Some(slot), Some(new)) = (slice.layout.id, &changes.id) {
        growth += size(slot.name_offset as usize, new) - i64::from(slot.cmdsize);
    }
    for (slot, (_, dylib)) in slice.layout.dylibs.iter().zip(&slice.dylibs) {
        if let Some((_, new)) = changes.dylibs.iter().find(|(old, _)| *old == dylib.name) {
            growth += size(slot.name_offset as usize, new) - i64::from(slot.cmdsize);
        }
    }
    if let Some(paths) = &changes.rpaths {
        growth += paths.iter().map(|path| size(12, path)).sum::<i64>();
        growth -= slice.layout.rpaths.iter().map(|slot| i64::from(slot.cmdsize)).sum::<i64>();
    }
    growth + if *changes == SliceChanges::default() { 0 } else { signature(slice) as i64 }
}
