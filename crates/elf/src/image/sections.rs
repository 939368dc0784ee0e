//! The section header table (gABI, "Sections"), for what wants to keep it consistent or drop sections. Reading a file
//! never needs it, so a broken one is the same as none.

use object::Endianness;
use object::elf;
use object::read::elf::SectionHeader;

use super::Image;
use super::view::records;

/// A section header, widened to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// `sh_name`: an offset into the section header string table.
    pub name: u32,
    /// `sh_type`.
    pub kind: elf::SectionType,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_addr`.
    pub addr: u64,
    /// `sh_offset`.
    pub offset: u64,
    /// `sh_size`.
    pub size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// `sh_addralign`.
    pub addralign: u64,
    /// `sh_entsize`.
    pub entsize: u64,
}

impl Section {
    /// `SHF_ALLOC`: it is in memory while the program runs.
    pub fn is_alloc(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }

    /// The size that it takes in the file, in bytes.
    pub fn file_size(&self) -> u64 {
        if self.kind == elf::SHT_NOBITS || self.kind == elf::SHT_NULL { 0 } else { self.size }
    }
}

impl Image<'_> {
    /// The section headers, with the empty one at index 0; `None` without a table, or when it or a section in it
    /// reaches past the end of the file.
    pub fn sections(&self) -> Option<Vec<Section>> {
        let header = &self.header;
        if header.shoff == 0 || u64::from(header.shentsize) != header.section_entsize() {
            return None;
        }
        let sections = if header.is_64 {
            self.sections_as::<elf::SectionHeader64<Endianness>>()?
        } else {
            self.sections_as::<elf::SectionHeader32<Endianness>>()?
        };
        let size = self.bytes.len() as u64;
        let sane = |section: &Section| {
            section.file_size() == 0
                || section.offset.checked_add(section.size).is_some_and(|end| end <= size)
        };
        sections.iter().all(sane).then_some(sections)
    }

    fn sections_as<S: SectionHeader<Endian = Endianness>>(&self) -> Option<Vec<Section>> {
        let endian = self.header.endian;
        // With 0xff00 sections or more the number stands in section 0; such a table is left alone.
        let count = Some(self.header.shnum).filter(|count| *count > 0)?;
        let table: &[S] =
            records(self.bytes, self.header.shoff, count.into(), "section header table").ok()?;
        let sections = table.iter().map(|raw| Section {
            name: raw.sh_name(endian),
            kind: raw.sh_type(endian),
            flags: raw.sh_flags(endian).0,
            addr: raw.sh_addr(endian).into(),
            offset: raw.sh_offset(endian).into(),
            size: raw.sh_size(endian).into(),
            link: raw.sh_link(endian),
            info: raw.sh_info(endian),
            addralign: raw.sh_addralign(endian).into(),
            entsize: raw.sh_entsize(endian).into(),
        });
        Some(sections.collect())
    }

    /// Whether section `index` is dropped by a strip: nothing loads it, and it does not name the sections that stay.
    pub fn is_strippable(&self, index: usize, section: &Section) -> bool {
        let in_segment = |offset: u64| {
            let covers = |segment: &super::Segment| segment.file_range().contains(&offset);
            self.segments.iter().any(covers)
        };
        index > 0
            && index != usize::from(self.header.shstrndx)
            && !section.is_alloc()
            && !(section.file_size() > 0 && in_segment(section.offset))
    }

    /// Whether there is a section that a strip would drop.
    pub fn has_strippable_sections(&self) -> bool {
        self.sections().is_some_and(|sections| {
            let goes = |(index, section)| self.is_strippable(index, section) && section.kind != elf::SHT_NULL;
            sections.iter().enumerate().any(goes)
        })
    }
}
