//! One member of a wheel, as its central directory describes it.

use std::fmt;

use super::Timestamp;
use crate::PackagePath;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory (its name ends with `/`).
    Dir,
    /// A symbolic link; its contents are the target's path.
    Symlink,
}

/// How a member is compressed (APPNOTE 4.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// Deflate.
    Deflated,
    /// A method that wheels don't use; such a member can be copied but not read.
    Other(u16),
}

impl Method {
    /// The method of that number.
    pub fn from_code(code: u16) -> Self {
        match code {
            0 => Method::Stored,
            8 => Method::Deflated,
            other => Method::Other(other),
        }
    }

    /// Its number in a zip file.
    pub fn code(self) -> u16 {
        match self {
            Method::Stored => 0,
            Method::Deflated => 8,
            Method::Other(code) => code,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Stored => f.write_str("stored"),
            Method::Deflated => f.write_str("deflate"),
            Method::Other(9) => f.write_str("deflate64"),
            Method::Other(12) => f.write_str("bzip2"),
            Method::Other(14) => f.write_str("lzma"),
            Method::Other(93) => f.write_str("zstd"),
            Method::Other(95) => f.write_str("xz"),
            Method::Other(code) => write!(f, "method {code}"),
        }
    }
}

/// A member of a wheel. Everything here was checked against the rest of the file when it was opened.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name as it is written in the file; a directory's ends with `/`.
    pub name: String,
    /// The same as a checked path.
    pub path: PackagePath,
    /// What it is.
    pub kind: Kind,
    /// Unix permission bits; `None` when the file says nothing of them.
    pub mode: Option<u32>,
    /// Size in bytes, as declared.
    pub size: u64,
    /// Size in the file in bytes.
    pub compressed_size: u64,
    /// CRC-32 of the contents, as declared.
    pub crc32: u32,
    /// How it is compressed.
    pub method: Method,
    /// When it was last changed.
    pub modified: Timestamp,
    pub(super) zip: ZipFields,
}

impl Member {
    /// The permission bits, or what an installer gives a file that has none.
    pub fn mode_or_default(&self) -> u32 {
        self.mode.unwrap_or(match self.kind {
            Kind::File => 0o644,
            Kind::Dir => 0o755,
            Kind::Symlink => 0o777,
        })
    }

    /// Absolute byte range of the compressed contents in the wheel.
    pub fn data_range(&self) -> std::ops::Range<u64> {
        self.zip.data_start..self.zip.data_start.saturating_add(self.compressed_size)
    }
}

/// What else is needed to write the member's headers again.
#[derive(Debug, Clone)]
pub(super) struct ZipFields {
    pub header_offset: u64,
    pub data_start: u64,
    pub version_made_by: u16,
    pub version_needed: u16,
    pub flags: u16,
    pub internal_attributes: u16,
    pub external_attributes: u32,
    pub raw_name: Box<[u8]>,
    pub local_extra: Box<[u8]>,
    pub central_extra: Box<[u8]>,
    pub comment: Box<[u8]>,
}
