//! The header and load commands, written anew.

use object::macho;
use spokeshave_core::{Error, Result};

use super::budget::Budget;
use super::goal::{Goal, RPATH_HEADER, Rpath, SIGNATURE_COMMAND, command_size};
use crate::facts::Slice;
use crate::image::{Command, Header, Image, dylib_kind};

/// The header and load commands of `image` with `goal`, as long as the old or the new ones, whichever is longer: bytes
/// that became free are zero.
///
/// # Errors
/// When there is not enough room behind the old ones, or these are not as they should be.
pub(super) fn rewrite(image: &Image<'_>, facts: &Slice, goal: &Goal<'_>) -> Result<Vec<u8>> {
    check(image, facts, goal)?;
    let header = &image.header;
    let mut writer =
        Writer { image, bytes: image.view.part(0, header.size(), "header")?.bytes.to_vec(), count: 0 };
    let mut dylibs = goal.dylibs.iter();
    let mut id = goal.id;
    let mut rpaths = goal.rpaths.as_deref();
    for command in &image.commands {
        if dylib_kind(image, command)?.is_some() {
            writer.renamed(command, dylibs.next().and_then(Option::as_deref))?;
        } else if command.kind == macho::LC_ID_DYLIB {
            writer.renamed(command, id.take())?;
        } else if command.kind == macho::LC_RPATH && goal.rpaths.is_some() {
            writer.rpaths(rpaths.take())?;
        } else {
            writer.copy(command)?;
        }
    }
    writer.rpaths(rpaths)?;
    if goal.adds_signature {
        let kind = header.word(macho::LC_CODE_SIGNATURE.0);
        let fields = [kind, header.word(SIGNATURE_COMMAND), header.word(0), header.word(0)];
        writer.push(&fields.concat());
    }
    writer.finish()
}

fn check(image: &Image<'_>, facts: &Slice, goal: &Goal<'_>) -> Result<()> {
    let arch = facts.arch;
    if let Some(name) = goal.new_names().find(|name| name.is_empty() || name.contains(char::is_control)) {
        return Err(Error::new(format!("{name:?} is no name of a library or search path")).into());
    }
    let end = image.commands.last().map_or(image.header.size(), |command| command.end());
    if end != image.header.commands_end() {
        let what = format!("{arch}: the load commands end before sizeofcmds says so");
        return Err(image.view.fault(end, what).into());
    }
    let growth = goal.growth(facts);
    let budget = Budget { needed: u64::try_from(growth).unwrap_or(0), available: facts.header_room.into() };
    if budget.missing() > 0 {
        let what = format!(
            "{arch}: {} bytes are missing in the header: the new load commands take {} bytes more, {} are free before \
             the first section",
            budget.missing(),
            budget.needed,
            budget.available
        );
        return Err(image
            .view
            .fault(image.header.commands_end(), what)
            .hint("link it with -Wl,-headerpad_max_install_names, or choose shorter names (--no-mangle, --lib-sdir)")
            .into());
    }
    Ok(())
}

struct Writer<'a> {
    image: &'a Image<'a>,
    bytes: Vec<u8>,
    count: u32,
}

impl Writer<'_> {
    fn push(&mut self, command: &[u8]) {
        self.bytes.extend_from_slice(command);
        self.count = self.count.saturating_add(1);
    }

    fn copy(&mut self, command: &Command) -> Result<()> {
        self.push(self.image.part_of(command)?.bytes);
        Ok(())
    }

    /// The command with another name; everything before the name is kept but for `cmdsize`.
    fn renamed(&mut self, command: &Command, name: Option<&str>) -> Result<()> {
        let Some(name) = name else { return self.copy(command) };
        let raw: &macho::DylibCommand<object::Endianness> = self.image.typed(command)?;
        let offset = raw.dylib.name.offset.get(self.image.endian());
        let before = self.image.part_of(command)?.part(0, offset.into(), command.name())?.bytes;
        let size = command_size(offset, name, self.image.header.is_64);
        let fields = before.get(8..).unwrap_or_default();
        self.named(command.kind, size, fields, name)
    }

    /// All search paths, where the first one stood or at the end.
    fn rpaths(&mut self, rpaths: Option<&[Rpath<'_>]>) -> Result<()> {
        let Some(rpaths) = rpaths else { return Ok(()) };
        let old: Vec<&Command> =
            self.image.commands.iter().filter(|command| command.kind == macho::LC_RPATH).collect();
        for rpath in rpaths {
            match rpath {
                Rpath::Old(index) => old.get(*index).map_or(Ok(()), |command| self.copy(command))?,
                Rpath::New(path) => {
                    let size = command_size(RPATH_HEADER, path, self.image.header.is_64);
                    let fields = self.image.header.word(RPATH_HEADER);
                    self.named(macho::LC_RPATH, size, &fields, path)?;
                }
            }
        }
        Ok(())
    }

    /// `fields` are those between `cmdsize` and the name.
    fn named(&mut self, kind: macho::LoadCommandType, size: u64, fields: &[u8], name: &str) -> Result<()> {
        let header = &self.image.header;
        let size =
            u32::try_from(size).map_err(|_| Error::new("a name is longer than a load command can be"))?;
        let mut command = [&header.word(kind.0), &header.word(size), fields, name.as_bytes()].concat();
        command.resize(size as usize, 0);
        self.push(&command);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        let header = &self.image.header;
        let size = (self.bytes.len() as u64).saturating_sub(header.size());
        let size = u32::try_from(size).map_err(|_| Error::new("the load commands take more than 4 GiB"))?;
        let counts = [header.word(self.count), header.word(size)].concat();
        if let Some(place) = self.bytes.get_mut(Header::COUNTS) {
            place.copy_from_slice(&counts);
        }
        let old_end = usize::try_from(header.commands_end()).unwrap_or(0);
        self.bytes.resize(self.bytes.len().max(old_end), 0);
        Ok(self.bytes)
    }
}
