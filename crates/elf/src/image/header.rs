//! The ELF header (gABI, "ELF Header").

use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;
use spokeshave_core::{Error, Result};

use super::view::record;

/// The ELF header's fields, widened to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// `ELFCLASS64`.
    pub is_64: bool,
    /// `EI_DATA`.
    pub endian: Endianness,
    /// `EI_OSABI`.
    pub osabi: u8,
    /// `e_type`.
    pub file_type: elf::FileType,
    /// `e_machine`.
    pub machine: elf::Machine,
    /// `e_flags`.
    pub flags: u32,
    /// `e_phoff`.
    pub phoff: u64,
    /// The number of program headers: `e_phnum`, or `sh_info` of section 0 when that is `PN_XNUM`.
    pub phnum: u32,
    /// `e_shoff`.
    pub shoff: u64,
    /// `e_shentsize`.
    pub shentsize: u16,
    /// `e_shnum`.
    pub shnum: u16,
    /// `e_shstrndx`.
    pub shstrndx: u16,
}

impl Header {
    /// Size in bytes of the ELF header: 52 or 64.
    pub fn size(&self) -> u64 {
        if self.is_64 { 64 } else { 52 }
    }

    /// Size in bytes of one program header: 32 or 56.
    pub fn phentsize(&self) -> u64 {
        if self.is_64 { 56 } else { 32 }
    }

    /// Size in bytes of one section header: 40 or 64.
    pub fn section_entsize(&self) -> u64 {
        if self.is_64 { 64 } else { 40 }
    }

    /// Reads it from the head of a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let [magic @ .., class, data, version]: &[u8; 7] = record(bytes, 0, "ELF identification")?;
        if *magic != elf::ELFMAG {
            return Err(Error::new("not an ELF file").offset(0).into());
        }
        let endian = match elf::DataEncoding(*data) {
            elf::ELFDATA2LSB => Endianness::Little,
            elf::ELFDATA2MSB => Endianness::Big,
            other => return Err(unknown("byte order (EI_DATA)", other.0, 5)),
        };
        if *version != elf::EV_CURRENT.0 {
            return Err(unknown("ELF version (EI_VERSION)", *version, 6));
        }
        match elf::FileClass(*class) {
            elf::ELFCLASS32 => Self::read_as::<elf::FileHeader32<Endianness>>(bytes, endian),
            elf::ELFCLASS64 => Self::read_as::<elf::FileHeader64<Endianness>>(bytes, endian),
            other => Err(unknown("ELF class (EI_CLASS)", other.0, 4)),
        }
    }

    fn read_as<H: FileHeader<Endian = Endianness>>(bytes: &[u8], endian: Endianness) -> Result<Self> {
        let raw: &H = record(bytes, 0, "ELF header")?;
        let mut header = Header {
            is_64: H::is_type_64_sized(),
            endian,
            osabi: raw.e_ident().os_abi.0,
            file_type: raw.e_type(endian),
            machine: raw.e_machine(endian),
            flags: raw.e_flags(endian).0,
            phoff: raw.e_phoff(endian).into(),
            phnum: raw.e_phnum(endian).into(),
            shoff: raw.e_shoff(endian).into(),
            shentsize: raw.e_shentsize(endian),
            shnum: raw.e_shnum(endian),
            shstrndx: raw.e_shstrndx(endian).0,
        };
        if raw.e_phnum(endian) == elf::PN_XNUM {
            let first: &H::SectionHeader =
                record(bytes, header.shoff, "section header 0 (e_phnum is PN_XNUM)")?;
            header.phnum = object::read::elf::SectionHeader::sh_info(first, endian);
        }
        let entsize = u64::from(raw.e_phentsize(endian));
        if header.phnum > 0 && entsize != header.phentsize() {
            let offset = if header.is_64 { 54 } else { 42 };
            let right = header.phentsize();
            return Err(Error::new(format!("e_phentsize is {entsize}, not {right}")).offset(offset).into());
        }
        Ok(header)
    }
}

fn unknown(what: &str, value: u8, offset: u64) -> anyhow::Error {
    Error::new(format!("unknown {what}: {value}")).offset(offset).into()
}
