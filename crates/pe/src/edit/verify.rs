//! Reads back what was written, as a loader sees it.

use std::ops::Range;

use object::pe;
use spokeshave_core::{Error, Result};

use super::{checksum, invalidate, references};
use crate::change::Changes;
use crate::image::{DelayDescriptor, Field, Header, Image, ImportDescriptor, Section};

/// Checks that `new` is `old` with `changes` and nothing else: imports, headers, the sections' and the overlay's bytes,
/// and what file offsets lead to.
///
/// # Errors
/// When it is not.
pub(crate) fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    let before = Image::parse(old)?;
    let after = Image::parse(new).map_err(|error| error.context("the changed file can't be read back"))?;
    imports(&before, &after, changes)?;
    headers(&before, &after)?;
    sections(&before, &after)?;
    behind_sections(&before, &after)?;
    pointers(&before, &after)
}

/// Both tables name what was asked for, and are otherwise the same.
fn imports(before: &Image<'_>, after: &Image<'_>, changes: &Changes) -> Result<()> {
    let names = |image: &Image<'_>| -> Result<Vec<String>> {
        Ok(references::of(image)?.into_iter().map(|reference| reference.name.to_owned()).collect())
    };
    let asked = |name: &String| changes.renamed(name).unwrap_or(name).to_owned();
    if names(after)? != names(before)?.iter().map(asked).collect::<Vec<_>>() {
        let at = after.header.directory_offset(pe::IMAGE_DIRECTORY_ENTRY_IMPORT);
        return Err(fault("the imports are not what was asked for", at));
    }
    let unbound = after.imports()?.iter().all(|descriptor| descriptor.time_date_stamp == 0)
        && after.delay_imports()?.iter().all(|descriptor| descriptor.time_date_stamp == 0);
    let config = after.load_config().dependent_load_flags;
    if !unbound || config.is_some_and(|(_, flags)| flags != 0) {
        return Err(fault("bound imports or DependentLoadFlags are left", 0));
    }
    Ok(())
}

/// The fields of the headers are the same but for those that describe the new section and what was taken away.
fn headers(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let (old, new) = (&before.header, &after.header);
    let mut expected = Header {
        number_of_sections: new.number_of_sections,
        pointer_to_symbol_table: new.pointer_to_symbol_table,
        size_of_initialized_data: new.size_of_initialized_data,
        size_of_image: new.size_of_image,
        size_of_headers: new.size_of_headers,
        check_sum: new.check_sum,
        dll_characteristics: old.dll_characteristics & !pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.0,
        ..old.clone()
    };
    for index in invalidate::DIRECTORIES {
        if let Some(directory) = expected.directories.get_mut(index) {
            (directory.address, directory.size) = (0, 0);
        }
    }
    if *new != expected {
        return Err(fault("a field of the headers changed that should not have", old.pe_offset));
    }
    // The DOS stub, and fields that are not read.
    let head = old.pe_offset..old.section_table();
    let fields = [
        (Field::NumberOfSections, 2),
        (Field::PointerToSymbolTable, 4),
        (Field::SizeOfInitializedData, 4),
        (Field::SizeOfImage, 4),
        (Field::SizeOfHeaders, 4),
        (Field::CheckSum, 4),
        (Field::DllCharacteristics, 2),
    ];
    let mut may_change: Vec<Range<u64>> =
        fields.iter().map(|(field, size)| old.offset_of(*field)..old.offset_of(*field) + size).collect();
    may_change.extend(
        invalidate::DIRECTORIES
            .iter()
            .map(|index| old.directory_offset(*index)..old.directory_offset(*index) + 8),
    );
    same(before, 0..old.pe_offset, after, 0, &[])?;
    same(before, head.clone(), after, head.start, &may_change)?;
    let sum = checksum::of(after.bytes, new.offset_of(Field::CheckSum));
    if new.check_sum != if old.check_sum == 0 { 0 } else { sum } {
        return Err(fault("the checksum is wrong", new.offset_of(Field::CheckSum)));
    }
    Ok(())
}

/// The old sections hold what they held, where they held it; a new one stands behind them.
fn sections(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let may_change = changeable(before)?;
    for (section, new) in before.sections.iter().zip(&after.sections) {
        let pointers = |new: &Section| Section {
            header: section.header,
            virtual_size: section.virtual_size,
            pointer_to_raw_data: section.pointer_to_raw_data,
            pointer_to_relocations: section.pointer_to_relocations,
            pointer_to_linenumbers: section.pointer_to_linenumbers,
            ..*new
        };
        let grown = u64::from(new.virtual_size) <= u64::from(new.size_of_raw_data);
        if pointers(new) != *section
            || new.virtual_size < section.virtual_size
            || (new.virtual_size > section.virtual_size && !grown)
        {
            return Err(fault("a section header changed that should not have", section.header));
        }
        let mut may_change = may_change.clone();
        let start = section.file_range().start;
        may_change.push(start + u64::from(section.virtual_size)..start + u64::from(new.virtual_size));
        same(before, section.file_range(), after, new.file_range().start, &may_change)?;
    }
    let added = after.sections.get(before.sections.len()..);
    let (Some(added), true) = (added, after.sections.len() <= before.sections.len() + 1) else {
        return Err(fault("a section is missing", before.header.section_table()));
    };
    let header = &after.header;
    let Some(new) = added.first() else {
        let sizes =
            |header: &Header| (header.size_of_image, header.size_of_headers, header.size_of_initialized_data);
        let same = sizes(header) == sizes(&before.header);
        return if same {
            Ok(())
        } else {
            Err(fault("sizes changed without a new section", header.pe_offset))
        };
    };
    let alignment = u64::from(header.section_alignment).max(1);
    let lies_behind = before.sections.iter().all(|section| section.addresses().end <= new.addresses().start);
    let image_ends = new.addresses().end.next_multiple_of(alignment) == u64::from(header.size_of_image);
    let apart = after.sections.iter().filter(|section| !section.file_range().is_empty()).all(|section| {
        let (range, others) = (section.file_range(), new.file_range());
        section == new || range.end <= others.start || others.end <= range.start
    });
    if !lies_behind || !image_ends || !apart || !fits(after) {
        return Err(fault("the new section is not where a loader wants it", new.header));
    }
    Ok(())
}

