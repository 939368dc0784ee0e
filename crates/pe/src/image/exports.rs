//! The export table (`IMAGE_EXPORT_DIRECTORY`): the library's own name, what it hands on to other libraries, and the
//! names of its functions.

use std::ops::Range;

use object::LittleEndian as LE;
use object::pe;
use spokeshave_core::Result;

use super::{Image, record, records};

/// What is read from the export table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exports<'a> {
    /// `Name`, and its file range without the NUL.
    pub name: Option<(&'a str, Range<u64>)>,
    /// `NumberOfFunctions`.
    pub functions: u32,
    /// The targets of forwarded functions: `OTHER.Function`, `OTHER.#12`.
    pub forwarders: Vec<&'a str>,
    /// The RVAs of the functions' names, in file order.
    pub names: &'a [object::U32<LE>],
}

impl<'a> Image<'a> {
    /// The export table; empty when there is none.
    ///
    /// # Errors
    /// When a part of it lies outside of the file.
    pub fn exports(&self) -> Result<Exports<'a>> {
        let Some(directory) = self.header.directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT) else {
            return Ok(Exports::default());
        };
        let at = |rva: u32| self.offset_of(rva).unwrap_or(u64::MAX);
        let table: &pe::ImageExportDirectory =
            record(self.bytes, at(directory.address), "IMAGE_EXPORT_DIRECTORY")?;
        let name = table.name.get(LE);
        let functions = table.number_of_functions.get(LE);
        let mut exports = Exports { functions, ..Exports::default() };
        exports.name = self.name_at(name, "export name").ok();
        if functions > 0 {
            let start = at(table.address_of_functions.get(LE));
            let addresses: &[object::U32<LE>] =
                records(self.bytes, start, functions.into(), "export address table")?;
            // An address inside of the export table is no function but the name of one in another library.
            let inside = directory.address..directory.address.saturating_add(directory.size);
            let forwarders = addresses.iter().map(|raw| raw.get(LE)).filter(|rva| inside.contains(rva));
            let texts = forwarders.filter_map(|rva| self.name_at(rva, "forwarder").ok());
            exports.forwarders = texts.map(|(text, _)| text).collect();
        }
        let names = table.number_of_names.get(LE);
        if names > 0 {
            let start = at(table.address_of_names.get(LE));
            exports.names = records(self.bytes, start, names.into(), "export name table")?;
        }
        Ok(exports)
    }
}
