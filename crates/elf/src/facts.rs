//! What is read from an ELF file once, kept small, and used by search, policy and planner.

use std::collections::BTreeMap;

use object::elf;
use spokeshave_core::{Error, Result};

use crate::image::Image;

/// One entry of the version needs (`Elfxx_Verneed`): the file and the versions asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionNeed {
    /// `vn_file`.
    pub file: String,
    /// `vna_name` of each `Elfxx_Vernaux`, weak ones included.
    pub versions: Vec<String>,
}

/// What is read from an ELF file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElfFacts {
    /// 64-bit (`ELFCLASS64`).
    pub is_64: bool,
    /// Big-endian (`ELFDATA2MSB`).
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`.
    pub flags: u32,
    /// `e_type`.
    pub file_type: u16,
    /// `PT_INTERP`.
    pub interp: Option<String>,
    /// Whether it has a `PT_DYNAMIC` with contents.
    pub dynamic: bool,
    /// Why no loader loads it: `object file`, `core file`, `debug file`, `static program`. `None` for what is loaded.
    pub inert: Option<&'static str>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in file order.
    pub needed: Vec<String>,
    /// All `DT_RPATH` strings, in file order, unsplit; loaders take the last.
    pub rpath: Vec<String>,
    /// All `DT_RUNPATH` strings, in file order, unsplit; loaders take the last.
    pub runpath: Vec<String>,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    /// The version needs.
    pub version_needs: Vec<VersionNeed>,
    /// The names of the version definitions, the base one included.
    pub version_defs: Vec<String>,
    /// Of each version that symbols ask for, the first of the symbols by name: (`vn_file`, `vna_name`) → symbol. Weak
    /// ones count.
    pub version_symbols: BTreeMap<(String, String), String>,
    /// Names of undefined symbols that are not weak.
    pub undefined: Vec<String>,
    /// The first undefined function `PyUnicodeUCS2_x`, of a narrow Python 2. Only a file that was linked with that libpython
    /// knows that it is a function (`STT_FUNC`); other extensions leave the choice to the wheel's ABI tag (`cp27m`).
    pub narrow_python: Option<String>,
    /// Whether it defines the entry point of a Python extension module (`PyInit_x`, `PyInitU_x`, `PyModExport_x`,
    /// `_cffi_pypyinit_x`; Python 2's `initx` could be any function, so ask [`ElfFacts::is_extension_in`]).
    pub python_extension: bool,
    /// The names of those modules (`x`), `initx` included, to be compared with the file's stem: [`ElfFacts::is_extension_in`].
    pub init_names: Vec<String>,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED` bits, 0 when absent.
    pub x86_isa_needed: u32,
    /// API level of `.note.android.ident`.
    pub android_api: Option<u32>,
    /// Whether there is something that `--strip` would drop.
    pub strippable: bool,
}

/// The prefixes of a Python extension module's entry point: PEP 3121, PEP 489 (names that are not ASCII), PEP 793,
/// Python 2, cffi's for PyPy.
const INIT_PREFIXES: [&str; 5] = ["PyInit_", "PyInitU_", "PyModExport_", "_cffi_pypyinit_", "init"];

/// How many `DT_NEEDED` entries a file may have; the most seen in the wild are some 200.
const MAX_NEEDED: usize = 10_000;