/// The headers end before the first section, in the file and in memory.
fn fits(image: &Image<'_>) -> bool {
    let size = u64::from(image.header.size_of_headers);
    image.header.section_table_end() <= size
        && image.sections.iter().all(|section| {
            let file = section.file_range();
            u64::from(section.virtual_address) >= size
                && (file.is_empty() || file.start >= image.header.section_table_end())
        })
}

/// Where the editor may write inside of sections.
fn changeable(image: &Image<'_>) -> Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    let mut field = |at: u64, size: u64| ranges.push(at..at.saturating_add(size));
    for descriptor in image.imports()? {
        field(descriptor.offset.saturating_add(ImportDescriptor::NAME), 4);
        field(descriptor.offset.saturating_add(ImportDescriptor::TIME_DATE_STAMP), 8);
    }
    for descriptor in image.delay_imports()? {
        field(descriptor.offset.saturating_add(DelayDescriptor::NAME), 4);
        field(descriptor.offset.saturating_add(DelayDescriptor::TIME_DATE_STAMP), 4);
    }
    for entry in image.debug_entries() {
        field(entry.pointer_offset, 4);
    }
    if let Some((at, _)) = image.load_config().dependent_load_flags {
        field(at, 2);
    }
    ranges.extend(references::of(image)?.into_iter().map(|reference| reference.text));
    Ok(ranges)
}

/// The overlay is the same but for the certificate table.
fn behind_sections(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let (old, new) = (before.contents_end(), after.contents_end());
    let size = before.bytes.len() as u64;
    let certificates = before.certificates().filter(|range| range.start >= old).unwrap_or(size..size);
    let kept = [old..certificates.start, certificates.end..size];
    let mut at = new;
    for range in kept {
        let length = range.end.saturating_sub(range.start);
        same(before, range, after, at, &[])?;
        at = at.saturating_add(length);
    }
    if at != after.bytes.len() as u64 {
        return Err(fault("the file does not end where it should", at));
    }
    Ok(())
}

/// The file offsets of symbols and debug data lead to the same bytes.
fn pointers(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let field = Field::PointerToSymbolTable;
    let symbols = before.header.pointer_to_symbol_table;
    /// One `IMAGE_SYMBOL` in bytes.
    const SYMBOL: u32 = 18;
    leads(
        before,
        symbols,
        SYMBOL,
        after,
        after.header.pointer_to_symbol_table,
        after.header.offset_of(field),
    )?;
    let entries = before.debug_entries();
    let counterparts = after.debug_entries();
    for (entry, new) in entries.iter().zip(&counterparts) {
        leads(before, entry.pointer, entry.size, after, new.pointer, new.pointer_offset)?;
    }
    if entries.len() != counterparts.len() {
        return Err(fault("debug data is missing", 0));
    }
    Ok(())
}

/// Checks that an old file offset became the right new one, which stands at `at`.
fn leads(before: &Image<'_>, old: u32, size: u32, after: &Image<'_>, new: u32, at: u64) -> Result<()> {
    let (old, new) = (u64::from(old), u64::from(new));
    let widened =
        u64::from(after.header.size_of_headers).saturating_sub(before.header.size_of_headers.into());
    let right = if old < before.header.section_table_end() {
        new == old
    } else if old < before.contents_end() {
        new == old.saturating_add(widened)
    } else {
        // As much of it as stands before the certificate table, if it does; what led into that leads nowhere.
        let size_of_file = before.bytes.len() as u64;
        let certificates = before.certificates().filter(|range| old < range.end);
        let end = certificates.map_or(size_of_file, |range| range.start.max(old));
        let size = end.min(old.saturating_add(size.into())).saturating_sub(old);
        before.slice(old..old.saturating_add(size)) == after.slice(new..new.saturating_add(size))
    };
    if right { Ok(()) } else { Err(fault("a file offset leads elsewhere", at)) }
}

/// Checks that the bytes of a range of the old file stand at `at` in the new one, but for those that may change.
fn same(
    before: &Image<'_>,
    range: Range<u64>,
    after: &Image<'_>,
    at: u64,
    may_change: &[Range<u64>],
) -> Result<()> {
    let mut holes: Vec<&Range<u64>> =
        may_change.iter().filter(|hole| hole.start < range.end && range.start < hole.end).collect();
    holes.sort_by_key(|hole| hole.start);
    let mut start = range.start;
    let end = range.end..range.end;
    for hole in holes.into_iter().chain([&end]) {
        let piece = start..hole.start.max(start);
        let counterpart = at + (piece.start - range.start)..at + (piece.end - range.start);
        let (old, new) = (before.slice(piece.clone()), after.slice(counterpart));
        if old.is_none() || old != new {
            return Err(fault("bytes changed that should not have", piece.start));
        }
        start = start.max(hole.end);
    }
    Ok(())
}

fn fault(what: &str, offset: u64) -> anyhow::Error {
    Error::new(format!("read back: {what}"))
        .offset(offset)
        .hint("this is a fault of the editor; please report it")
        .into()
}
