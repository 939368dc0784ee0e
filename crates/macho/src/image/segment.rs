//! Segments and sections (`mach-o/loader.h`, `segment_command`, `section`).

use std::ops::Range;

use object::Endianness;
use object::macho::{self, SectionFlags};
use object::read::macho::{Section as RawSection, Segment as RawSegment};
use spokeshave_core::{Error, Result};

use super::{Command, Image};

/// The name of the segment that holds symbols, fixups and the signature.
pub(crate) const LINKEDIT: [u8; 16] = *b"__LINKEDIT\0\0\0\0\0\0";
/// The name of the segment that holds the header and the code.
pub(crate) const TEXT: [u8; 16] = *b"__TEXT\0\0\0\0\0\0\0\0\0\0";
/// The name of the section of `__TEXT` that holds a program's `Info.plist`.
pub(crate) const INFO_PLIST: [u8; 16] = *b"__info_plist\0\0\0\0";

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The command that describes it.
    pub command: Command,
    /// `segname`, padded with NUL.
    pub name: [u8; 16],
    /// `vmaddr`.
    pub vmaddr: u64,
    /// `vmsize`.
    pub vmsize: u64,
    /// `fileoff`: from the slice's beginning.
    pub fileoff: u64,
    /// `filesize`.
    pub filesize: u64,
    /// Its sections.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    /// `sectname`, padded with NUL.
    pub name: [u8; 16],
    /// `addr`.
    pub addr: u64,
    /// `size`.
    pub size: u64,
    /// `offset`: from the slice's beginning.
    pub offset: u32,
    /// `flags`.
    pub flags: SectionFlags,
    /// `reloff`.
    pub reloff: u32,
    /// `nreloc`.
    pub nreloc: u32,
}

impl Segment {
    /// The part of the slice that is loaded.
    pub fn file_range(&self) -> Range<u64> {
        self.fileoff..self.fileoff.saturating_add(self.filesize)
    }
}

impl Section {
    /// Whether it takes no bytes of the file (`S_ZEROFILL` and its like).
    pub fn is_zerofill(&self) -> bool {
        let kinds = [macho::S_ZEROFILL, macho::S_GB_ZEROFILL, macho::S_THREAD_LOCAL_ZEROFILL];
        self.size == 0 || kinds.contains(&self.flags.typ())
    }
}

/// Reads the segments and sections. Those of files that are loaded must lie inside of the slice.
pub(super) fn read(image: &Image<'_>) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for command in &image.commands {
        let segment = match command.kind {
            macho::LC_SEGMENT => read_as::<macho::SegmentCommand32<Endianness>>(image, command)?,
            macho::LC_SEGMENT_64 => read_as::<macho::SegmentCommand64<Endianness>>(image, command)?,
            _ => continue,
        };
        if image.inert().is_none() {
            check(image, &segment)?;
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn read_as<S: RawSegment<Endian = Endianness>>(image: &Image<'_>, command: &Command) -> Result<Segment> {
    let endian = image.endian();
    let raw: &S = image.typed(command)?;
    let table: &[S::Section] =
        image.part_of(command)?.records(size_of::<S>() as u64, raw.nsects(endian).into(), "section table")?;
    let section = |raw: &S::Section| Section {
        name: *raw.sectname(),
        addr: raw.addr(endian).into(),
        size: raw.size(endian).into(),
        offset: raw.offset(endian),
        flags: raw.flags(endian),
        reloff: raw.reloff(endian),
        nreloc: raw.nreloc(endian),
    };
    Ok(Segment {
        command: *command,
        name: *raw.segname(),
        vmaddr: raw.vmaddr(endian).into(),
        vmsize: raw.vmsize(endian).into(),
        fileoff: raw.fileoff(endian).into(),
        filesize: raw.filesize(endian).into(),
        sections: table.iter().map(section).collect(),
    })
}

fn check(image: &Image<'_>, segment: &Segment) -> Result<()> {
    let name = String::from_utf8_lossy(&segment.name).trim_end_matches('\0').escape_default().to_string();
    let end = segment.fileoff.checked_add(segment.filesize);
    let size = image.view.bytes.len() as u64;
    if segment.filesize > 0 && end.is_none_or(|end| end > size) {
        return Err(fault(
            image,
            segment,
            format!(
                "segment {name} ends past the end: it takes {:#x} bytes at {:#x}, {size:#x} are there",
                segment.filesize, segment.fileoff
            ),
        )
        .hint("the file looks truncated; build or fetch it again")
        .into());
    }
    let limit = if image.header.is_64 { u64::MAX } else { 1 << 32 };
    // A segment that takes no memory (bitcode in `__LLVM`) may have contents.
    if segment.vmaddr.checked_add(segment.vmsize).is_none_or(|end| end > limit)
        || (segment.vmsize > 0 && segment.filesize > segment.vmsize)
    {
        let what = format!(
            "segment {name} can't be loaded: {:#x} bytes of the file, {:#x} in memory at address {:#x}",
            segment.filesize, segment.vmsize, segment.vmaddr
        );
        return Err(fault(image, segment, what).into());
    }
    Ok(())
}

fn fault(image: &Image<'_>, segment: &Segment, what: String) -> Error {
    image.view.fault(segment.command.offset, what)
}
