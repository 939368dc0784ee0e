//! What is read from a PE file once, kept small, and used by search, tables and planner.

use std::collections::BTreeSet;

use goblin::pe::resource::VersionField;
use object::LittleEndian as LE;
use object::pe;
use pe_parser::coff::{CoffFileHeader, MachineTypes};
use spokeshave_core::Result;

use crate::image::{Exports, Image};

/// How a library is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// By the import table: loaded with the file.
    Load,
    /// By the delay import table: loaded when one of its functions is called first.
    Delay,
    /// By a delay import descriptor of the first version, which holds addresses.
    DelayV0,
}

/// A library that the file imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The name, as written.
    pub name: String,
    /// Which table names it.
    pub kind: ImportKind,
    /// How many of its functions are taken by name.
    pub names: u32,
    /// How many of its functions are taken by ordinal.
    pub ordinals: u32,
}

/// A file that holds code for two machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hybrid {
    /// ARM64 code that lives in an x64 process (`Machine` is AMD64).
    Arm64Ec,
    /// Both for ARM64 and, as ARM64EC, for x64 processes (`Machine` is ARM64).
    Arm64X,
    /// x86 with ARM64 code (`Machine` is I386), as Windows 10 on ARM had it.
    ChpeX86,
}

impl Hybrid {
    /// The name that Microsoft gives it.
    pub fn name(self) -> &'static str {
        match self {
            Hybrid::Arm64Ec => "ARM64EC",
            Hybrid::Arm64X => "ARM64X",
            Hybrid::ChpeX86 => "CHPE (x86 with ARM64 code)",
        }
    }
}

/// The version resource (`VS_VERSIONINFO`); strings are trimmed, empty ones left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// `FileVersion`, else the numbers of `VS_FIXEDFILEINFO`.
    pub file_version: Option<String>,
    /// `ProductVersion`.
    pub product_version: Option<String>,
    /// `ProductName`.
    pub product_name: Option<String>,
    /// `CompanyName`.
    pub company_name: Option<String>,
    /// `OriginalFilename`.
    pub original_filename: Option<String>,
}

/// What is read from a PE file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeFacts {
    /// PE32+.
    pub is_64: bool,
    /// `Machine`.
    pub machine: u16,
    /// Whether it holds code for two machines.
    pub hybrid: Option<Hybrid>,
    /// Whether it is a DLL (`IMAGE_FILE_DLL`); a `.pyd` is one too.
    pub is_dll: bool,
    /// `Subsystem`.
    pub subsystem: u16,
    /// `MajorLinkerVersion`, `MinorLinkerVersion`: 14.x is Microsoft's toolset v14x.
    pub linker: (u8, u8),
    /// Why Windows loads it into no process: `driver`, `EFI program`, `debug file`. `None` for what is loaded.
    pub inert: Option<&'static str>,
    /// The libraries that it imports, in file order: import table, then delay import table.
    pub imports: Vec<Import>,
    /// The name of the export table.
    pub export_name: Option<String>,
    /// The libraries that exported functions are forwarded to, as written, without an extension; sorted, each once.
    /// They are loaded when such a function is first asked for.
    pub forwards: Vec<String>,
    /// The names of the Python modules that it is by its exports (`x` of `PyInit_x`), in file order.
    pub init_names: Vec<String>,
    /// The version resource.
    pub version: Option<Version>,
    /// Whether `CheckSum` is set.
    pub has_checksum: bool,
    /// Whether it has a certificate table (Authenticode).
    pub signed: bool,
    /// Whether `IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY` is set: Windows loads it only with a valid signature.
    pub force_integrity: bool,
    /// Bytes behind the sections, the certificate table not counted: COFF symbols, a payload.
    pub overlay: u64,
    /// Whether it has bound imports.
    pub bound: bool,
    /// `DependentLoadFlags` of the load configuration, 0 when absent: which directories its imports are searched in.
    pub dependent_load_flags: u16,
    /// Whether it has a CLR header (.NET).
    pub clr: bool,
}

