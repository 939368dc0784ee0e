//! What is read from a Mach-O file once, kept small, and used by search, tags and planner.

mod arch;
mod read;

pub use arch::Arch;

use crate::sign::Lost;

/// Which load command names a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DylibKind {
    /// `LC_LOAD_DYLIB`
    Load,
    /// `LC_LOAD_WEAK_DYLIB`
    Weak,
    /// `LC_REEXPORT_DYLIB`
    Reexport,
    /// `LC_LAZY_LOAD_DYLIB`
    Lazy,
    /// `LC_LOAD_UPWARD_DYLIB`
    Upward,
}

/// A `dylib_command`: a reference, or the library's own name (`LC_ID_DYLIB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dylib {
    /// `dylib.name`, as written.
    pub name: String,
    /// `dylib.current_version`: X.Y.Z in nibbles 16.8.8.
    pub current_version: u32,
    /// `dylib.compatibility_version`, likewise.
    pub compatibility_version: u32,
}

/// The oldest system that a slice runs on (`LC_BUILD_VERSION`, else `LC_VERSION_MIN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinOs {
    /// `platform`: `PLATFORM_MACOS` is 1.
    pub platform: u32,
    /// `minos`: X.Y.Z in nibbles 16.8.8.
    pub version: u32,
}

/// What an embedded signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFacts {
    /// `identifier` of the code directory.
    pub identifier: String,
    /// `flags` of the code directory: 0x2 ad-hoc, 0x20000 linker-signed, 0x10000 hardened runtime.
    pub flags: u32,
    /// Whether a CMS signature by a real identity is in it.
    pub identity: bool,
    /// What is lost when the slice changes and is signed ad hoc.
    pub lost: Vec<Lost>,
}

/// How a load command that holds a name is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NameSlot {
    /// `cmdsize`.
    pub cmdsize: u32,
    /// Where in the command the name begins.
    pub name_offset: u32,
}

/// What the header budget counts with: see [`crate::budget`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLayout {
    /// Load commands are padded to 8 bytes; 32-bit ones to 4.
    pub is_64: bool,
    /// That of [`Slice::id`].
    pub id: Option<NameSlot>,
    /// Those of [`Slice::dylibs`].
    pub dylibs: Vec<NameSlot>,
    /// Those of [`Slice::rpaths`].
    pub rpaths: Vec<NameSlot>,
    /// Whether there is an `LC_CODE_SIGNATURE`.
    pub code_signature: bool,
}

/// One slice; a thin file has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its processor.
    pub arch: Arch,
    /// Where it begins in the file, in bytes; 0 in a thin file.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// `filetype`: `MH_EXECUTE`, `MH_DYLIB`, `MH_BUNDLE`, …
    pub filetype: u32,
    /// `flags` of the header.
    pub flags: u32,
    /// `LC_ID_DYLIB`.
    pub id: Option<Dylib>,
    /// The libraries that it names, in file order.
    pub dylibs: Vec<(DylibKind, Dylib)>,
    /// `LC_RPATH`, in file order, duplicates included.
    pub rpaths: Vec<String>,
    /// The oldest system that it runs on; of several platforms (zippered) all.
    pub min_os: Vec<MinOs>,
    /// `LC_UUID`.
    pub uuid: Option<[u8; 16]>,
    /// The embedded signature, if there is one.
    pub signature: Option<SignatureFacts>,
    /// Bytes between the last load command and the first section: what new load commands may take. Only those that are
    /// zero count.
    pub header_room: u32,
    /// How its load commands are laid out.
    pub layout: CommandLayout,
}

/// What is read from a Mach-O file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachoFacts {
    /// Whether it has a fat header.
    pub fat: bool,
    /// Its slices, in file order.
    pub slices: Vec<Slice>,
    /// Why no loader loads it: `object file`, `dSYM`, `core file`, `static library`. `None` for what is loaded.
    pub inert: Option<&'static str>,
}
