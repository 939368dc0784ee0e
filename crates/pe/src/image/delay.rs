//! The delay import table (`IMAGE_DELAYLOAD_DESCRIPTOR`, in older headers `ImgDelayDescr`), in both versions: the first
//! holds addresses (before Visual C++ 7), the second RVAs.

use std::mem::offset_of;

use object::LittleEndian as LE;
use object::pe;
use spokeshave_core::{Error, Result};

use super::{Image, Thunks};

/// A delay import descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DelayDescriptor {
    /// Where it stands in the file.
    pub offset: u64,
    /// Whether its fields are RVAs (`IMAGE_DELAYLOAD_RVA_BASED`), not addresses.
    pub rva_based: bool,
    /// `DllNameRVA`, made an RVA.
    pub name: u32,
    /// `ImportNameTableRVA`, made an RVA; 0 when there is none.
    pub name_table: u32,
    /// `TimeDateStamp`: 0 unless bound.
    pub time_date_stamp: u32,
}

impl DelayDescriptor {
    /// Size in bytes.
    pub const SIZE: u64 = size_of::<pe::ImageDelayloadDescriptor>() as u64;
    /// Where `DllNameRVA` stands in it.
    pub const NAME: u64 = offset_of!(pe::ImageDelayloadDescriptor, dll_name_rva) as u64;
    /// Where `TimeDateStamp` stands in it.
    pub const TIME_DATE_STAMP: u64 = offset_of!(pe::ImageDelayloadDescriptor, time_date_stamp) as u64;
}

impl Image<'_> {
    /// The delay import descriptors; the first without a name ends them.
    ///
    /// # Errors
    /// When they reach out of what is mapped, or an address is below `ImageBase`.
    pub fn delay_imports(&self) -> Result<Vec<DelayDescriptor>> {
        let mut found = Vec::new();
        let index = pe::IMAGE_DIRECTORY_ENTRY_DELAY_IMPORT;
        self.descriptors(index, "delay import", |offset, raw: &pe::ImageDelayloadDescriptor| {
            let name = raw.dll_name_rva.get(LE);
            if name == 0 {
                return Ok(false);
            }
            let rva_based = raw.attributes.get(LE) & pe::IMAGE_DELAYLOAD_RVA_BASED != 0;
            let rva = |value: u32| {
                if rva_based || value == 0 {
                    return Ok(value);
                }
                self.rva_of(value.into()).ok_or_else(|| {
                    let base = self.header.image_base;
                    Error::new(format!("delay import holds address {value:#x}, below ImageBase {base:#x}"))
                        .offset(offset)
                })
            };
            found.push(DelayDescriptor {
                offset,
                rva_based,
                name: rva(name)?,
                name_table: rva(raw.import_name_table_rva.get(LE))?,
                time_date_stamp: raw.time_date_stamp.get(LE),
            });
            Ok(true)
        })?;
        Ok(found)
    }

    /// Counts the functions of a delay import, under the contract of [`Image::thunks`]. Only the helper function that the
    /// file itself brings reads the table, so a broken one is the same as none.
    pub fn delay_thunks(&self, descriptor: &DelayDescriptor, left: &mut u64) -> Thunks {
        match descriptor.name_table {
            0 => Thunks::default(),
            table => self.thunks(table, left).unwrap_or_default(),
        }
    }
}
