//! A checked reader of thin and fat Mach-O files, 32 and 64 bits, both byte orders.
//!
//! Names and layouts follow Apple's `mach-o/loader.h` and `mach-o/fat.h`; the structures are `object`'s typed views.
//! Every error names the absolute offset in the file.

mod command;
mod extent;
mod fat;
mod header;
mod segment;
mod signed;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use command::{Command, dylib_kind, read_commands};
pub(crate) use fat::{Fat, FatArch};
pub(crate) use header::Header;
pub(crate) use segment::{LINKEDIT, Segment};
pub(crate) use view::View;

use std::ops::Range;

use object::Endianness;
use object::macho::{self, FileType};
use object::pod::Pod;
use spokeshave_core::Result;

use crate::facts::Arch;

/// Whether a file that begins with `head` is a Mach-O file, thin or fat. Java class files, which have a fat file's
/// magic number, are not.
pub(crate) fn recognizes(head: &[u8]) -> bool {
    Header::recognizes(head) || Fat::recognizes(head)
}

/// A file: its slices, and the fat header if it has one.
#[derive(Debug, Clone)]
pub(crate) struct Binary<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// The fat header.
    pub fat: Option<Fat>,
    /// The slices, in the order of the fat header's table; a thin file has one.
    pub slices: Vec<Content<'a>>,
}

/// What a slice holds.
#[derive(Debug, Clone)]
pub(crate) enum Content<'a> {
    /// A Mach-O image.
    Image(Image<'a>),
    /// An archive, LLVM bitcode or whatever else `lipo` joins.
    Other(View<'a>, Arch),
}

impl<'a> Binary<'a> {
    /// Reads the headers, load commands and segments of all slices.
    ///
    /// # Errors
    /// When it is no Mach-O file, or a table or segment reaches past the end of its slice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let whole = View { bytes, base: 0 };
        if !Fat::recognizes(bytes) {
            let image = Image::parse(whole)?;
            return Ok(Binary { bytes, fat: None, slices: vec![Content::Image(image)] });
        }
        let fat = Fat::read(&whole)?;
        let read = |arch: &FatArch| {
            let part = whole.part(arch.offset, arch.size, "slice")?;
            if !Header::recognizes(part.bytes) {
                return Ok(Content::Other(part, arch.arch));
            }
            let image = Image::parse(part)?;
            if image.header.arch.cputype != arch.arch.cputype {
                let what =
                    format!("the fat header calls it {}, its own header {}", arch.arch, image.header.arch);
                return Err(part.fault(4, what).into());
            }
            Ok(Content::Image(image))
        };
        let slices = fat.arches.iter().map(read).collect::<Result<_>>()?;
        Ok(Binary { bytes, fat: Some(fat), slices })
    }
}

impl<'a> Content<'a> {
    /// Its bytes.
    pub fn view(&self) -> View<'a> {
        match self {
            Content::Image(image) => image.view,
            Content::Other(view, _) => *view,
        }
    }
}

/// One Mach-O image. Its offsets count from the slice's beginning.
#[derive(Debug, Clone)]
pub(crate) struct Image<'a> {
    /// The slice's bytes.
    pub view: View<'a>,
    /// The header.
    pub header: Header,
    /// The load commands, in file order.
    pub commands: Vec<Command>,
    /// The segments, in file order.
    pub segments: Vec<Segment>,
}

impl<'a> Image<'a> {
    fn parse(view: View<'a>) -> Result<Self> {
        let header = Header::read(&view)?;
        let commands = command::read(&view, &header)?;
        let mut image = Image { view, header, commands, segments: Vec::new() };
        image.segments = segment::read(&image)?;
        Ok(image)
    }

    /// A range of the slice.
    pub fn slice(&self, range: Range<u64>) -> Option<&'a [u8]> {
        self.view.slice(range)
    }

    /// The size of the slice in bytes.
    pub fn size(&self) -> u64 {
        self.view.bytes.len() as u64
    }

    /// The byte order.
    pub fn endian(&self) -> Endianness {
        self.header.endian
    }

    /// Why no loader loads it; `None` for programs, libraries and bundles.
    pub fn inert(&self) -> Option<&'static str> {
        inert(self.header.filetype)
    }

    /// A command as the structure that its kind has.
    ///
    /// # Errors
    /// When the command is too short for it.
    pub fn typed<T: Pod>(&self, command: &Command) -> Result<&'a T> {
        self.part_of(command)?.record(0, command.name())
    }

    /// The bytes of a command.
    ///
    /// # Errors
    /// Never, for a command of this image.
    pub fn part_of(&self, command: &Command) -> Result<View<'a>> {
        self.view.part(command.offset, command.size.into(), command.name())
    }

    /// The first command of a kind.
    pub fn command(&self, kind: macho::LoadCommandType) -> Option<&Command> {
        self.commands.iter().find(|command| command.kind == kind)
    }

    /// The string of a command (`lc_str`) that begins at `offset` in it, behind the fields of structure `T`, without
    /// its NUL.
    ///
    /// # Errors
    /// When it begins elsewhere, has no end inside of the command, is not UTF-8, or holds control characters: no path
    /// does, and a terminal would obey them.
    pub fn text<T>(&self, command: &Command, offset: u32) -> Result<&'a str> {
        let part = self.part_of(command)?;
        let name = command.name();
        let left = u64::from(command.size).saturating_sub(offset.into());
        let rest = part.part(offset.into(), left, name)?;
        let fault = |what: &str| rest.fault(0, format!("the name in {name} {what}"));
        let end = rest.bytes.iter().position(|byte| *byte == 0);
        if (offset as usize) < size_of::<T>() {
            return Err(fault("begins before the fields end").into());
        }
        let bytes = end.and_then(|end| rest.bytes.get(..end));
        let bytes = bytes.ok_or_else(|| fault("has no end inside of the command"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| fault("is not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(fault("holds control characters").into());
        }
        Ok(text)
    }

    /// The first segment of a name.
    pub fn segment(&self, name: &[u8; 16]) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.name == *name)
    }
}

/// Why no loader loads files of this type.
fn inert(filetype: FileType) -> Option<&'static str> {
    match filetype {
        macho::MH_EXECUTE | macho::MH_DYLIB | macho::MH_BUNDLE => None,
        macho::MH_OBJECT => Some("object file"),
        macho::MH_CORE => Some("core file"),
        macho::MH_DYLIB_STUB => Some("stub library"),
        macho::MH_DSYM => Some("dSYM"),
        macho::MH_KEXT_BUNDLE => Some("kernel extension"),
        macho::MH_DYLINKER => Some("dynamic linker"),
        _ => Some("neither program nor library"),
    }
}
