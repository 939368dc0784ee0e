//! Records of the file format, encoded (gABI; `object`'s structures).

use object::Endianness;
use object::elf;
use object::endian::{I32, I64, U32, U64};
use object::pod::bytes_of;
use spokeshave_core::{Error, Result};

use crate::image::{Header, Section, Segment};

/// Narrows a value to the file's word.
fn narrow(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        Error::new(format!("{value:#x} does not fit into a 32-bit file: it can't grow any further")).into()
    })
}

/// An unsigned word of the file: an address, an offset, a size.
pub(super) fn word(header: &Header, value: u64) -> Result<Vec<u8>> {
    Ok(match header.is_64 {
        true => bytes_of(&U64::<Endianness>::new(header.endian, value)).to_vec(),
        false => bytes_of(&U32::<Endianness>::new(header.endian, narrow(value)?)).to_vec(),
    })
}

/// 16 bits.
pub(super) fn half(header: &Header, value: u16) -> Vec<u8> {
    bytes_of(&object::endian::U16::<Endianness>::new(header.endian, value)).to_vec()
}

/// 32 bits.
pub(super) fn word32(header: &Header, value: u32) -> Vec<u8> {
    bytes_of(&U32::<Endianness>::new(header.endian, value)).to_vec()
}

/// `Elfxx_Phdr`s.
pub(super) fn program_headers(header: &Header, segments: &[Segment]) -> Result<Vec<u8>> {
    let endian = header.endian;
    let mut bytes = Vec::with_capacity(segments.len().saturating_mul(header.phentsize() as usize));
    for segment in segments {
        if header.is_64 {
            let wide = |value| U64::new(endian, value);
            bytes.extend_from_slice(bytes_of(&elf::ProgramHeader64 {
                p_type: U32::new(endian, segment.kind),
                p_flags: U32::new(endian, segment.flags),
                p_offset: wide(segment.offset),
                p_vaddr: wide(segment.vaddr),
                p_paddr: wide(segment.paddr),
                p_filesz: wide(segment.filesz),
                p_memsz: wide(segment.memsz),
                p_align: wide(segment.align),
            }));
        } else {
            let slim = |value| Ok::<_, anyhow::Error>(U32::new(endian, narrow(value)?));
            bytes.extend_from_slice(bytes_of(&elf::ProgramHeader32 {
                p_type: U32::new(endian, segment.kind),
                p_offset: slim(segment.offset)?,
                p_vaddr: slim(segment.vaddr)?,
                p_paddr: slim(segment.paddr)?,
                p_filesz: slim(segment.filesz)?,
                p_memsz: slim(segment.memsz)?,
                p_flags: U32::new(endian, segment.flags),
                p_align: slim(segment.align)?,
            }));
        }
    }
    Ok(bytes)
}

/// `Elfxx_Shdr`s.
pub(super) fn section_headers(header: &Header, sections: &[Section]) -> Result<Vec<u8>> {
    let endian = header.endian;
    let mut bytes = Vec::with_capacity(sections.len().saturating_mul(header.section_entsize() as usize));
    for section in sections {
        let word = |value| U32::new(endian, value);
        if header.is_64 {
            let wide = |value| U64::new(endian, value);
            bytes.extend_from_slice(bytes_of(&elf::SectionHeader64 {
                sh_name: word(section.name),
                sh_type: U32::new(endian, section.kind),
                sh_flags: U64::new(endian, elf::SectionFlags(section.flags)),
                sh_addr: wide(section.addr),
                sh_offset: wide(section.offset),
                sh_size: wide(section.size),
                sh_link: word(section.link),
                sh_info: word(section.info),
                sh_addralign: wide(section.addralign),
                sh_entsize: wide(section.entsize),
            }));
        } else {
            let slim = |value| Ok::<_, anyhow::Error>(U32::new(endian, narrow(value)?));
            let flags = elf::SectionFlags(narrow(section.flags)?.into());
            bytes.extend_from_slice(bytes_of(&elf::SectionHeader32 {
                sh_name: word(section.name),
                sh_type: U32::new(endian, section.kind),
                sh_flags: U32::new_u64_truncate(endian, flags),
                sh_addr: slim(section.addr)?,
                sh_offset: slim(section.offset)?,
                sh_size: slim(section.size)?,
                sh_link: word(section.link),
                sh_info: word(section.info),
                sh_addralign: slim(section.addralign)?,
                sh_entsize: slim(section.entsize)?,
            }));
        }
    }
    Ok(bytes)
}

/// One `Elfxx_Dyn`.
pub(super) fn dynamic_entry(header: &Header, tag: elf::DynamicTag, value: u64) -> Result<Vec<u8>> {
    let endian = header.endian;
    Ok(if header.is_64 {
        bytes_of(&elf::Dyn64 { d_tag: I64::new(endian, tag), d_val: U64::new(endian, value) }).to_vec()
    } else {
        let value = U32::new(endian, narrow(value)?);
        bytes_of(&elf::Dyn32 { d_tag: I32::new_i64_truncate(endian, tag), d_val: value }).to_vec()
    })
}
