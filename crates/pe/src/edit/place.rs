//! Where the new names go.

use std::ops::Range;

use object::pe;
use spokeshave_core::Result;

use super::grow;
use super::invalidate;
use super::moves::Moves;
use super::references::Reference;
use super::write::Writes;
use crate::image::{Image, PAGE, Section};

/// The new names and the references that get each, in the order of the first.
type Wanted<'c> = Vec<(&'c str, Vec<usize>)>;

/// Places the names of `goal` and writes the references.
///
/// # Errors
/// When there is no place.
pub(super) fn place(
    image: &Image<'_>,
    references: &[Reference<'_>],
    goal: &[Option<&str>],
    moves: &mut Moves,
    writes: &mut Writes,
) -> Result<()> {
    let wanted = over_old(image, references, goal, writes);
    let places = match in_padding(image, &wanted, writes) {
        Some(places) => places,
        None => grow::add_section(image, &wanted, moves, writes)?,
    };
    for ((_, users), rva) in wanted.iter().zip(places) {
        for reference in users.iter().filter_map(|index| references.get(*index)) {
            writes.put_u32(reference.field, reference.value(rva)?);
        }
    }
    Ok(())
}

/// Writes names over the old ones where they fit and nothing that we know of uses the same bytes otherwise; returns the
/// rest.
fn over_old<'c>(
    image: &Image<'_>,
    references: &[Reference<'_>],
    goal: &[Option<&'c str>],
    writes: &mut Writes,
) -> Wanted<'c> {
    let used = used_otherwise(image);
    let mut written: Vec<&Range<u64>> = Vec::new();
    let mut wanted: Wanted<'c> = Vec::new();
    for (index, (reference, new)) in references.iter().zip(goal).enumerate() {
        let Some(new) = *new else { continue };
        let text = &reference.text;
        if written.contains(&text) {
            continue;
        }
        let size = text.end.saturating_sub(text.start);
        let whole = text.start..text.end.saturating_add(1);
        let is_own = |other: &Reference<'_>, name: &Option<&str>| other.text == *text && *name == Some(new);
        let alone = references.iter().zip(goal).all(|(other, name)| {
            !overlap(&other.descriptor, &whole) && (is_own(other, name) || !overlap(&other.text, &whole))
        });
        if new.len() as u64 <= size && alone && !used.iter().any(|range| overlap(range, &whole)) {
            let mut bytes = new.as_bytes().to_vec();
            bytes.resize(size as usize, 0);
            writes.put(text.start, bytes);
            written.push(text);
            continue;
        }
        match wanted.iter_mut().find(|(name, _)| *name == new) {
            Some((_, users)) => users.push(index),
            None => wanted.push((new, vec![index])),
        }
    }
    wanted
}

/// The file ranges of the export name and of the data directories that hold no names of imported DLLs.
fn used_otherwise(image: &Image<'_>) -> Vec<Range<u64>> {
    let holds_names = [pe::IMAGE_DIRECTORY_ENTRY_IMPORT, pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT];
    let others = directories(image).filter(|(index, _)| !holds_names.contains(index));
    let export_name = image.exports().ok().and_then(|exports| exports.name);
    others.map(|(_, range)| range).chain(export_name.map(|(_, range)| range)).collect()
}

/// The data directories that stay, with their file ranges.
fn directories(image: &Image<'_>) -> impl Iterator<Item = (usize, Range<u64>)> {
    let kept = (0..image.header.directories.len()).filter(|index| !invalidate::DIRECTORIES.contains(index));
    kept.filter_map(|index| {
        let directory = image.header.directory(index)?;
        let start = image.offset_of(directory.address)?;
        Some((index, start..start.saturating_add(directory.size.into())))
    })
}

/// Puts the names into the zeros at the end of sections; returns their RVAs, or `None` when not all of them fit.
fn in_padding(image: &Image<'_>, wanted: &Wanted<'_>, writes: &mut Writes) -> Option<Vec<u32>> {
    let mut rooms: Vec<Room> = image.sections.iter().filter_map(|section| Room::of(image, section)).collect();
    rooms.sort_by_key(|room| room.writable);
    let mut places = Vec::with_capacity(wanted.len());
    for (name, _) in wanted {
        let size = name.len() as u64 + 1;
        let room = rooms.iter_mut().find(|room| room.left() >= size)?;
        places.push(room.take(name)?);
    }
    for room in rooms.into_iter().filter(|room| !room.names.is_empty()) {
        writes.put_u32(room.size_field, u32::try_from(room.used.end.checked_sub(room.contents)?).ok()?);
        writes.put(room.used.start, room.names);
    }
    Some(places)
}

/// The zeros at the end of a section.
struct Room {
    /// Whether the section is writable: the second choice.
    writable: bool,
    /// Where the section's bytes begin in the file.
    contents: u64,
    /// Its RVA.
    rva: u64,
    /// Where its `VirtualSize` stands in the file.
    size_field: u64,
    /// Where it may end in the file.
    limit: u64,
    /// What names take in the file, so far nothing.
    used: Range<u64>,
    /// Those names.
    names: Vec<u8>,
}

impl Room {
    fn of(image: &Image<'_>, section: &Section) -> Option<Self> {
        let wrong = pe::IMAGE_SCN_CNT_CODE.0
            | pe::IMAGE_SCN_CNT_UNINITIALIZED_DATA.0
            | pe::IMAGE_SCN_MEM_EXECUTE.0
            | pe::IMAGE_SCN_MEM_DISCARDABLE.0
            | pe::IMAGE_SCN_MEM_SHARED.0
            | pe::IMAGE_SCN_GPREL.0;
        let right = pe::IMAGE_SCN_CNT_INITIALIZED_DATA.0 | pe::IMAGE_SCN_MEM_READ.0;
        let flags = section.flags.0;
        // Tools that replace resources write that section anew.
        let resources = image.header.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE);
        let is_resources =
            resources.is_some_and(|found| section.addresses().contains(&u64::from(found.address)));
        if flags & wrong != 0 || flags & right != right || is_resources || section.virtual_size == 0 {
            return None;
        }
        let file = section.file_range();
        let start = file.start.checked_add(section.virtual_size.into())?;
        // The page that is mapped anyway, so neither the next section nor `SizeOfImage` has to move.
        let mapped = file.start.checked_add(u64::from(section.virtual_size).next_multiple_of(PAGE))?;
        let padding = start..file.end.min(mapped);
        let zeros = image.slice(padding.clone())?.iter().all(|byte| *byte == 0);
        let alone = image.sections.iter().filter(|other| overlap(&other.file_range(), &padding)).count() == 1
            && !image.sections.iter().any(|other| other.header != section.header && covers(other, section));
        let apart = padding.start >= image.header.size_of_headers.into()
            && !directories(image).any(|(_, directory)| overlap(&directory, &padding));
        (zeros && alone && apart && !padding.is_empty()).then_some(Room {
            writable: flags & pe::IMAGE_SCN_MEM_WRITE.0 != 0,
            contents: file.start,
            rva: section.virtual_address.into(),
            size_field: section.virtual_size_offset(),
            limit: padding.end,
            used: start..start,
            names: Vec::new(),
        })
    }

    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used.end)
    }

    /// Takes room for a name and its NUL; returns the RVA.
    fn take(&mut self, name: &str) -> Option<u32> {
        let rva = self.rva.checked_add(self.used.end.checked_sub(self.contents)?)?;
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        self.used.end = self.used.end.checked_add(name.len() as u64 + 1)?;
        u32::try_from(rva).ok()
    }
}

/// Whether another section lies over the pages of `section`.
fn covers(other: &Section, section: &Section) -> bool {
    let pages = |section: &Section| {
        let start = u64::from(section.virtual_address);
        start..start + section.memory_size().next_multiple_of(PAGE)
    };
    overlap(&pages(other), &pages(section))
}

fn overlap(left: &Range<u64>, right: &Range<u64>) -> bool {
    left.start < right.end && right.start < left.end
}
