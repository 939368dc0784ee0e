//! The headers: `IMAGE_DOS_HEADER`, `IMAGE_FILE_HEADER`, `IMAGE_OPTIONAL_HEADER` and its data directories (Microsoft's
//! "PE Format").

use std::mem::offset_of;

use object::LittleEndian as LE;
use object::pe;
use spokeshave_core::{Error, Result};

use super::view::{record, records};

/// Size in bytes of the signature before `IMAGE_FILE_HEADER`.
const SIGNATURE: u64 = 4;

/// The headers' fields, widened where PE32 and PE32+ differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// `e_lfanew`: where the signature stands.
    pub pe_offset: u64,
    /// PE32+ (`IMAGE_NT_OPTIONAL_HDR64_MAGIC`).
    pub is_64: bool,
    /// `Machine`.
    pub machine: u16,
    /// `NumberOfSections`.
    pub number_of_sections: u16,
    /// `PointerToSymbolTable`: a file offset, 0 without COFF symbols.
    pub pointer_to_symbol_table: u32,
    /// `SizeOfOptionalHeader`.
    pub size_of_optional_header: u16,
    /// `Characteristics`.
    pub characteristics: u16,
    /// `MajorLinkerVersion`, `MinorLinkerVersion`.
    pub linker: (u8, u8),
    /// `SizeOfInitializedData`.
    pub size_of_initialized_data: u32,
    /// `ImageBase`.
    pub image_base: u64,
    /// `SectionAlignment`.
    pub section_alignment: u32,
    /// `FileAlignment`.
    pub file_alignment: u32,
    /// `SizeOfImage`.
    pub size_of_image: u32,
    /// `SizeOfHeaders`.
    pub size_of_headers: u32,
    /// `CheckSum`: 0 when none was set.
    pub check_sum: u32,
    /// `Subsystem`.
    pub subsystem: u16,
    /// `DllCharacteristics`.
    pub dll_characteristics: u16,
    /// The data directories that there are, at most `IMAGE_NUMBEROF_DIRECTORY_ENTRIES`.
    pub directories: Vec<Directory>,
}

/// An entry of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Directory {
    /// `VirtualAddress`: an RVA, but a file offset for `IMAGE_DIRECTORY_ENTRY_SECURITY`.
    pub address: u32,
    /// `Size` in bytes.
    pub size: u32,
}

/// A field of the headers that the editor writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    NumberOfSections,
    PointerToSymbolTable,
    SizeOfInitializedData,
    SizeOfImage,
    SizeOfHeaders,
    CheckSum,
    DllCharacteristics,
}

