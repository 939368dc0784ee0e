//! The program headers (gABI, "Program Header").

use std::ops::Range;

use object::Endianness;
use object::elf;
use object::read::elf::ProgramHeader;
use spokeshave_core::{Error, Result};

use super::header::Header;
use super::view::records;

/// A program header, widened to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// `p_type`.
    pub kind: elf::ProgramType,
    /// `p_flags`.
    pub flags: elf::ProgramFlags,
    /// `p_offset`.
    pub offset: u64,
    /// `p_vaddr`.
    pub vaddr: u64,
    /// `p_paddr`.
    pub paddr: u64,
    /// `p_filesz`.
    pub filesz: u64,
    /// `p_memsz`.
    pub memsz: u64,
    /// `p_align`.
    pub align: u64,
}

impl Segment {
    /// The part of the file that it takes; meant for segments whose bounds were checked, never wraps.
    pub fn file_range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.filesz)
    }

    /// The addresses that it takes.
    pub fn addresses(&self) -> Range<u64> {
        self.vaddr..self.vaddr.saturating_add(self.memsz)
    }
}

/// Reads the program headers and checks that what they load is inside of the file.
pub(super) fn read(bytes: &[u8], header: &Header) -> Result<Vec<Segment>> {
    if header.phnum == 0 {
        return Ok(Vec::new());
    }
    let segments = if header.is_64 {
        read_as::<elf::ProgramHeader64<Endianness>>(bytes, header)?
    } else {
        read_as::<elf::ProgramHeader32<Endianness>>(bytes, header)?
    };
    // Core files are often cut short on purpose, and nothing in them is loaded.
    if header.file_type == elf::ET_CORE {
        return Ok(segments);
    }
    for (index, segment) in segments.iter().enumerate() {
        check(bytes, header, index, segment)?;
    }
    Ok(segments)
}

fn read_as<P: ProgramHeader<Endian = Endianness>>(bytes: &[u8], header: &Header) -> Result<Vec<Segment>> {
    let endian = header.endian;
    let table: &[P] = records(bytes, header.phoff, header.phnum.into(), "program header table")?;
    let segments = table.iter().map(|raw| Segment {
        kind: raw.p_type(endian),
        flags: raw.p_flags(endian),
        offset: raw.p_offset(endian).into(),
        vaddr: raw.p_vaddr(endian).into(),
        paddr: raw.p_paddr(endian).into(),
        filesz: raw.p_filesz(endian).into(),
        memsz: raw.p_memsz(endian).into(),
        align: raw.p_align(endian).into(),
    });
    Ok(segments.collect())
}

fn check(bytes: &[u8], header: &Header, index: usize, segment: &Segment) -> Result<()> {
    if segment.kind != elf::PT_LOAD {
        return Ok(());
    }
    let at = header.phoff.saturating_add(index as u64 * header.phentsize());
    let size = bytes.len() as u64;
    let end = segment.offset.checked_add(segment.filesz);
    if segment.filesz > 0 && end.is_none_or(|end| end > size) {
        return Err(Error::new(format!(
            "segment {index} ends past end of file: it takes {:#x} bytes at {:#x}, the file has {size:#x}",
            segment.filesz, segment.offset
        ))
        .offset(at)
        .hint("the file looks truncated; build or fetch it again")
        .into());
    }
    let limit = if header.is_64 { u64::MAX } else { u32::MAX.into() };
    if segment.filesz > segment.memsz
        || segment.vaddr.checked_add(segment.memsz).is_none_or(|end| end > limit)
    {
        return Err(Error::new(format!(
            "segment {index} can't be loaded: {:#x} bytes of the file, {:#x} in memory at address {:#x}",
            segment.filesz, segment.memsz, segment.vaddr
        ))
        .offset(at)
        .into());
    }
    Ok(())
}
