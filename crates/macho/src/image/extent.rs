//! Which bytes of a slice hold something: what must not be written over.

use std::ops::Range;

use object::Endianness;
use object::macho;
use spokeshave_core::Result;

use super::{Command, Image, LINKEDIT};

impl Image<'_> {
    /// How many bytes more the load commands may take: from their end to the first byte that belongs to something else,
    /// as long as they are zero.
    ///
    /// # Errors
    /// When a command is too short for its kind.
    pub fn header_room(&self) -> Result<u64> {
        let end = self.header.commands_end();
        // What is not mapped with the header, no loader sees.
        let header = self.segments.iter().find(|s| s.fileoff == 0 && s.filesize > 0);
        let mapped = header.map_or(self.size(), |segment| segment.filesize);
        let limit = self.starts()?.into_iter().min().map_or(mapped, |first| first.min(mapped));
        let room = self.slice(end..limit).unwrap_or_default();
        Ok(room.iter().take_while(|byte| **byte == 0).count() as u64)
    }

    /// Where contents begin: those of sections, of segments other than the header's, of what commands lead to.
    fn starts(&self) -> Result<Vec<u64>> {
        let mut starts = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.filesize > 0) {
            if segment.fileoff > 0 {
                starts.push(segment.fileoff);
            }
            for section in segment.sections.iter().filter(|section| !section.is_zerofill()) {
                // The loader maps by address; where both places are given, neither may be hurt.
                let distance = section.addr.checked_sub(segment.vmaddr).filter(|d| *d < segment.filesize);
                starts.extend(distance.and_then(|distance| segment.fileoff.checked_add(distance)));
                if section.offset > 0 {
                    starts.push(section.offset.into());
                }
            }
        }
        starts.extend(self.ranges()?.into_iter().map(|range| range.start));
        Ok(starts)
    }

    /// Where the last contents end but for the signature: the end of segments other than `__LINKEDIT`, and of what
    /// commands lead to.
    ///
    /// # Errors
    /// When a command is too short for its kind.
    pub fn contents_end(&self) -> Result<u64> {
        let linkedit = self.segment(&LINKEDIT).map(|segment| segment.command);
        let others = self.segments.iter().filter(|s| s.filesize > 0 && Some(s.command) != linkedit);
        let segments = others.map(|segment| segment.file_range().end);
        Ok(segments.chain(self.ranges()?.into_iter().map(|range| range.end)).max().unwrap_or(0))
    }

    /// What commands lead to, outside of what their segments say: symbols, strings, fixups, relocations, notes; the
    /// signature is left out.
    fn ranges(&self) -> Result<Vec<Range<u64>>> {
        let mut ranges = Vec::new();
        for command in &self.commands {
            self.ranges_of(command, &mut ranges)?;
        }
        for section in self.segments.iter().flat_map(|segment| &segment.sections) {
            ranges.push(span(section.reloff, section.nreloc, 8));
        }
        ranges.retain(|range| range.start > 0 && !range.is_empty());
        Ok(ranges)
    }

    fn ranges_of(&self, command: &Command, ranges: &mut Vec<Range<u64>>) -> Result<()> {
        let endian = self.endian();
        let word = |value: object::U32<Endianness>| value.get(endian);
        match command.kind {
            macho::LC_SYMTAB => {
                let raw: &macho::SymtabCommand<Endianness> = self.typed(command)?;
                let entry = if self.header.is_64 { 16 } else { 12 };
                ranges.push(span(word(raw.symoff), word(raw.nsyms), entry));
                ranges.push(span(word(raw.stroff), word(raw.strsize), 1));
            }
            macho::LC_DYSYMTAB => {
                let raw: &macho::DysymtabCommand<Endianness> = self.typed(command)?;
                let module = if self.header.is_64 { 56 } else { 52 };
                ranges.extend([
                    span(word(raw.tocoff), word(raw.ntoc), 8),
                    span(word(raw.modtaboff), word(raw.nmodtab), module),
                    span(word(raw.extrefsymoff), word(raw.nextrefsyms), 4),
                    span(word(raw.indirectsymoff), word(raw.nindirectsyms), 4),
                    span(word(raw.extreloff), word(raw.nextrel), 8),
                    span(word(raw.locreloff), word(raw.nlocrel), 8),
                ]);
            }
            macho::LC_DYLD_INFO | macho::LC_DYLD_INFO_ONLY => {
                let raw: &macho::DyldInfoCommand<Endianness> = self.typed(command)?;
                ranges.extend([
                    span(word(raw.rebase_off), word(raw.rebase_size), 1),
                    span(word(raw.bind_off), word(raw.bind_size), 1),
                    span(word(raw.weak_bind_off), word(raw.weak_bind_size), 1),
                    span(word(raw.lazy_bind_off), word(raw.lazy_bind_size), 1),
                    span(word(raw.export_off), word(raw.export_size), 1),
                ]);
            }
            macho::LC_SEGMENT_SPLIT_INFO
            | macho::LC_FUNCTION_STARTS
            | macho::LC_DATA_IN_CODE
            | macho::LC_DYLIB_CODE_SIGN_DRS
            | macho::LC_LINKER_OPTIMIZATION_HINT
            | macho::LC_DYLD_EXPORTS_TRIE
            | macho::LC_DYLD_CHAINED_FIXUPS
            | macho::LC_ATOM_INFO
            | macho::LC_FUNCTION_VARIANTS
            | macho::LC_FUNCTION_VARIANT_FIXUPS => {
                let raw: &macho::LinkeditDataCommand<Endianness> = self.typed(command)?;
                ranges.push(span(word(raw.dataoff), word(raw.datasize), 1));
            }
            macho::LC_TWOLEVEL_HINTS => {
                let raw: &macho::TwolevelHintsCommand<Endianness> = self.typed(command)?;
                ranges.push(span(word(raw.offset), word(raw.nhints), 4));
            }
            macho::LC_ENCRYPTION_INFO | macho::LC_ENCRYPTION_INFO_64 => {
                let raw: &macho::EncryptionInfoCommand32<Endianness> = self.typed(command)?;
                ranges.push(span(word(raw.cryptoff), word(raw.cryptsize), 1));
            }
            macho::LC_NOTE => {
                let raw: &macho::NoteCommand<Endianness> = self.typed(command)?;
                let start = raw.offset.get(endian);
                ranges.push(start..start.saturating_add(raw.size.get(endian)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn span(offset: u32, count: u32, size: u64) -> Range<u64> {
    let start = u64::from(offset);
    start..start + u64::from(count) * size
}
