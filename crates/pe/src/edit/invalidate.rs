//! What vouches for the old imports is taken away: the signature, bound imports, `DependentLoadFlags`.

use object::pe;
use spokeshave_core::Result;

use super::moves::Moves;
use super::write::Writes;
use crate::image::{DelayDescriptor, Field, Image, ImportDescriptor};

/// The directories that lead nowhere afterwards.
pub(super) const DIRECTORIES: [usize; 2] =
    [pe::IMAGE_DIRECTORY_ENTRY_SECURITY, pe::IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT];

/// Writes it.
///
/// # Errors
/// When an import table is broken.
pub(super) fn invalidate(image: &Image<'_>, moves: &mut Moves, writes: &mut Writes) -> Result<()> {
    let header = &image.header;
    for index in DIRECTORIES.into_iter().filter(|index| *index < header.directories.len()) {
        writes.put(header.directory_offset(index), [0; 8]);
    }
    if let Some(range) = image.certificates() {
        // A table that lies over a section is none; then only the directory forgets it.
        if range.start >= image.contents_end() {
            writes.replace(range.clone(), Vec::new());
            moves.remove(range);
        }
    }
    let integrity = pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.0;
    if header.dll_characteristics & integrity != 0 {
        let flags = header.dll_characteristics & !integrity;
        writes.put(header.offset_of(Field::DllCharacteristics), flags.to_le_bytes());
    }
    // `TimeDateStamp` says that the address table is bound; `ForwarderChain` leads into it.
    for descriptor in image.imports()?.iter().filter(|descriptor| descriptor.time_date_stamp != 0) {
        writes.put(descriptor.offset.saturating_add(ImportDescriptor::TIME_DATE_STAMP), [0; 8]);
    }
    for descriptor in image.delay_imports()?.iter().filter(|descriptor| descriptor.time_date_stamp != 0) {
        writes.put(descriptor.offset.saturating_add(DelayDescriptor::TIME_DATE_STAMP), [0; 4]);
    }
    if let Some((at, _)) = image.load_config().dependent_load_flags {
        writes.put(at, [0; 2]);
    }
    Ok(())
}
