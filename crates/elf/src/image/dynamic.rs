//! The dynamic section (gABI, "Dynamic Section"), found as the loader finds it: by the address in `PT_DYNAMIC`.

use std::ops::Range;

use object::Endianness;
use object::elf;
use object::read::elf::Dyn;
use spokeshave_core::{Error, Result};

use super::Image;
use super::view::records;

/// An entry of the dynamic section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DynEntry {
    /// `d_tag`.
    pub tag: elf::DynamicTag,
    /// `d_val` or `d_ptr`.
    pub value: u64,
    /// Where the entry stands in the file.
    pub offset: u64,
}

/// The dynamic section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dynamic {
    /// The entries before the first `DT_NULL`.
    pub entries: Vec<DynEntry>,
    /// The file range that `PT_DYNAMIC` gives it, with whatever follows the first `DT_NULL`.
    pub range: Range<u64>,
    /// Where it is loaded.
    pub vaddr: u64,
}

impl Dynamic {
    /// The value of the last entry with `tag`, which is the one that glibc's loader takes.
    pub fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        self.entries.iter().rev().find(|entry| entry.tag == tag).map(|entry| entry.value)
    }

    /// The values of all entries with `tag`, in file order.
    pub fn values(&self, tag: elf::DynamicTag) -> impl Iterator<Item = u64> {
        self.entries.iter().filter(move |entry| entry.tag == tag).map(|entry| entry.value)
    }

    pub(super) fn read(image: &Image<'_>) -> Result<Option<Self>> {
        let Some(segment) = image.segment(elf::PT_DYNAMIC) else { return Ok(None) };
        let loaded = image.loads().any(|load| load.filesz > 0);
        // Debug files keep the program headers and drop the contents.
        if segment.filesz == 0 || !loaded || image.header.file_type == elf::ET_CORE {
            return Ok(None);
        }
        let Some(range) = image.range_of(segment.vaddr, segment.filesz) else {
            if image.loads().any(|load| load.addresses().contains(&segment.vaddr)) {
                // The segment is there but not its contents: a debug file.
                return Ok(None);
            }
            let what = format!("PT_DYNAMIC is not loaded by any segment (address {:#x})", segment.vaddr);
            return Err(Error::new(what).offset(segment.offset).into());
        };
        let entries = if image.header.is_64 {
            entries::<elf::Dyn64<Endianness>>(image, &range)?
        } else {
            entries::<elf::Dyn32<Endianness>>(image, &range)?
        };
        Ok(Some(Dynamic { entries, range, vaddr: segment.vaddr }))
    }
}

fn entries<D: Dyn<Endian = Endianness>>(image: &Image<'_>, range: &Range<u64>) -> Result<Vec<DynEntry>> {
    let endian = image.header.endian;
    let size = size_of::<D>() as u64;
    let count = range.end.saturating_sub(range.start) / size;
    let table: &[D] = records(image.bytes, range.start, count, "dynamic section")?;
    let mut entries = Vec::new();
    for (index, raw) in table.iter().enumerate() {
        let tag = raw.d_tag(endian);
        if tag == elf::DT_NULL {
            return Ok(entries);
        }
        let offset = range.start.saturating_add(index as u64 * size);
        entries.push(DynEntry { tag, value: raw.d_val(endian).into(), offset });
    }
    Err(Error::new("dynamic section has no DT_NULL").offset(range.start).into())
}

/// The file range of the strings.
pub(super) fn string_table(image: &Image<'_>) -> Result<Range<u64>> {
    let Some(dynamic) = &image.dynamic else { return Ok(0..0) };
    let (Some(address), Some(size)) = (dynamic.value(elf::DT_STRTAB), dynamic.value(elf::DT_STRSZ)) else {
        return Ok(0..0);
    };
    image.range_of(address, size).ok_or_else(|| {
        let what =
            format!("string table (DT_STRTAB {address:#x}, DT_STRSZ {size:#x}) is not inside of a segment");
        Error::new(what).offset(dynamic.range.start).into()
    })
}
