//! Reads an embedded signature: `CS_SuperBlob`, `CS_BlobIndex`, `CS_CodeDirectory` of `cs_blobs.h`.

use spokeshave_core::{Error, Result};

/// `CSMAGIC_EMBEDDED_SIGNATURE`
const EMBEDDED_SIGNATURE: u32 = 0xfade_0cc0;
/// `CSMAGIC_CODEDIRECTORY`
const CODE_DIRECTORY: u32 = 0xfade_0c02;
/// The bytes of a blob's magic and length.
const HEADER: usize = 8;
/// `CS_HASHTYPE_SHA1`
pub(super) const SHA1: u8 = 1;
/// `CS_HASHTYPE_SHA256`
pub(super) const SHA256: u8 = 2;

/// The slots of a superblob: `CSSLOT_*`.
pub(super) mod slot {
    pub(crate) const CODE_DIRECTORY: u32 = 0;
    pub(crate) const INFO: u32 = 1;
    pub(crate) const REQUIREMENTS: u32 = 2;
    pub(crate) const RESOURCES: u32 = 3;
    pub(crate) const ENTITLEMENTS: u32 = 5;
    pub(crate) const ENTITLEMENTS_DER: u32 = 7;
    pub(crate) const LAUNCH_CONSTRAINTS: std::ops::RangeInclusive<u32> = 8..=11;
    pub(crate) const ALTERNATES: std::ops::Range<u32> = 0x1000..0x1005;
    pub(crate) const CMS: u32 = 0x1_0000;
    pub(crate) const TICKET: u32 = 0x1_0002;
}

/// An embedded signature as a slice carries it.
#[derive(Debug, Clone)]
pub struct Signature<'a> {
    /// Slot and whole blob, its header included, in the order of the index.
    blobs: Vec<(u32, &'a [u8])>,
    /// The code directories: the one of slot 0 first.
    directories: Vec<CodeDirectory<'a>>,
}

/// A `CS_CodeDirectory`; offsets in it are from its first byte.
#[derive(Debug, Clone, Copy)]
pub struct CodeDirectory<'a> {
    bytes: &'a [u8],
    /// `identifier`, valid UTF-8 as codesign writes it.
    pub identifier: &'a str,
    /// The team of the identity that signed.
    pub team: Option<&'a str>,
    /// `flags`: `CS_ADHOC` and its like.
    pub flags: u32,
    /// `hashType`: 1 SHA-1, 2 SHA-256.
    pub hash_type: u8,
    /// Bytes of one hash.
    hash_size: u8,
    /// Two to this power is the bytes of a page; 0: the whole code is one page.
    pub page_shift: u8,
    /// `codeLimit`: bytes of the slice that are hashed.
    pub code_limit: u64,
    /// `execSegFlags`, 0 where the version has none.
    pub exec_seg_flags: u64,
    special_hashes: &'a [u8],
    code_hashes: &'a [u8],
}

impl<'a> Signature<'a> {
    /// Reads the bytes that `LC_CODE_SIGNATURE` names. `at` is where in the file they begin, for errors.
    ///
    /// # Errors
    /// When a blob lies outside of the superblob, or there is no code directory that can be read.
    pub fn read(bytes: &'a [u8], at: u64) -> Result<Signature<'a>> {
        let superblob = Fields { bytes, at };
        let magic = superblob.u32(0)?;
        if magic != EMBEDDED_SIGNATURE {
            return Err(superblob.bad(0, format!("code signature begins with {magic:#x}")));
        }
        let superblob = superblob.part(0, superblob.u32(4)? as usize)?;
        let count = superblob.u32(8)? as usize;
        if count > superblob.bytes.len().saturating_sub(12) / 8 {
            return Err(superblob.bad(8, format!("code signature has {count} blobs in less space")));
        }
        let mut blobs = Vec::with_capacity(count);
        let mut directories: Vec<CodeDirectory<'a>> = Vec::new();
        for entry in (12..).step_by(8).take(count) {
            let (kind, offset) = (superblob.u32(entry)?, superblob.u32(entry + 4)? as usize);
            let header = superblob.part(offset, HEADER)?;
            let blob = superblob.part(offset, (header.u32(4)? as usize).max(HEADER))?;
            if kind == slot::CODE_DIRECTORY {
                directories.insert(0, CodeDirectory::read(blob)?);
            } else if slot::ALTERNATES.contains(&kind) {
                directories.push(CodeDirectory::read(blob)?);
            }
            blobs.push((kind, blob.bytes));
        }
        if directories.is_empty() {
            return Err(superblob.bad(0, "code signature without a code directory".into()));
        }
        Ok(Signature { blobs, directories })
    }

    /// The code directory that tells most: by SHA-256, else the first.
    pub fn directory(&self) -> Option<&CodeDirectory<'a>> {
        self.with_hash(SHA256).or(self.directories.first())
    }

