//! The load configuration (`IMAGE_LOAD_CONFIG_DIRECTORY32` and `64`), which grows with each Windows: a field is there
//! when the structure's own `Size` covers it.

use std::mem::offset_of;

use object::LittleEndian as LE;
use object::pe;

use super::{Image, record};

/// What is read from the load configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LoadConfig {
    /// Where `DependentLoadFlags` stands in the file, and what it holds.
    pub dependent_load_flags: Option<(u64, u16)>,
    /// `CHPEMetadataPointer`: not 0 in hybrid files (ARM64EC, ARM64X).
    pub chpe_metadata: u64,
}

impl Image<'_> {
    /// The load configuration; a broken one is the same as none.
    pub fn load_config(&self) -> LoadConfig {
        let Some(room) = self
            .header
            .directory(pe::IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)
            .and_then(|directory| self.room_at(directory.address))
        else {
            return LoadConfig::default();
        };
        let bytes = self.bytes.get(..room.end as usize).unwrap_or_default();
        let Ok(size) = record::<object::U32<LE>>(bytes, room.start, "load configuration") else {
            return LoadConfig::default();
        };
        let size = u64::from(size.get(LE));
        macro_rules! field {
            ($layout:ty, $field:ident, $type:ty) => {{
                let at = offset_of!($layout, $field) as u64;
                let fits = at + size_of::<$type>() as u64 <= size;
                let at = room.start.saturating_add(at);
                let found = if fits { record::<$type>(bytes, at, "load configuration").ok() } else { None };
                found.map(|value| (at, value.get(LE)))
            }};
        }
        let (flags, chpe) = if self.header.is_64 {
            type Layout = pe::ImageLoadConfigDirectory64;
            let chpe = field!(Layout, chpe_metadata_pointer, object::U64<LE>);
            (field!(Layout, dependent_load_flags, object::U16<LE>), chpe.map(|(_, value)| value))
        } else {
            type Layout = pe::ImageLoadConfigDirectory32;
            let chpe = field!(Layout, chpe_metadata_pointer, object::U32<LE>);
            (field!(Layout, dependent_load_flags, object::U16<LE>), chpe.map(|(_, value)| value.into()))
        };
        LoadConfig { dependent_load_flags: flags, chpe_metadata: chpe.unwrap_or_default() }
    }
}