impl ElfFacts {
    /// Reads them. Few pages of a mapped file are touched: headers, dynamic section, dynamic symbols and strings.
    ///
    /// # Errors
    /// When the bytes are no ELF file or a table reaches out of it; the error names the offset.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let image = Image::parse(bytes)?;
        let header = &image.header;
        let mut facts = ElfFacts {
            is_64: header.is_64,
            big_endian: header.endian == object::Endianness::Big,
            machine: header.machine.0,
            flags: header.flags,
            file_type: header.file_type.0,
            dynamic: image.dynamic.is_some(),
            strippable: image.has_strippable_sections(),
            ..ElfFacts::default()
        };
        if let Some(dynamic) = &image.dynamic {
            let mut names = Names::of(&image);
            facts.interp = image.interp()?.map(str::to_owned);
            if dynamic.values(elf::DT_NEEDED).count() > MAX_NEEDED {
                let what = format!("more than {MAX_NEEDED} DT_NEEDED entries");
                return Err(Error::new(what).offset(dynamic.range.start).into());
            }
            let mut texts = |tag| dynamic.values(tag).map(|at| names.text(at)).collect::<Result<_>>();
            facts.needed = texts(elf::DT_NEEDED)?;
            facts.rpath = texts(elf::DT_RPATH)?;
            facts.runpath = texts(elf::DT_RUNPATH)?;
            facts.soname = dynamic.value(elf::DT_SONAME).map(|at| names.text(at)).transpose()?;
            facts.flags_1 = dynamic.value(elf::DT_FLAGS_1).unwrap_or_default();
            let asked = facts.read_versions(&mut names)?;
            facts.read_symbols(&mut names, &asked)?;
            facts.read_notes(&image);
        }
        facts.inert = inert(&image, &facts);
        Ok(facts)
    }

    /// Whether it defines the entry point of the module that a file of this name would be: `PyInit_x` in
    /// `x.cpython-312-x86_64-linux-gnu.so`.
    pub fn is_extension_in(&self, file_name: &str) -> bool {
        let stem = file_name.split('.').next().unwrap_or_default();
        self.init_names.iter().any(|name| name == stem)
            // Other names are punycode (PEP 489), which no one needs to decode to tell that it is an extension.
            || (!stem.is_ascii() && self.python_extension)
    }

    /// The processor level above the baseline that it needs (`GNU_PROPERTY_X86_ISA_1_NEEDED`, x86-64 psABI supplement).
    pub fn x86_level(&self) -> Option<String> {
        const BASELINE: u32 = 1;
        match self.x86_isa_needed & !BASELINE {
            0 => None,
            bits if bits & !0xf != 0 => Some(format!("unknown x86-64 level ({bits:#x})")),
            bits if bits & 8 != 0 => Some("x86-64-v4".to_owned()),
            bits if bits & 4 != 0 => Some("x86-64-v3".to_owned()),
            _ => Some("x86-64-v2".to_owned()),
        }
    }

    /// Returns what each index of `DT_VERSYM` asks for: `vn_file` and `vna_name`.
    fn read_versions(&mut self, names: &mut Names<'_>) -> Result<BTreeMap<u16, (String, String)>> {
        let mut asked = BTreeMap::new();
        for need in names.image.version_needs()? {
            let file = names.text(need.file.into())?;
            let mut versions = Vec::new();
            for aux in need.aux {
                let version = names.text(aux.name.into())?;
                names.take(file.len())?;
                asked.insert(aux.index, (file.clone(), version.clone()));
                versions.push(version);
            }
            self.version_needs.push(VersionNeed { file, versions });
        }
        for def in names.image.version_defs()? {
            if let Some(name) = def.names.first() {
                self.version_defs.push(names.text((*name).into())?);
            }
        }
        Ok(asked)
    }

    fn read_symbols(&mut self, names: &mut Names<'_>, asked: &BTreeMap<u16, (String, String)>) -> Result<()> {
        let strings = names.image.slice(names.image.string_table()).unwrap_or_default();
        for symbol in names.image.symbols()?.iter() {
            if symbol.is_undefined() {
                if symbol.name == 0 {
                    continue;
                }
                let name = names.symbol(symbol.name)?;
                if let Some(version) = symbol.version.and_then(|index| asked.get(&index)) {
                    let first = self.version_symbols.entry(version.clone()).or_insert_with(|| name.clone());
                    if name < *first {
                        first.clone_from(&name);
                    }
                }
                if symbol.is_weak() {
                    continue;
                }
                if symbol.kind == elf::STT_FUNC && name.starts_with("PyUnicodeUCS2_") {
                    self.narrow_python.get_or_insert_with(|| name.clone());
                }
                self.undefined.push(name);
            } else if symbol.kind == elf::STT_FUNC || symbol.kind == elf::STT_GNU_IFUNC {
                // A big library defines 60,000 functions with long names: only those that begin right are read.
                let text = strings.get(symbol.name as usize..).unwrap_or_default();
                let Some(prefix) = INIT_PREFIXES.iter().find(|prefix| text.starts_with(prefix.as_bytes()))
                else {
                    continue;
                };
                self.init_names.extend(names.symbol(symbol.name)?.strip_prefix(prefix).map(str::to_owned));
                // Any library may have a function `initialize`; that alone makes it no extension.
                self.python_extension |= *prefix != "init";
            }
        }
        Ok(())
    }

    /// What notes say is a help only: one that is damaged is the same as none, as for the loader.
    fn read_notes(&mut self, image: &Image<'_>) {
        let word = |data: &[u8]| {
            let bytes = data.first_chunk::<4>().copied().unwrap_or_default();
            if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        for (kind, data) in image.gnu_properties().unwrap_or_default() {
            if kind == elf::GNU_PROPERTY_X86_ISA_1_NEEDED.0 {
                self.x86_isa_needed = word(data);
            }
        }
        let notes = image.notes().unwrap_or_default();
        self.android_api = notes.iter().find(|n| n.name == b"Android" && n.kind == 1).map(|n| word(n.desc));
    }
}

/// Reads names from the dynamic string table, no more of them than a sound file has. Names may share their ends, so a
/// hostile file could ask for its whole string table once per symbol.
struct Names<'a> {
    image: &'a Image<'a>,
    /// Bytes that may still be read.
    left: u64,
}

impl<'a> Names<'a> {
    fn of(image: &'a Image<'a>) -> Self {
        let table = image.string_table();
        Names {
            image,
            left: (table.end.saturating_sub(table.start)).saturating_mul(4).saturating_add(1 << 16),
        }
    }

    fn text(&mut self, offset: u64) -> Result<String> {
        let text = self.image.text(offset)?;
        self.take(text.len())?;
        Ok(text.to_owned())
    }

    /// The name of a symbol, which may hold any bytes; control characters come out as replacement characters.
    fn symbol(&mut self, offset: u32) -> Result<String> {
        let name = self.image.string(offset.into())?;
        self.take(name.len())?;
        Ok(String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}"))
    }

    fn take(&mut self, length: usize) -> Result<()> {
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| {
            Error::new("names overlap until they are larger than the string table can hold")
                .offset(self.image.string_table().start)
        })?;
        Ok(())
    }
}

/// Why no loader loads it.
fn inert(image: &Image<'_>, facts: &ElfFacts) -> Option<&'static str> {
    match image.header.file_type {
        elf::ET_REL => return Some("object file"),
        elf::ET_CORE => return Some("core file"),
        elf::ET_EXEC | elf::ET_DYN => {}
        _ => return Some("neither program nor library"),
    }
    if !facts.dynamic {
        let contents = image.loads().any(|load| load.filesz > 0);
        let kept = image.segment(elf::PT_DYNAMIC).is_none() && contents;
        return Some(if kept { "static program" } else { "debug file" });
    }
    let static_pie = facts.flags_1 & elf::DF_1_PIE.0 != 0 && facts.interp.is_none();
    (static_pie && facts.needed.is_empty()).then_some("static program")
}

#[cfg(test)]
mod tests;