/// The prefixes of a Python extension module's entry point: PEP 3121, PEP 489 (names that are not ASCII), PEP 793,
/// cffi's for PyPy.
const INIT_PREFIXES: [&[u8]; 4] = [b"PyInit_", b"PyInitU_", b"PyModExport_", b"_cffi_pypyinit_"];

/// How many modules, and libraries that functions are forwarded to, are taken from an export table; a file is one module,
/// and an API set's host forwards to some 20 libraries.
const MAX_EXPORTED: usize = 1000;

impl PeFacts {
    /// Reads them. Few pages of a mapped file are touched: headers, import and export tables, the version resource.
    ///
    /// # Errors
    /// When the bytes are no PE file, or an import table reaches out of it; the error names the offset.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let image = Image::parse(bytes)?;
        let header = &image.header;
        let config = image.load_config();
        let mut facts = PeFacts {
            is_64: header.is_64,
            machine: header.machine,
            hybrid: hybrid(&image),
            is_dll: header.is_dll(),
            subsystem: header.subsystem,
            linker: header.linker,
            inert: inert(&image),
            has_checksum: header.check_sum != 0,
            signed: image.certificates().is_some(),
            force_integrity: header.dll_characteristics & pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY.0 != 0,
            overlay: overlay(&image),
            bound: header.directory(pe::IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT).is_some(),
            dependent_load_flags: config.dependent_load_flags.map_or(0, |(_, flags)| flags),
            clr: header.directory(pe::IMAGE_DIRECTORY_ENTRY_COM_DESCRIPTOR).is_some(),
            ..PeFacts::default()
        };
        if facts.inert.is_none() {
            facts.read_imports(&image)?;
            // What exports and resources say is a help only: a broken table is the same as none.
            facts.read_exports(&image, &image.exports().unwrap_or_default());
            facts.version = version(&image);
        }
        Ok(facts)
    }

    /// The processor's name as the PE specification has it (`AMD64`, `I386`, `ARM64`).
    pub fn machine_name(&self) -> String {
        let header = CoffFileHeader { machine: self.machine, ..CoffFileHeader::default() };
        match header.get_machine_type() {
            Some(MachineTypes::Unknown) | None => format!("machine {:#06x}", self.machine),
            Some(machine) => format!("{machine:?}"),
        }
    }

    /// What an edit takes away from the file, for the report: the signature, bound imports and the like, which no longer
    /// fit what it imports.
    pub fn lost_by_edit(&self) -> Vec<String> {
        let mut lost = Vec::new();
        if self.signed {
            lost.push("Authenticode signature".to_owned());
        }
        if self.force_integrity {
            lost.push("IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY (it asks for a signature)".to_owned());
        }
        if self.bound {
            lost.push("bound imports".to_owned());
        }
        if self.dependent_load_flags != 0 {
            lost.push(format!("DependentLoadFlags {:#x}", self.dependent_load_flags));
        }
        lost
    }

    fn read_imports(&mut self, image: &Image<'_>) -> Result<()> {
        // Tables of a sound file are disjoint, so there can't be more thunks than this.
        let mut left = image.bytes.len() as u64 / 4;
        for descriptor in image.imports()? {
            let (name, _) = image.name_at(descriptor.name, "name of an import")?;
            self.bound |= descriptor.time_date_stamp != 0;
            // Without a lookup table the loader reads the address table, which holds the same until it is bound.
            let table = match descriptor.original_first_thunk {
                0 => descriptor.first_thunk,
                lookup => lookup,
            };
            let thunks = image.thunks(table, &mut left)?;
            self.push(name, ImportKind::Load, thunks);
        }
        for descriptor in image.delay_imports()? {
            let (name, _) = image.name_at(descriptor.name, "name of a delay import")?;
            let kind = if descriptor.rva_based { ImportKind::Delay } else { ImportKind::DelayV0 };
            self.push(name, kind, image.delay_thunks(&descriptor, &mut left));
        }
        Ok(())
    }

    fn push(&mut self, name: &str, kind: ImportKind, thunks: crate::image::Thunks) {
        let crate::image::Thunks { names, ordinals } = thunks;
        self.imports.push(Import { name: name.to_owned(), kind, names, ordinals });
    }

    fn read_exports(&mut self, image: &Image<'_>, exports: &Exports<'_>) {
        self.export_name = exports.name.as_ref().map(|(name, _)| (*name).to_owned());
        let libraries = exports.forwarders.iter().filter_map(|text| text.rsplit_once('.'));
        let mut libraries: BTreeSet<&str> = libraries.map(|(library, _)| library).collect();
        // Names may share their ends, so a hostile file could ask for far more text than it holds.
        while libraries.len() > MAX_EXPORTED {
            libraries.pop_last();
        }
        self.forwards = libraries.into_iter().map(str::to_owned).collect();
        for rva in exports.names {
            let start = image.offset_of(rva.get(LE)).and_then(|at| usize::try_from(at).ok());
            let text = start.and_then(|at| image.bytes.get(at..)).unwrap_or_default();
            // A big library exports 60,000 functions: only names that begin right are read.
            if self.init_names.len() == MAX_EXPORTED {
                break;
            }
            let Some(prefix) = INIT_PREFIXES.iter().find(|prefix| text.starts_with(prefix)) else { continue };
            if let Ok((name, _)) = image.name_at(rva.get(LE), "name of an export") {
                self.init_names.extend(name.get(prefix.len()..).map(str::to_owned));
            }
        }
    }
}

