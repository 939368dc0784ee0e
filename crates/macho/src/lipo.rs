//! A fat file is put together: as `lipo -create` does it.

use object::macho;
use spokeshave_core::{Error, Result};

use crate::facts::Arch;

/// `struct fat_header` and `struct fat_arch` of `mach-o/fat.h`.
const HEADER: u64 = 8;
const ENTRY: u64 = 20;

/// Where each slice of a fat file goes.
pub struct Places {
    entries: Vec<Entry>,
    /// The size of the file.
    pub size: u64,
}

/// `struct fat_arch`.
struct Entry {
    arch: Arch,
    offset: u32,
    size: u32,
    align: u32,
}

impl Places {
    /// For slices of these processors and sizes, in this order.
    ///
    /// # Errors
    /// When 32 bits do not hold their places.
    pub fn new(slices: &[(Arch, u64)]) -> Result<Self> {
        let too_large = || Error::new("the slices are too large for one fat file together");
        let mut entries = Vec::with_capacity(slices.len());
        let mut end = HEADER + ENTRY * slices.len() as u64;
        for (arch, size) in slices {
            let align = alignment(*arch);
            let start = end.next_multiple_of(1 << align);
            end = start.checked_add(*size).filter(|end| u32::try_from(*end).is_ok()).ok_or_else(too_large)?;
            let place = u32::try_from(start).ok().zip(u32::try_from(*size).ok());
            let (offset, size) = place.ok_or_else(too_large)?;
            entries.push(Entry { arch: *arch, offset, size, align });
        }
        Ok(Places { entries, size: end })
    }

    /// The file whose slices have these bytes.
    ///
    /// # Errors
    /// When one has another size than was said, or can't be read.
    pub fn fill<B: std::ops::Deref<Target = [u8]>>(
        &self,
        slices: impl IntoIterator<Item = Result<B>>,
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut word = |value: u32| bytes.extend_from_slice(&value.to_be_bytes());
        word(macho::FAT_MAGIC);
        word(self.entries.len() as u32);
        for entry in &self.entries {
            for value in [entry.arch.cputype, entry.arch.cpusubtype, entry.offset, entry.size, entry.align] {
                word(value);
            }
        }
        for (entry, slice) in self.entries.iter().zip(slices) {
            let slice = slice?;
            if slice.len() as u64 != u64::from(entry.size) {
                return Err(Error::new("a file changed while it was read").into());
            }
            bytes.reserve((entry.offset as usize).saturating_sub(bytes.len()).saturating_add(slice.len()));
            bytes.resize(entry.offset as usize, 0);
            bytes.extend_from_slice(&slice);
        }
        Ok(bytes)
    }
}

/// By what `lipo` sorts slices: the family of arm64 comes last, whose larger alignment then costs one gap at most.
pub fn order(arch: Arch) -> (bool, u32, u32, u32) {
    (arch.cputype == macho::CPU_TYPE_ARM64.0, alignment(arch), arch.cputype, arch.subtype())
}

/// The size of a page there, as a power of two.
fn alignment(arch: Arch) -> u32 {
    match macho::CpuType(arch.cputype) {
        macho::CPU_TYPE_X86_64
        | macho::CPU_TYPE_X86
        | macho::CPU_TYPE_POWERPC
        | macho::CPU_TYPE_POWERPC64 => 12,
        _ => 14,
    }
}
