//! From the image to the facts.

use std::ops::Range;

use object::Endianness;
use object::macho;
use spokeshave_core::Result;

use super::{CommandLayout, Dylib, MachoFacts, MinOs, NameSlot, SignatureFacts, Slice};
use crate::image::{Binary, Command, Content, Image, dylib_kind};
use crate::sign::{Signature, Signing};

impl MachoFacts {
    /// Reads them. Few pages of a mapped file are touched: headers, load commands, the code directory.
    ///
    /// # Errors
    /// When the bytes are no Mach-O file, or a table reaches out of its slice; the error names the offset.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Self::of(&Binary::parse(bytes)?)
    }

    pub(crate) fn of(file: &Binary<'_>) -> Result<Self> {
        let slices = file.slices.iter().map(slice).collect::<Result<_>>()?;
        Ok(MachoFacts { fat: file.fat.is_some(), slices, inert: inert(file) })
    }
}

/// Why no loader loads it: a reason of the first slice that has one, when all have.
fn inert(file: &Binary<'_>) -> Option<&'static str> {
    let mut first = None;
    for slice in &file.slices {
        let why = match slice {
            Content::Image(image) => image.inert()?,
            Content::Other(view, _) if view.bytes.starts_with(b"!<arch>\n") => "static library",
            Content::Other(..) => "neither program nor library",
        };
        first.get_or_insert(why);
    }
    first
}

fn slice(content: &Content<'_>) -> Result<Slice> {
    let (image, view) = match content {
        Content::Image(image) => (image, image.view),
        Content::Other(view, arch) => {
            let size = view.bytes.len() as u64;
            return Ok(Slice { arch: *arch, offset: view.base, size, ..Slice::default() });
        }
    };
    let mut slice = Slice {
        arch: image.header.arch,
        offset: view.base,
        size: view.bytes.len() as u64,
        filetype: image.header.filetype.0,
        flags: image.header.flags,
        layout: CommandLayout { is_64: image.header.is_64, ..CommandLayout::default() },
        ..Slice::default()
    };
    if image.inert().is_some() {
        return Ok(slice);
    }
    slice.header_room = u32::try_from(image.header_room()?).unwrap_or(u32::MAX);
    for command in &image.commands {
        slice.add(image, command)?;
    }
    if let Some(range) = image.signature()? {
        slice.layout.code_signature = true;
        slice.signature = signature(image, range);
    }
    Ok(slice)
}

impl Slice {
    fn add(&mut self, image: &Image<'_>, command: &Command) -> Result<()> {
        let endian = image.endian();
        if let Some(kind) = dylib_kind(image, command)? {
            let (dylib, slot) = dylib(image, command)?;
            self.dylibs.push((kind, dylib));
            self.layout.dylibs.push(slot);
            return Ok(());
        }
        match command.kind {
            macho::LC_ID_DYLIB if self.id.is_none() => {
                let (dylib, slot) = dylib(image, command)?;
                (self.id, self.layout.id) = (Some(dylib), Some(slot));
            }
            macho::LC_RPATH => {
                let raw: &macho::RpathCommand<Endianness> = image.typed(command)?;
                let name_offset = raw.path.offset.get(endian);
                self.rpaths
                    .push(image.text::<macho::RpathCommand<Endianness>>(command, name_offset)?.to_owned());
                self.layout.rpaths.push(NameSlot { cmdsize: command.size, name_offset });
            }
            macho::LC_BUILD_VERSION => {
                let raw: &macho::BuildVersionCommand<Endianness> = image.typed(command)?;
                let platform = raw.platform.get(endian).0;
                self.min_os.push(MinOs { platform, version: raw.minos.get(endian).0 });
            }
            macho::LC_VERSION_MIN_MACOSX
            | macho::LC_VERSION_MIN_IPHONEOS
            | macho::LC_VERSION_MIN_TVOS
            | macho::LC_VERSION_MIN_WATCHOS => {
                let raw: &macho::VersionMinCommand<Endianness> = image.typed(command)?;
                let platform = match command.kind {
                    macho::LC_VERSION_MIN_MACOSX => macho::PLATFORM_MACOS,
                    macho::LC_VERSION_MIN_IPHONEOS => macho::PLATFORM_IOS,
                    macho::LC_VERSION_MIN_TVOS => macho::PLATFORM_TVOS,
                    _ => macho::PLATFORM_WATCHOS,
                };
                self.min_os.push(MinOs { platform: platform.0, version: raw.version.get(endian).0 });
            }
            macho::LC_UUID => {
                let raw: &macho::UuidCommand<Endianness> = image.typed(command)?;
                self.uuid = Some(raw.uuid);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What the signature says; nothing when it is damaged, which a loader would say of it too.
fn signature(image: &Image<'_>, range: Range<u64>) -> Option<SignatureFacts> {
    let size = range.end.saturating_sub(range.start);
    let view = image.view.part(range.start, size, "signature").ok()?;
    let signature = Signature::read(view.bytes, view.base).ok()?;
    let directory = signature.directory()?;
    Some(SignatureFacts {
        identifier: directory.identifier.to_owned(),
        flags: directory.flags,
        identity: signature.has_identity(),
        lost: Signing::new(&image.code("").ok()?, Some(&signature)).lost().to_vec(),
    })
}

fn dylib(image: &Image<'_>, command: &Command) -> Result<(Dylib, NameSlot)> {
    let endian = image.endian();
    let raw: &macho::DylibCommand<Endianness> = image.typed(command)?;
    let name_offset = raw.dylib.name.offset.get(endian);
    let dylib = Dylib {
        name: image.text::<macho::DylibCommand<Endianness>>(command, name_offset)?.to_owned(),
        current_version: raw.dylib.current_version.get(endian).0,
        compatibility_version: raw.dylib.compatibility_version.get(endian).0,
    };
    Ok((dylib, NameSlot { cmdsize: command.size, name_offset }))
}
