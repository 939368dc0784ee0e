//! The version resource (`VS_VERSIONINFO`), which `goblin` reads.

use goblin::pe::data_directories::DataDirectory;
use goblin::pe::options::ParseOptions;
use goblin::pe::resource::{ResourceData, VersionInfo};
use goblin::pe::section_table::SectionTable;
use object::pe;

use super::{Image, SECTOR};

impl<'a> Image<'a> {
    /// The version resource; a broken one is the same as none.
    pub fn version(&self) -> Option<VersionInfo<'a>> {
        let directory = self.header.directory(pe::IMAGE_DIRECTORY_ENTRY_RESOURCE)?;
        let sections: Vec<SectionTable> = self
            .sections
            .iter()
            .map(|section| SectionTable {
                virtual_size: section.virtual_size,
                virtual_address: section.virtual_address,
                size_of_raw_data: section.size_of_raw_data,
                pointer_to_raw_data: section.pointer_to_raw_data,
                ..SectionTable::default()
            })
            .collect();
        let directory = DataDirectory { virtual_address: directory.address, size: directory.size };
        let options = ParseOptions::default();
        let data = ResourceData::parse_with_opts(self.bytes, directory, &sections, SECTOR as u32, &options);
        data.ok()?.version_info
    }
}
