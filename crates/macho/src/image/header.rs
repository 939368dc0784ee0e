//! The Mach-O header (`mach-o/loader.h`, `mach_header`, `mach_header_64`).

use object::Endianness;
use object::macho::{self, MH_CIGAM, MH_CIGAM_64, MH_MAGIC, MH_MAGIC_64};
use spokeshave_core::Result;

use super::view::View;
use crate::facts::Arch;

/// The header's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// `MH_MAGIC_64`.
    pub is_64: bool,
    /// The byte order that the magic number shows.
    pub endian: Endianness,
    /// `cputype` and `cpusubtype`.
    pub arch: Arch,
    /// `filetype`.
    pub filetype: macho::FileType,
    /// `ncmds`.
    pub ncmds: u32,
    /// `sizeofcmds`.
    pub sizeofcmds: u32,
    /// `flags`.
    pub flags: u32,
}

impl Header {
    /// Where `ncmds` and `sizeofcmds` stand together.
    pub const COUNTS: std::ops::Range<usize> = 16..24;

    /// Whether a file that begins so is a Mach-O file.
    pub fn recognizes(head: &[u8]) -> bool {
        let magic = head.first_chunk().map(|magic| u32::from_be_bytes(*magic));
        matches!(magic, Some(MH_MAGIC | MH_CIGAM | MH_MAGIC_64 | MH_CIGAM_64))
    }

    /// Reads it from the head of a slice.
    pub(super) fn read(slice: &View<'_>) -> Result<Self> {
        let raw: &macho::MachHeader32<Endianness> = slice.record(0, "Mach-O header")?;
        let (is_64, endian) = match raw.magic.get(object::BigEndian) {
            MH_MAGIC => (false, Endianness::Big),
            MH_CIGAM => (false, Endianness::Little),
            MH_MAGIC_64 => (true, Endianness::Big),
            MH_CIGAM_64 => (true, Endianness::Little),
            _ => return Err(slice.fault(0, "not a Mach-O file").into()),
        };
        Ok(Header {
            is_64,
            endian,
            arch: Arch { cputype: raw.cputype.get(endian).0, cpusubtype: raw.cpusubtype.get(endian).0 },
            filetype: raw.filetype.get(endian),
            ncmds: raw.ncmds.get(endian),
            sizeofcmds: raw.sizeofcmds.get(endian),
            flags: raw.flags.get(endian).0,
        })
    }

    /// Its size in bytes: 28 or 32.
    pub fn size(&self) -> u64 {
        if self.is_64 { 32 } else { 28 }
    }

    /// Where the load commands end.
    pub fn commands_end(&self) -> u64 {
        self.size().saturating_add(self.sizeofcmds.into())
    }

    /// A 32-bit word in the slice's byte order.
    pub fn word(&self, value: u32) -> [u8; 4] {
        match self.endian {
            Endianness::Little => value.to_le_bytes(),
            Endianness::Big => value.to_be_bytes(),
        }
    }

    /// A 64-bit word in the slice's byte order.
    pub fn long(&self, value: u64) -> [u8; 8] {
        match self.endian {
            Endianness::Little => value.to_le_bytes(),
            Endianness::Big => value.to_be_bytes(),
        }
    }
}
