//! The fat header (`mach-o/fat.h`): always big-endian, whatever the slices are.

use object::macho::{FAT_MAGIC, FAT_MAGIC_64, FatArch32, FatArch64, FatHeader};
use object::{BigEndian as Big, U32, U64};
use spokeshave_core::Result;

use super::view::View;
use crate::facts::Arch;

/// A Java class file begins with the same magic number; its version, at least 45, stands where the count of slices
/// does. There are not as many processors.
const MAX_SLICES: u32 = 42;

/// The fat header and its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fat {
    /// `FAT_MAGIC_64`.
    pub is_64: bool,
    /// One entry a slice, in the order of the table.
    pub arches: Vec<FatArch>,
}

/// `fat_arch`, `fat_arch_64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FatArch {
    /// `cputype` and `cpusubtype`.
    pub arch: Arch,
    /// Where the slice begins in the file.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its alignment as a power of 2.
    pub align: u32,
}

impl Fat {
    /// Whether a file that begins so has a fat header, and is no Java class.
    pub fn recognizes(head: &[u8]) -> bool {
        let word = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        matches!(word(0), Some(FAT_MAGIC | FAT_MAGIC_64))
            && matches!(word(4), Some(count) if (1..=MAX_SLICES).contains(&count))
    }

    /// Reads it. Slices must lie inside of the file, behind the header, and not on each other.
    pub fn read(file: &View<'_>) -> Result<Self> {
        let header: &FatHeader = file.record(0, "fat header")?;
        let is_64 = header.magic.get(Big) == FAT_MAGIC_64;
        let count = header.nfat_arch.get(Big);
        if !(1..=MAX_SLICES).contains(&count) {
            return Err(file.fault(4, format!("a fat file of {count} slices")).into());
        }
        let at = size_of::<FatHeader>() as u64;
        let arches: Vec<FatArch> = if is_64 {
            let table: &[FatArch64] = file.records(at, count.into(), "fat_arch_64 table")?;
            let read = |raw: &FatArch64| FatArch {
                arch: Arch { cputype: raw.cputype.get(Big).0, cpusubtype: raw.cpusubtype.get(Big).0 },
                offset: raw.offset.get(Big),
                size: raw.size.get(Big),
                align: raw.align.get(Big),
            };
            table.iter().map(read).collect()
        } else {
            let table: &[FatArch32] = file.records(at, count.into(), "fat_arch table")?;
            let read = |raw: &FatArch32| FatArch {
                arch: Arch { cputype: raw.cputype.get(Big).0, cpusubtype: raw.cpusubtype.get(Big).0 },
                offset: raw.offset.get(Big).into(),
                size: raw.size.get(Big).into(),
                align: raw.align.get(Big),
            };
            table.iter().map(read).collect()
        };
        let fat = Fat { is_64, arches };
        fat.check(file)?;
        Ok(fat)
    }

    fn check(&self, file: &View<'_>) -> Result<()> {
        let mut end = self.table_end();
        for index in self.by_offset() {
            let Some(slice) = self.arches.get(index) else { continue };
            let what = format!("{} slice", slice.arch);
            if slice.offset < end {
                let what = format!("{what} lies on the fat header or another slice");
                return Err(file.fault(self.entry_at(index), what).into());
            }
            file.part(slice.offset, slice.size, &what)?;
            end = slice.offset.saturating_add(slice.size);
        }
        Ok(())
    }

    /// The indices of the slices as they lie in the file.
    pub fn by_offset(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.arches.len()).collect();
        order.sort_by_key(|index| self.arches.get(*index).map(|arch| (arch.offset, arch.size)));
        order
    }

    /// Where the entry of a slice stands.
    pub fn entry_at(&self, index: usize) -> u64 {
        let size = if self.is_64 { size_of::<FatArch64>() } else { size_of::<FatArch32>() };
        (size_of::<FatHeader>() + size * index) as u64
    }

    /// Where the table ends.
    pub fn table_end(&self) -> u64 {
        self.entry_at(self.arches.len())
    }

    /// The place and size of a slice as they stand in its entry: `offset` and `size`.
    ///
    /// # Errors
    /// When they do not fit into 32 bits and the header has no more.
    pub fn place(&self, index: usize, offset: u64, size: u64) -> Result<Vec<u8>> {
        if self.is_64 {
            let place = [U64::<Big>::new(Big, offset), U64::new(Big, size)];
            return Ok(object::bytes_of_slice(&place).to_vec());
        }
        let narrow = |value: u64| u32::try_from(value).ok();
        match (narrow(offset), narrow(size), narrow(offset.saturating_add(size))) {
            (Some(offset), Some(size), Some(_)) => {
                Ok(object::bytes_of_slice(&[U32::<Big>::new(Big, offset), U32::new(Big, size)]).to_vec())
            }
            _ => Err(spokeshave_core::Error::new(
                "the fat file would grow beyond the 4 GiB that its 32-bit header can describe",
            )
            .offset(self.entry_at(index))
            .into()),
        }
    }

    /// Where in an entry `offset` and `size` stand together.
    pub fn place_at(&self, index: usize) -> std::ops::Range<u64> {
        let at = self.entry_at(index) + 8;
        at..at + if self.is_64 { 16 } else { 8 }
    }
}
