//! Where the signature is, and what a new one needs to know of the image.

use std::ops::Range;

use object::Endianness;
use object::macho;
use spokeshave_core::Result;

use super::Image;
use super::segment::{INFO_PLIST, TEXT};
use crate::sign::Code;

impl<'a> Image<'a> {
    /// The part of the slice that `LC_CODE_SIGNATURE` names; it may reach past the end.
    ///
    /// # Errors
    /// When the command is too short.
    pub fn signature(&self) -> Result<Option<Range<u64>>> {
        let Some(command) = self.command(macho::LC_CODE_SIGNATURE) else { return Ok(None) };
        let raw: &macho::LinkeditDataCommand<Endianness> = self.typed(command)?;
        let at = u64::from(raw.dataoff.get(self.endian()));
        Ok(Some(at..at + u64::from(raw.datasize.get(self.endian()))))
    }

    /// What the signer wants to know. `file_name` is for the identifier of code that has none.
    ///
    /// # Errors
    /// When a command is too short for its kind.
    pub fn code(&self, file_name: &'a str) -> Result<Code<'a>> {
        let header = &self.header;
        let text = self.segment(&TEXT);
        let info_plist =
            text.and_then(|text| text.sections.iter().find(|section| section.name == INFO_PLIST));
        let uuid = self.command(macho::LC_UUID);
        let uuid = uuid.map(|command| self.typed::<macho::UuidCommand<Endianness>>(command)).transpose()?;
        Ok(Code {
            arch: header.arch,
            filetype: header.filetype.0,
            exec_segment: text.map_or((0, 0), |text| (text.fileoff, text.filesize)),
            uuid: uuid.map(|raw| raw.uuid),
            load_commands: self.slice(header.size()..header.commands_end()).unwrap_or_default(),
            info_plist: info_plist.and_then(|section| {
                let start = u64::from(section.offset);
                self.slice(start..start.saturating_add(section.size))
            }),
            file_name,
        })
    }
}
