//! The new section, its header, and room for that.

use std::ops::Range;

use object::pe;
use spokeshave_core::{Error, Result};

use super::invalidate;
use super::moves::Moves;
use super::write::Writes;
use crate::image::{Directory, Field, Image, PAGE, SECTOR, Section};

/// The new section's name.
const NAME: &[u8; 8] = b".dllname";

/// How many sections Windows takes.
const MAX_SECTIONS: u16 = 96;

/// Size in bytes of a section header.
const HEADER: u64 = pe::IMAGE_SIZEOF_SECTION_HEADER as u64;

/// The largest `FileAlignment`.
const MAX_ALIGNMENT: u64 = 0x10000;

/// Puts the names into a new read-only section; returns their RVAs.
///
/// # Errors
/// When the headers have no room for it, or the file is no regular one.
pub(super) fn add_section(
    image: &Image<'_>,
    wanted: &[(&str, Vec<usize>)],
    moves: &mut Moves,
    writes: &mut Writes,
) -> Result<Vec<u32>> {
    let header = &image.header;
    let (file_alignment, section_alignment) = alignments(image)?;
    if header.number_of_sections >= MAX_SECTIONS {
        let what = format!(
            "no room for the names of imports: {} sections, and Windows takes {MAX_SECTIONS}",
            header.number_of_sections
        );
        return Err(Error::new(what).offset(header.offset_of(Field::NumberOfSections)).into());
    }
    let end = image.sections.iter().map(|section| section.addresses().end).max().unwrap_or(0);
    let rva = end.max(header.size_of_headers.into()).next_multiple_of(section_alignment);
    let mut contents = Vec::new();
    let mut places = Vec::with_capacity(wanted.len());
    for (name, _) in wanted {
        places.push(narrow(rva.saturating_add(contents.len() as u64))?);
        contents.extend_from_slice(name.as_bytes());
        contents.push(0);
    }
    let size = contents.len() as u64;
    let raw_size = size.next_multiple_of(file_alignment);

    if directories(image, rva..rva.saturating_add(raw_size)).next().is_some() {
        let what =
            format!("no section can be added: a data directory leads behind the last one, to RVA {rva:#x}");
        return Err(Error::new(what).offset(header.directory_offset(0)).into());
    }

    let insert_at = image.contents_end();
    let widened = Room::of(image, file_alignment)?;
    let shift = if widened == Room::Widen { file_alignment } else { 0 };
    let pointer = insert_at.saturating_add(shift).next_multiple_of(file_alignment);
    let inserted = pointer.saturating_add(raw_size).saturating_sub(insert_at.saturating_add(shift));

    let mut section = section_header(size, rva, raw_size, pointer)?;
    let table_end = header.section_table_end();
    match widened {
        Room::There => writes.put(table_end, section),
        Room::Widen => {
            section.resize(usize::try_from(file_alignment)?, 0);
            writes.replace(table_end..table_end, section);
            moves.insert(table_end, file_alignment);
            let size = u64::from(header.size_of_headers).saturating_add(file_alignment);
            writes.put_u32(header.offset_of(Field::SizeOfHeaders), narrow(size)?);
        }
    }
    let gap = usize::try_from(inserted.saturating_sub(raw_size))?;
    let mut bytes = vec![0; gap];
    bytes.append(&mut contents);
    bytes.resize(usize::try_from(inserted)?, 0);
    writes.replace(insert_at..insert_at, bytes);
    moves.insert(insert_at, inserted);

    let count = header.number_of_sections.saturating_add(1);
    writes.put(header.offset_of(Field::NumberOfSections), count.to_le_bytes());
    let image_size = rva.saturating_add(size).next_multiple_of(section_alignment);
    writes.put_u32(header.offset_of(Field::SizeOfImage), narrow(image_size)?);
    let data = u64::from(header.size_of_initialized_data).saturating_add(raw_size);
    writes.put_u32(header.offset_of(Field::SizeOfInitializedData), u32::try_from(data).unwrap_or(u32::MAX));
    Ok(places)
}

/// An `IMAGE_SECTION_HEADER` of read-only data, without relocations and line numbers.
fn section_header(size: u64, rva: u64, raw_size: u64, pointer: u64) -> Result<Vec<u8>> {
    let mut section = NAME.to_vec();
    for value in [size, rva, raw_size, pointer, 0, 0, 0] {
        section.extend_from_slice(&narrow(value)?.to_le_bytes());
    }
    let flags = pe::IMAGE_SCN_CNT_INITIALIZED_DATA.0 | pe::IMAGE_SCN_MEM_READ.0;
    section.extend_from_slice(&flags.to_le_bytes());
    Ok(section)
}

