//! Notes (gABI, "Note Section") and the GNU property note (Linux gABI extensions, "Program Property").

use object::Endianness;
use object::elf;
use object::endian::U32;
use spokeshave_core::{Error, Result};

use super::view::record;
use super::{Image, Segment};

/// A note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// Where it stands in the file.
    pub offset: u64,
    /// Its owner, without the NUL: `GNU`, `Android`.
    pub name: &'a [u8],
    /// `n_type`.
    pub kind: u32,
    /// Its contents.
    pub desc: &'a [u8],
}

impl<'a> Image<'a> {
    /// The notes of all `PT_NOTE` segments.
    ///
    /// # Errors
    /// When one reaches past the end of its segment.
    pub fn notes(&self) -> Result<Vec<Note<'a>>> {
        let mut notes = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.kind == elf::PT_NOTE) {
            self.notes_of(segment, &mut notes)?;
        }
        Ok(notes)
    }

    /// The program properties (`pr_type`, `pr_data`) of `PT_GNU_PROPERTY`, or of the notes where it is missing.
    ///
    /// # Errors
    /// When a note or a property reaches past its end.
    pub fn gnu_properties(&self) -> Result<Vec<(u32, &'a [u8])>> {
        let mut notes = Vec::new();
        match self.segment(elf::PT_GNU_PROPERTY) {
            Some(segment) => self.notes_of(segment, &mut notes)?,
            None => notes = self.notes()?,
        }
        let mut properties = Vec::new();
        for note in
            notes.iter().filter(|note| note.name == b"GNU" && note.kind == elf::NT_GNU_PROPERTY_TYPE_0.0)
        {
            self.properties_of(note, &mut properties)?;
        }
        Ok(properties)
    }

    fn notes_of(&self, segment: &Segment, notes: &mut Vec<Note<'a>>) -> Result<()> {
        let range = segment.file_range();
        // 8 where p_align says so, else 4, as glibc and binutils read it.
        let align = if segment.align == 8 { 8 } else { 4 };
        let Some(bytes) = self.slice(range.clone()) else {
            return Err(Error::new("PT_NOTE ends past end of file").offset(segment.offset).into());
        };
        let mut at = 0;
        while (bytes.len() as u64).saturating_sub(at) >= 12 {
            let offset = range.start.saturating_add(at);
            let head: &[U32<Endianness>; 3] = record(bytes, at, "note")?;
            let [name_size, desc_size, kind] = head.map(|word| word.get(self.header.endian));
            let name_end = at.saturating_add(12).saturating_add(name_size.into());
            let desc_at = name_end.next_multiple_of(align);
            let desc_end = desc_at.saturating_add(desc_size.into());
            let part = |from: u64, to: u64| bytes.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?);
            let (Some(name), Some(desc)) = (part(at.saturating_add(12), name_end), part(desc_at, desc_end))
            else {
                return Err(Error::new("note ends past the end of its segment").offset(offset).into());
            };
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            notes.push(Note { offset, name, kind, desc });
            at = desc_end.next_multiple_of(align);
        }
        Ok(())
    }

    fn properties_of(&self, note: &Note<'a>, properties: &mut Vec<(u32, &'a [u8])>) -> Result<()> {
        let mut rest = note.desc;
        while rest.len() >= 8 {
            let head: &[U32<Endianness>; 2] = record(rest, 0, "GNU property")?;
            let [kind, size] = head.map(|word| word.get(self.header.endian));
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let Some(data) = rest.get(8..size.saturating_add(8)) else {
                return Err(Error::new("GNU property ends past the end of its note")
                    .offset(note.offset)
                    .into());
            };
            properties.push((kind, data));
            let padded = size.saturating_add(8).next_multiple_of(self.word() as usize);
            rest = rest.get(padded..).unwrap_or_default();
        }
        Ok(())
    }
}
