//! The records of a zip file as PKWARE's APPNOTE 6.3.10 lays them out: the fields that `rawzip` does not show,
//! and all of them for writing.

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};

/// Flag bit 3: sizes and CRC-32 follow the data (4.3.9).
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Flag bit 11: name and comment are UTF-8.
pub(super) const FLAG_UTF8: u16 = 1 << 11;
/// A data descriptor's optional signature (4.3.9.3).
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
/// The first bytes of a local file header (4.3.7).
pub(super) const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const ZIP64_VERSION: u16 = 45;

/// A little-endian number at `at`, if the bytes are there.
pub(super) fn le<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(N)?)?;
    Some(field.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
}

/// The end-of-central-directory record (4.3.16) and its zip64 twin (4.3.14), as far as they can lie.
#[derive(Debug)]
pub(super) struct EndRecord {
    /// Disks other than the first are mentioned.
    pub multi_disk: bool,
    pub directory_size: u64,
    pub directory_offset: u64,
    /// Where the central directory must end: the zip64 record, or this one.
    pub directory_end: u64,
}

impl EndRecord {
    /// Reads the record at `at`; `None` when it is cut off.
    pub fn parse(zip: &[u8], at: u64) -> Option<Self> {
        let at = usize::try_from(at).ok()?;
        let disks = [le::<2>(zip, at + 4)?, le::<2>(zip, at + 6)?];
        let counts = [le::<2>(zip, at + 8)?, le::<2>(zip, at + 10)?];
        let mut record = EndRecord {
            multi_disk: disks.iter().any(|&disk| disk != 0 && disk != 0xffff) || counts[0] != counts[1],
            directory_size: le::<4>(zip, at + 12)?,
            directory_offset: le::<4>(zip, at + 16)?,
            directory_end: at as u64,
        };
        // The zip64 locator (4.3.15) stands right before.
        let Some(locator) = at.checked_sub(20).filter(|&l| zip.get(l..l + 4) == Some(b"PK\x06\x07")) else {
            return Some(record);
        };
        let zip64_at = le::<8>(zip, locator + 8)?;
        let Some(zip64) = usize::try_from(zip64_at)
            .ok()
            .filter(|&z| z < locator && zip.get(z..z.saturating_add(4)) == Some(b"PK\x06\x06"))
        else {
            return Some(record);
        };
        record.multi_disk |= le::<4>(zip, locator + 4)? != 0
            || le::<4>(zip, locator + 16)? > 1
            || le::<4>(zip, zip64 + 16)? != 0
            || le::<4>(zip, zip64 + 20)? != 0
            || le::<8>(zip, zip64 + 24)? != le::<8>(zip, zip64 + 32)?;
        record.directory_size = le::<8>(zip, zip64 + 40)?;
        record.directory_offset = le::<8>(zip, zip64 + 48)?;
        record.directory_end = zip64_at;
        Some(record)
    }
}

/// The length of the data descriptor at the start of `bytes` that says these values: with or without signature,
/// sizes of 4 or 8 bytes. `None` when there is none such.
pub(super) fn descriptor_len(bytes: &[u8], crc32: u32, compressed: u64, size: u64) -> Option<u64> {
    let signed = le::<4>(bytes, 0) == Some(u64::from(DESCRIPTOR_SIGNATURE));
    // A CRC-32 may happen to look like the signature.
    let starts: &[usize] = if signed { &[4, 0] } else { &[0] };
    starts.iter().find_map(|&start| {
        if le::<4>(bytes, start)? != u64::from(crc32) {
            return None;
        }
        let short = le::<4>(bytes, start + 4) == Some(compressed) && le::<4>(bytes, start + 8) == Some(size);
        let long = le::<8>(bytes, start + 4) == Some(compressed) && le::<8>(bytes, start + 12) == Some(size);
        (short.then_some(12).or(long.then_some(20))).map(|len| len + start as u64)
    })
}

/// The extra fields less zip64's, which is written anew where it is needed.
pub(super) fn extra_without_zip64(extra: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(extra.len());
    for (id, data) in ExtraFields::new(extra) {
        if id != ExtraFieldId::ZIP64 {
            kept.extend(id.as_u16().to_le_bytes());
            kept.extend((data.len() as u16).to_le_bytes());
            kept.extend(data);
        }
    }
    kept
}

/// From which value on a number goes into a zip64 field; smaller ones in tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub size: u64,
    pub count: u64,
}

impl Limits {
    pub const FORMAT: Limits = Limits { size: 0xffff_ffff, count: 0xffff };
}

/// What a member's two headers say.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub version_made_by: u16,
    pub version_needed: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc32: u32,
    pub compressed_size: u64,
    pub size: u64,
    pub name: Box<[u8]>,
    pub local_extra: Box<[u8]>,
    pub central_extra: Box<[u8]>,
    pub comment: Box<[u8]>,
    pub internal_attributes: u16,
    pub external_attributes: u32,
    pub offset: u64,
}