/// `FileAlignment` and `SectionAlignment`, if they are such that sections can be added.
fn alignments(image: &Image<'_>) -> Result<(u64, u64)> {
    let header = &image.header;
    let (file, section) = (u64::from(header.file_alignment), u64::from(header.section_alignment));
    let powers = file.is_power_of_two() && section.is_power_of_two();
    if !powers || !(SECTOR..=MAX_ALIGNMENT).contains(&file) || section < file.max(PAGE) {
        let what = format!(
            "no room for the names of imports, and no section can be added with FileAlignment {file:#x} and \
             SectionAlignment {section:#x}"
        );
        return Err(Error::new(what).offset(header.optional_offset()).into());
    }
    // The loader takes no others, and rounds a `PointerToRawData` down.
    let is_crooked = |found: &&Section| {
        !u64::from(found.pointer_to_raw_data).is_multiple_of(SECTOR)
            || !u64::from(found.virtual_address).is_multiple_of(section)
    };
    if let Some(found) = image.sections.iter().find(is_crooked) {
        let name = found.display_name();
        let what =
            format!("no room for the names of imports, and no section can be added: {name} is not aligned");
        return Err(Error::new(what).offset(found.header).into());
    }
    Ok((file, section))
}

/// Where the new section header goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// Behind the section table, where nothing stands.
    There,
    /// Into `FileAlignment` new bytes behind the section table.
    Widen,
}

impl Room {
    fn of(image: &Image<'_>, file_alignment: u64) -> Result<Self> {
        let header = &image.header;
        let end = header.section_table_end();
        let first =
            image.sections.iter().map(|section| section.file_range()).filter(|range| !range.is_empty());
        let first = first.map(|range| range.start).min().unwrap_or(u64::MAX);
        let headers = u64::from(header.size_of_headers).min(first).min(image.bytes.len() as u64);
        let limit = image.sections.iter().map(|section| section.virtual_address).min().unwrap_or(u32::MAX);
        if u64::from(header.size_of_headers) < end || header.size_of_headers > limit {
            let what = format!(
                "SizeOfHeaders {:#x} is not between the section table's end ({end:#x}) and the first section (RVA {limit:#x})",
                header.size_of_headers
            );
            return Err(Error::new(what).offset(header.offset_of(Field::SizeOfHeaders)).into());
        }
        let wanted = end..end.saturating_add(HEADER);
        let bound = bound_imports(image).unwrap_or(0..0);
        let is_free = |at: u64| bound.contains(&at) || image.slice(at..at + 1) == Some(&[0]);
        let in_headers = || directories(image, 0..limit.into());
        let taken = in_headers().any(|range| range.start < wanted.end && wanted.start < range.end);
        if wanted.end <= headers && !taken && wanted.clone().all(is_free) {
            return Ok(Room::There);
        }
        if let Some(range) = in_headers().find(|range| range.end > end) {
            let what =
                "no room for a section header, and the headers can't be widened: a table stands in them";
            return Err(Error::new(what).offset(range.start).into());
        }
        let widened = u64::from(header.size_of_headers).saturating_add(file_alignment);
        if widened > limit.into() {
            let what = format!(
                "no room for a section header: the headers end at {headers:#x}, the section table at {end:#x}, and \
                 widened to {widened:#x} they would reach into the first section (RVA {limit:#x})"
            );
            return Err(Error::new(what).offset(header.section_table()).into());
        }
        Ok(Room::Widen)
    }
}

/// The bound import table, which goes anyway, if it stands in the headers.
fn bound_imports(image: &Image<'_>) -> Option<Range<u64>> {
    let directory = image.header.directory(pe::IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT)?;
    let range = range_of(directory);
    (range.end <= image.header.size_of_headers.into()).then_some(range)
}

/// The addresses of the directories that stay and begin in a range of addresses.
fn directories(image: &Image<'_>, within: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let directories = image.header.directories.iter().enumerate();
    let kept =
        directories.filter(|(index, found)| found.address != 0 && !invalidate::DIRECTORIES.contains(index));
    kept.map(|(_, directory)| range_of(*directory)).filter(move |range| within.contains(&range.start))
}

/// A directory's addresses, which in the headers are its file range.
fn range_of(directory: Directory) -> Range<u64> {
    let start = u64::from(directory.address);
    start..start + u64::from(directory.size)
}

fn narrow(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::new("the file would grow past 4 GiB").into())
}
