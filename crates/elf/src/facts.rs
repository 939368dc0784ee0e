//! What is read from an ELF file once, kept small, and used by search, policy and planner.

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
    /// Whether it has a `PT_DYNAMIC`.
    pub dynamic: bool,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`, in file order.
    pub needed: Vec<String>,
    /// All `DT_RPATH` strings, in file order, unsplit.
    pub rpath: Vec<String>,
    /// All `DT_RUNPATH` strings, in file order, unsplit.
    pub runpath: Vec<String>,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    /// The version needs.
    pub version_needs: Vec<VersionNeed>,
    /// The names of the version definitions, the base one included.
    pub version_defs: Vec<String>,
    /// Names of undefined symbols that are not weak.
    pub undefined: Vec<String>,
    /// Whether it defines the entry point of a Python extension module (`PyInit_x`, `PyInitU_x`, `PyModExport_x`,
    /// `initx`, `_cffi_pypyinit_x`).
    pub python_extension: bool,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED` bits, 0 when absent.
    pub x86_isa_needed: u32,
    /// API level of `.note.android.ident`.
    pub android_api: Option<u32>,
    /// Whether there is something that `--strip` would drop.
    pub strippable: bool,
}
