//! Where the old bytes stand afterwards, and the file offsets that follow them.

use std::ops::Range;

use spokeshave_core::{Error, Result};

use super::write::Writes;
use crate::image::{Field, Image};

/// What is put in and taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    /// Places of the old file and the number of bytes put in there, ascending.
    inserted: Vec<(u64, u64)>,
    /// The range of the old file that is taken out.
    removed: Option<Range<u64>>,
}

impl Moves {
    /// Notes that `size` bytes are put in before the one at `offset`; called in ascending order.
    pub fn insert(&mut self, offset: u64, size: u64) {
        self.inserted.push((offset, size));
    }

    /// Notes that a range is taken out.
    pub fn remove(&mut self, range: Range<u64>) {
        self.removed = Some(range);
    }

    /// Where the byte at an old offset stands afterwards.
    pub fn moved(&self, offset: u64) -> u64 {
        let before = self.inserted.iter().filter(|(at, _)| *at <= offset);
        let added = before.fold(0, |sum: u64, (_, size)| sum.saturating_add(*size));
        let taken =
            self.removed.as_ref().map_or(0, |range| range.end.min(offset).saturating_sub(range.start));
        offset.saturating_add(added).saturating_sub(taken)
    }

    /// Writes the file offsets of the headers and the debug directory that lead elsewhere afterwards.
    pub(super) fn follow(&self, image: &Image<'_>, writes: &mut Writes) -> Result<()> {
        let mut field = |at: u64, pointer: u32| -> Result<()> {
            if pointer != 0 {
                let moved = u32::try_from(self.moved(pointer.into()))
                    .map_err(|_| Error::new("the file would grow past 4 GiB").offset(at))?;
                writes.put_u32(at, moved);
            }
            Ok(())
        };
        let header = &image.header;
        field(header.offset_of(Field::PointerToSymbolTable), header.pointer_to_symbol_table)?;
        for section in &image.sections {
            let [contents, others @ ..] = section.file_pointers();
            // Where there are no contents, the pointer leads nowhere, but it must stay aligned.
            if section.size_of_raw_data > 0 {
                field(contents.0, contents.1)?;
            }
            for (at, pointer) in others {
                field(at, pointer)?;
            }
        }
        for entry in image.debug_entries() {
            field(entry.pointer_offset, entry.pointer)?;
        }
        Ok(())
    }
}
