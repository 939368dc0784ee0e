//! Load commands (`mach-o/loader.h`, `load_command`).

use object::Endianness;
use object::macho::{self, LoadCommandType};
use spokeshave_core::Result;

use super::Image;
use super::header::Header;
use super::view::View;
use crate::facts::DylibKind;

/// How many load commands a slice may have; the most seen in the wild are some 200.
const MAX_COMMANDS: u32 = 10_000;

/// A load command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Command {
    /// `cmd`.
    pub kind: LoadCommandType,
    /// Where it begins in the slice.
    pub offset: u64,
    /// `cmdsize`.
    pub size: u32,
}

impl Command {
    /// Its kind, for messages.
    pub fn name(&self) -> &'static str {
        match self.kind {
            macho::LC_SEGMENT => "LC_SEGMENT",
            macho::LC_SEGMENT_64 => "LC_SEGMENT_64",
            macho::LC_ID_DYLIB => "LC_ID_DYLIB",
            macho::LC_LOAD_DYLIB => "LC_LOAD_DYLIB",
            macho::LC_LOAD_WEAK_DYLIB => "LC_LOAD_WEAK_DYLIB",
            macho::LC_REEXPORT_DYLIB => "LC_REEXPORT_DYLIB",
            macho::LC_LAZY_LOAD_DYLIB => "LC_LAZY_LOAD_DYLIB",
            macho::LC_LOAD_UPWARD_DYLIB => "LC_LOAD_UPWARD_DYLIB",
            macho::LC_RPATH => "LC_RPATH",
            macho::LC_UUID => "LC_UUID",
            macho::LC_CODE_SIGNATURE => "LC_CODE_SIGNATURE",
            macho::LC_BUILD_VERSION => "LC_BUILD_VERSION",
            macho::LC_SYMTAB => "LC_SYMTAB",
            macho::LC_DYSYMTAB => "LC_DYSYMTAB",
            _ => "load command",
        }
    }

    /// Whether it describes a segment.
    pub fn is_segment(&self) -> bool {
        matches!(self.kind, macho::LC_SEGMENT | macho::LC_SEGMENT_64)
    }

    /// Where it ends in the slice.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size.into())
    }
}

/// Reads where the load commands are. They must lie inside of `sizeofcmds`, and that inside of the slice.
pub(super) fn read(slice: &View<'_>, header: &Header) -> Result<Vec<Command>> {
    let end = header.commands_end();
    slice.part(header.size(), header.sizeofcmds.into(), "table of load commands")?;
    // Each takes eight bytes at least, so a false count can't ask for more than the file has.
    if u64::from(header.ncmds) > u64::from(header.sizeofcmds) / 8 || header.ncmds > MAX_COMMANDS {
        let what = format!("{} load commands do not fit into {:#x} bytes", header.ncmds, header.sizeofcmds);
        return Err(slice.fault(Header::COUNTS.start as u64, what).into());
    }
    let mut commands = Vec::with_capacity(header.ncmds as usize);
    let mut at = header.size();
    for index in 0..header.ncmds {
        let raw: &macho::LoadCommand<Endianness> = slice.record(at, "load command")?;
        let command =
            Command { kind: raw.cmd.get(header.endian), offset: at, size: raw.cmdsize.get(header.endian) };
        if command.size < 8 || !command.size.is_multiple_of(4) || command.end() > end {
            let what = format!("load command {index} has an impossible size, {:#x} bytes", command.size);
            return Err(slice.fault(at, what).into());
        }
        at = command.end();
        commands.push(command);
    }
    Ok(commands)
}

/// Where the load commands of a header are that stands alone.
///
/// # Errors
/// When header or load commands reach past its end.
pub(crate) fn read_commands(head: &View<'_>) -> Result<Vec<Command>> {
    read(head, &Header::read(head)?)
}

/// How a library is loaded that `command` names; `None` for other commands.
///
/// # Errors
/// When the command is too short.
pub(crate) fn dylib_kind(image: &Image<'_>, command: &Command) -> Result<Option<DylibKind>> {
    Ok(Some(match command.kind {
        macho::LC_LOAD_DYLIB | macho::LC_LOAD_WEAK_DYLIB => {
            let plain = match command.kind {
                macho::LC_LOAD_DYLIB => DylibKind::Load,
                _ => DylibKind::Weak,
            };
            use_kind(image, command)?.unwrap_or(plain)
        }
        macho::LC_REEXPORT_DYLIB => DylibKind::Reexport,
        macho::LC_LAZY_LOAD_DYLIB => DylibKind::Lazy,
        macho::LC_LOAD_UPWARD_DYLIB => DylibKind::Upward,
        _ => return Ok(None),
    }))
}

/// What the flags of a `dylib_use_command` (from macOS 15 on) say; `None` for a plain `dylib_command`.
fn use_kind(image: &Image<'_>, command: &Command) -> Result<Option<DylibKind>> {
    const SIZE: usize = size_of::<macho::DylibUseCommand<Endianness>>();
    if (command.size as usize) < SIZE {
        return Ok(None);
    }
    let raw: &macho::DylibUseCommand<Endianness> = image.typed(command)?;
    let endian = image.endian();
    if raw.marker.get(endian) != macho::DYLIB_USE_MARKER || raw.nameoff.get(endian) as usize != SIZE {
        return Ok(None);
    }
    let flags = raw.flags.get(endian);
    let set = |flag: macho::DylibUseFlags| flags.0 & flag.0 != 0;
    Ok(Some(if set(macho::DYLIB_USE_REEXPORT) {
        DylibKind::Reexport
    } else if set(macho::DYLIB_USE_WEAK_LINK) {
        DylibKind::Weak
    } else if set(macho::DYLIB_USE_UPWARD) {
        DylibKind::Upward
    } else if set(macho::DYLIB_USE_DELAYED_INIT) {
        DylibKind::Lazy
    } else {
        DylibKind::Load
    }))
}