/// Whether it holds code for two machines, by its load configuration.
pub(crate) fn hybrid(image: &Image<'_>) -> Option<Hybrid> {
    if image.load_config().chpe_metadata == 0 {
        return None;
    }
    match pe::Machine(image.header.machine) {
        pe::IMAGE_FILE_MACHINE_AMD64 => Some(Hybrid::Arm64Ec),
        pe::IMAGE_FILE_MACHINE_ARM64 => Some(Hybrid::Arm64X),
        pe::IMAGE_FILE_MACHINE_I386 => Some(Hybrid::ChpeX86),
        _ => None,
    }
}

/// Why Windows loads it into no process.
fn inert(image: &Image<'_>) -> Option<&'static str> {
    match pe::Subsystem(image.header.subsystem) {
        pe::IMAGE_SUBSYSTEM_NATIVE | pe::IMAGE_SUBSYSTEM_NATIVE_WINDOWS => return Some("driver"),
        pe::IMAGE_SUBSYSTEM_EFI_APPLICATION
        | pe::IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER
        | pe::IMAGE_SUBSYSTEM_EFI_RUNTIME_DRIVER
        | pe::IMAGE_SUBSYSTEM_EFI_ROM => return Some("EFI program"),
        pe::IMAGE_SUBSYSTEM_WINDOWS_BOOT_APPLICATION => return Some("boot program"),
        _ => {}
    }
    if image.header.characteristics & pe::IMAGE_FILE_EXECUTABLE_IMAGE.0 == 0 {
        return Some("object file");
    }
    image.is_hollow(pe::IMAGE_DIRECTORY_ENTRY_IMPORT).then_some("debug file")
}

fn overlay(image: &Image<'_>) -> u64 {
    let size = image.bytes.len() as u64;
    let start = image.contents_end().min(size);
    let certificates = image.certificates().unwrap_or(0..0);
    let signed = certificates.end.saturating_sub(certificates.start.max(start));
    (size - start).saturating_sub(signed)
}

fn version(image: &Image<'_>) -> Option<Version> {
    let info = image.version()?;
    let strings = &info.string_info;
    let text = |value: Option<String>| {
        let value = value?.replace(char::is_control, "");
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    // Its `file_version()` takes the date's fields.
    let numbers = || {
        let fixed = info.fixed_info?;
        Some(VersionField::from_ms_ls(fixed.file_version_ms, fixed.file_version_ls).to_string())
    };
    Some(Version {
        file_version: text(strings.file_version()).or_else(numbers),
        product_version: text(strings.product_version()),
        product_name: text(strings.product_name()),
        company_name: text(strings.company_name()),
        original_filename: text(strings.original_filename()),
    })
}

#[cfg(test)]
mod tests;