    /// Whether a CMS signature by a real identity is in it.
    pub fn has_identity(&self) -> bool {
        self.payload(slot::CMS).is_some_and(|cms| !cms.is_empty())
    }

    /// The code directory by this kind of hash.
    pub(super) fn with_hash(&self, hash_type: u8) -> Option<&CodeDirectory<'a>> {
        self.directories.iter().find(|directory| directory.hash_type == hash_type)
    }

    /// The whole blob of a slot, its header included.
    pub(super) fn blob(&self, wanted: u32) -> Option<&'a [u8]> {
        self.blobs.iter().find(|(slot, _)| *slot == wanted).map(|(_, blob)| *blob)
    }

    /// The blob of a slot without its header.
    pub(super) fn payload(&self, wanted: u32) -> Option<&'a [u8]> {
        self.blob(wanted).and_then(|blob| blob.get(HEADER..))
    }
}

impl<'a> CodeDirectory<'a> {
    fn read(blob: Fields<'a>) -> Result<CodeDirectory<'a>> {
        let magic = blob.u32(0)?;
        if magic != CODE_DIRECTORY {
            return Err(blob.bad(0, format!("code directory begins with {magic:#x}")));
        }
        let version = blob.u32(8)?;
        let (hash_size, hash_type) = (blob.u8(36)?, blob.u8(37)?);
        let expected = match hash_type {
            SHA1 => 20,
            SHA256 => 32,
            _ => hash_size,
        };
        if hash_size != expected {
            return Err(blob.bad(36, format!("code directory's hashes have {hash_size} bytes")));
        }
        let hashes = blob.u32(16)? as usize;
        let span = |count: u32| (count as usize).checked_mul(usize::from(hash_size));
        let outside = |at| blob.bad(at, "the code directory's hashes end past its end".into());
        let specials = span(blob.u32(24)?).filter(|bytes| *bytes <= hashes).ok_or_else(|| outside(24))?;
        let codes = span(blob.u32(28)?).ok_or_else(|| outside(28))?;
        let code_limit = match (version >= 0x2_0300).then(|| blob.u64(56)).transpose()? {
            None | Some(0) => u64::from(blob.u32(32)?),
            Some(limit) => limit,
        };
        let team = match (version >= 0x2_0200).then(|| blob.u32(48)).transpose()? {
            None | Some(0) => None,
            Some(offset) => Some(blob.text(offset as usize)?),
        };
        Ok(CodeDirectory {
            bytes: blob.bytes,
            identifier: blob.text(blob.u32(20)? as usize)?,
            team,
            flags: blob.u32(12)?,
            hash_type,
            hash_size,
            page_shift: blob.u8(39)?,
            code_limit,
            exec_seg_flags: if version >= 0x2_0400 { blob.u64(80)? } else { 0 },
            special_hashes: blob.part(hashes.saturating_sub(specials), specials)?.bytes,
            code_hashes: blob.part(hashes, codes)?.bytes,
        })
    }

    /// The blob, byte for byte.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The hashes of the code's pages, one after the other.
    pub fn code_hashes(&self) -> &'a [u8] {
        self.code_hashes
    }

    /// The hash of a special slot (-`slot` in the directory), unless it is absent or all zero.
    pub(super) fn special_hash(&self, slot: u32) -> Option<&'a [u8]> {
        let size = usize::from(self.hash_size);
        let end =
            self.special_hashes.len().checked_sub((slot as usize).checked_sub(1)?.checked_mul(size)?)?;
        let hash = self.special_hashes.get(end.checked_sub(size)?..end)?;
        hash.iter().any(|byte| *byte != 0).then_some(hash)
    }
}

/// Big-endian fields of a run of bytes whose place in the file is known.
#[derive(Clone, Copy)]
struct Fields<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Fields<'a> {
    fn part(self, offset: usize, len: usize) -> Result<Fields<'a>> {
        let bytes = offset.checked_add(len).and_then(|end| self.bytes.get(offset..end)).ok_or_else(|| {
            let has = self.bytes.len();
            self.bad(
                offset,
                format!("code signature is cut off: {len:#x} bytes wanted at {offset:#x} of {has:#x}"),
            )
        })?;
        Ok(Fields { bytes, at: self.at.saturating_add(offset as u64) })
    }

    fn array<const N: usize>(self, offset: usize) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.part(offset, N)?.bytes);
        Ok(array)
    }

    fn u8(self, offset: usize) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array(offset)?))
    }

    fn u32(self, offset: usize) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array(offset)?))
    }

    fn u64(self, offset: usize) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array(offset)?))
    }

    /// The text up to the next zero byte.
    fn text(self, offset: usize) -> Result<&'a str> {
        let rest = self.part(offset, self.bytes.len().saturating_sub(offset))?;
        let text = rest.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).map_err(|_| rest.bad(0, "text in the code signature is not UTF-8".into()))
    }

    fn bad(self, offset: usize, what: String) -> anyhow::Error {
        Error::new(what).offset(self.at.saturating_add(offset as u64)).into()
    }
}