impl Header {
    /// Reads them from the head of a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let dos: &pe::ImageDosHeader = record(bytes, 0, "DOS header")?;
        if dos.e_magic.get(LE) != pe::IMAGE_DOS_SIGNATURE {
            return Err(Error::new("not a PE file: it does not begin with MZ").offset(0).into());
        }
        let pe_offset = u64::from(dos.e_lfanew.get(LE));
        let signature: &object::U32<LE> = record(bytes, pe_offset, "PE signature")?;
        if signature.get(LE) != pe::IMAGE_NT_SIGNATURE {
            let what =
                "not a PE file: no PE signature where e_lfanew leads (a DOS or 16-bit Windows program?)";
            return Err(Error::new(what).offset(pe_offset).into());
        }
        let coff: &pe::ImageFileHeader = record(bytes, pe_offset + SIGNATURE, "IMAGE_FILE_HEADER")?;
        let at = pe_offset + SIGNATURE + pe::IMAGE_SIZEOF_FILE_HEADER as u64;
        let magic: &object::U16<LE> = record(bytes, at, "IMAGE_OPTIONAL_HEADER")?;
        let mut header = match magic.get(LE) {
            pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => {
                Self::optional::<pe::ImageOptionalHeader32>(bytes, at, coff)?
            }
            pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => {
                Self::optional::<pe::ImageOptionalHeader64>(bytes, at, coff)?
            }
            other => {
                let what = format!("unknown Magic of the optional header: {other:#x}");
                return Err(Error::new(what).offset(at).into());
            }
        };
        header.pe_offset = pe_offset;
        header.number_of_sections = coff.number_of_sections.get(LE);
        header.pointer_to_symbol_table = coff.pointer_to_symbol_table.get(LE);
        Ok(header)
    }

    fn optional<H: layout::Optional>(bytes: &[u8], at: u64, coff: &pe::ImageFileHeader) -> Result<Self> {
        let raw: &H = record(bytes, at, "IMAGE_OPTIONAL_HEADER")?;
        let size_of_optional_header = coff.size_of_optional_header.get(LE);
        let room =
            u64::from(size_of_optional_header).checked_sub(size_of::<H>() as u64).ok_or_else(|| {
                let what =
                    format!("SizeOfOptionalHeader {size_of_optional_header:#x} is too small for its Magic");
                Error::new(what).offset(at)
            })?;
        let entry = size_of::<pe::ImageDataDirectory>() as u64;
        let count = u64::from(raw.number_of_rva_and_sizes())
            .min(room / entry)
            .min(pe::IMAGE_NUMBEROF_DIRECTORY_ENTRIES as u64);
        let table: &[pe::ImageDataDirectory] =
            records(bytes, at + size_of::<H>() as u64, count, "data directory")?;
        let directories = table
            .iter()
            .map(|raw| Directory { address: raw.virtual_address.get(LE), size: raw.size.get(LE) });
        Ok(Header {
            machine: coff.machine.get(LE).0,
            characteristics: coff.characteristics.get(LE).0,
            size_of_optional_header,
            directories: directories.collect(),
            ..raw.fields()
        })
    }

    /// Whether it is a DLL (`IMAGE_FILE_DLL`).
    pub fn is_dll(&self) -> bool {
        self.characteristics & pe::IMAGE_FILE_DLL.0 != 0
    }

    /// An entry of the data directory, if it leads anywhere.
    pub fn directory(&self, index: usize) -> Option<Directory> {
        self.directories.get(index).copied().filter(|directory| directory.address != 0)
    }

    /// Where an entry of the data directory stands in the file.
    pub fn directory_offset(&self, index: usize) -> u64 {
        let fixed = if self.is_64 {
            size_of::<pe::ImageOptionalHeader64>()
        } else {
            size_of::<pe::ImageOptionalHeader32>()
        };
        self.optional_offset().saturating_add((fixed + index * size_of::<pe::ImageDataDirectory>()) as u64)
    }

    /// Where the optional header stands in the file.
    pub fn optional_offset(&self) -> u64 {
        self.pe_offset.saturating_add(SIGNATURE + pe::IMAGE_SIZEOF_FILE_HEADER as u64)
    }

    /// Where the section table stands in the file.
    pub fn section_table(&self) -> u64 {
        self.optional_offset().saturating_add(self.size_of_optional_header.into())
    }

    /// Where the section table ends in the file.
    pub fn section_table_end(&self) -> u64 {
        let size = u64::from(self.number_of_sections) * pe::IMAGE_SIZEOF_SECTION_HEADER as u64;
        self.section_table().saturating_add(size)
    }

    /// Where a field stands in the file.
    pub fn offset_of(&self, field: Field) -> u64 {
        let coff = |at: usize| self.pe_offset.saturating_add(SIGNATURE + at as u64);
        macro_rules! optional {
            ($field:ident) => {{
                let at = if self.is_64 {
                    offset_of!(pe::ImageOptionalHeader64, $field)
                } else {
                    offset_of!(pe::ImageOptionalHeader32, $field)
                };
                self.optional_offset().saturating_add(at as u64)
            }};
        }
        match field {
            Field::NumberOfSections => coff(offset_of!(pe::ImageFileHeader, number_of_sections)),
            Field::PointerToSymbolTable => coff(offset_of!(pe::ImageFileHeader, pointer_to_symbol_table)),
            Field::SizeOfInitializedData => optional!(size_of_initialized_data),
            Field::SizeOfImage => optional!(size_of_image),
            Field::SizeOfHeaders => optional!(size_of_headers),
            Field::CheckSum => optional!(check_sum),
            Field::DllCharacteristics => optional!(dll_characteristics),
        }
    }
}

/// The two layouts of the optional header.
mod layout {
    use super::{Header, LE, pe};

    pub(super) trait Optional: object::pod::Pod {
        fn number_of_rva_and_sizes(&self) -> u32;
        /// The fields of the optional header; the others are empty.
        fn fields(&self) -> Header;
    }

    macro_rules! optional {
        ($layout:ty, $is_64:expr) => {
            impl Optional for $layout {
                fn number_of_rva_and_sizes(&self) -> u32 {
                    self.number_of_rva_and_sizes.get(LE)
                }
                fn fields(&self) -> Header {
                    Header {
                        pe_offset: 0,
                        is_64: $is_64,
                        machine: 0,
                        number_of_sections: 0,
                        pointer_to_symbol_table: 0,
                        size_of_optional_header: 0,
                        characteristics: 0,
                        linker: (self.major_linker_version, self.minor_linker_version),
                        size_of_initialized_data: self.size_of_initialized_data.get(LE),
                        image_base: self.image_base.get(LE).into(),
                        section_alignment: self.section_alignment.get(LE),
                        file_alignment: self.file_alignment.get(LE),
                        size_of_image: self.size_of_image.get(LE),
                        size_of_headers: self.size_of_headers.get(LE),
                        check_sum: self.check_sum.get(LE),
                        subsystem: self.subsystem.get(LE).0,
                        dll_characteristics: self.dll_characteristics.get(LE).0,
                        directories: Vec::new(),
                    }
                }
            }
        };
    }

    optional!(pe::ImageOptionalHeader32, false);
    optional!(pe::ImageOptionalHeader64, true);
}