impl Header {
    fn sizes_need_zip64(&self, limits: Limits) -> bool {
        self.size >= limits.size || self.compressed_size >= limits.size
    }

    fn needs_zip64(&self, limits: Limits) -> bool {
        self.sizes_need_zip64(limits) || self.offset >= limits.size
    }

    fn version_needed(&self, zip64: bool) -> u16 {
        if zip64 { self.version_needed.max(ZIP64_VERSION) } else { self.version_needed }
    }

    /// Whether names, extra fields and comment fit into their 16-bit lengths.
    pub fn fits(&self) -> bool {
        let max = usize::from(u16::MAX) - 32;
        [&self.name, &self.local_extra, &self.central_extra, &self.comment]
            .iter()
            .all(|part| part.len() <= max)
    }

    /// The local file header (4.3.7).
    pub fn local(&self, limits: Limits) -> Vec<u8> {
        let zip64 = self.sizes_need_zip64(limits);
        let mut extra = Vec::new();
        if zip64 {
            // Both sizes are mandatory in the local header's field (4.5.3).
            extra.extend([1, 0, 16, 0]);
            extra.extend(self.size.to_le_bytes());
            extra.extend(self.compressed_size.to_le_bytes());
        }
        extra.extend(&self.local_extra);
        let mut out = Vec::with_capacity(30 + self.name.len() + extra.len());
        out.extend(LOCAL_SIGNATURE);
        self.shared(&mut out, zip64, zip64.then_some(u32::MAX), zip64.then_some(u32::MAX));
        out.extend((extra.len() as u16).to_le_bytes());
        out.extend(&self.name);
        out.extend(extra);
        out
    }

    /// The central directory's header (4.3.12).
    pub fn central(&self, limits: Limits) -> Vec<u8> {
        let zip64 = self.needs_zip64(limits);
        let mut field = Vec::new();
        let mut saved = |value: u64| {
            (value >= limits.size).then(|| {
                field.extend(value.to_le_bytes());
                u32::MAX
            })
        };
        let (size, compressed, offset) = (saved(self.size), saved(self.compressed_size), saved(self.offset));
        let mut extra = Vec::new();
        if zip64 {
            extra.extend([1, 0]);
            extra.extend((field.len() as u16).to_le_bytes());
            extra.extend(field);
        }
        extra.extend(&self.central_extra);
        let mut out = Vec::with_capacity(46 + self.name.len() + extra.len() + self.comment.len());
        out.extend(b"PK\x01\x02");
        out.extend(self.version_made_by.max(if zip64 { ZIP64_VERSION } else { 0 }).to_le_bytes());
        self.shared(&mut out, zip64, size, compressed);
        out.extend((extra.len() as u16).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend([0, 0]); // disk number
        out.extend(self.internal_attributes.to_le_bytes());
        out.extend(self.external_attributes.to_le_bytes());
        out.extend(offset.unwrap_or(self.offset as u32).to_le_bytes());
        out.extend(&self.name);
        out.extend(extra);
        out.extend(&self.comment);
        out
    }

    /// The fields that both headers have, from "version needed" to "file name length".
    fn shared(&self, out: &mut Vec<u8>, zip64: bool, size: Option<u32>, compressed: Option<u32>) {
        out.extend(self.version_needed(zip64).to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend(self.time.to_le_bytes());
        out.extend(self.date.to_le_bytes());
        out.extend(self.crc32.to_le_bytes());
        out.extend(compressed.unwrap_or(self.compressed_size as u32).to_le_bytes());
        out.extend(size.unwrap_or(self.size as u32).to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
    }
}

/// The records that end the file (4.3.14 to 4.3.16).
pub(super) fn end_records(count: u64, directory_offset: u64, directory_size: u64, limits: Limits) -> Vec<u8> {
    let mut out = Vec::new();
    if count >= limits.count || directory_offset >= limits.size || directory_size >= limits.size {
        out.extend(b"PK\x06\x06");
        out.extend(44u64.to_le_bytes());
        out.extend([ZIP64_VERSION as u8, 3, ZIP64_VERSION as u8, 0]);
        out.extend([0; 8]); // disk numbers
        for value in [count, count, directory_size, directory_offset] {
            out.extend(value.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        out.extend([0; 4]); // disk number
        out.extend((directory_offset + directory_size).to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]); // disk numbers
    let short = |value: u64| if value >= limits.count { u16::MAX } else { value as u16 };
    let long = |value: u64| if value >= limits.size { u32::MAX } else { value as u32 };
    out.extend(short(count).to_le_bytes());
    out.extend(short(count).to_le_bytes());
    out.extend(long(directory_size).to_le_bytes());
    out.extend(long(directory_offset).to_le_bytes());
    out.extend([0; 2]); // comment
    out
}
