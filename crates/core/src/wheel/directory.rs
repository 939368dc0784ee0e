//! Reads the central directory and holds it against everything else in the file.
//!
//! `rawzip` finds the records and bounds its reads; it does not compare what they claim. Installers disagree
//! about which claim counts (pip reads the central directory, streaming ones the local headers), so a wheel in
//! which they differ is refused: it could be one package here and another one there.

use std::ops::Range;

use rawzip::extra_fields::ExtraFieldId;
use rawzip::{ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};

use super::member::ZipFields;
use super::zip::{EndRecord, descriptor_len, le};
use super::{Kind, Member, Method, Timestamp, inflate::MAX_RATIO, layout};
use crate::{Error, PackagePath, Result};

const DAMAGED: &str = "the wheel is damaged; build or fetch it again";
pub(super) const LYING: &str =
    "installers would read such a file in different ways; build the wheel again with a sound tool";

type Entry<'a> = ZipFileHeaderRecord<'a>;
type Slice<'a> = ZipSliceArchive<&'a [u8]>;

pub(super) struct Directory {
    pub members: Vec<Member>,
    pub warnings: Vec<String>,
}

/// Reads and checks the directory of a wheel; `label` is its name for messages.
pub(super) fn read(zip: &[u8], label: &str) -> Result<Directory> {
    let archive = ZipArchive::from_slice(zip)
        .map_err(|error| Error::new(format!("is not a zip file, or is cut off: {error}")).hint(DAMAGED))?;
    let end = check_end(zip, &archive)?;
    let mut members = Vec::new();
    let mut ranges = Vec::new();
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(|error| {
        Error::new(format!("damaged central directory after {} members: {error}", members.len()))
            .offset(end.directory_offset)
            .hint(DAMAGED)
    })? {
        let (member, range) = read_member(zip, &archive, &entry)
            .map_err(|error| error.at(format_args!("{label}: {}", text(&entry).escape_debug())))?;
        ranges.push(range);
        members.push(member);
    }
    if members.len() as u64 != archive.entries_hint() {
        return Err(Error::new(format!(
            "the end record counts {} members, the central directory has {}",
            archive.entries_hint(),
            members.len()
        ))
        .offset(archive.eocd_offset())
        .hint(LYING)
        .into());
    }
    layout::check_ranges(zip, &members, ranges, end.directory_offset)
        .and_then(|()| layout::check_names(&members))
        .map(|warnings| Directory { members, warnings })
        .map_err(|(name, error)| error.at(format_args!("{label}: {}", name.escape_debug())).into())
}

/// One disk, nothing before, between or after that the records don't account for.
fn check_end(zip: &[u8], archive: &Slice<'_>) -> Result<EndRecord, Error> {
    let at = archive.eocd_offset();
    let refuse = |what: String| Err(Error::new(what).offset(at).hint(LYING));
    let Some(end) = EndRecord::parse(zip, at) else {
        return Err(Error::new("the end record is cut off").offset(at).hint(DAMAGED));
    };
    if end.multi_disk {
        return refuse("is a part of a zip file on several disks".to_owned());
    }
    if archive.end_offset() != zip.len() as u64 {
        return refuse(format!(
            "{} bytes follow the end record",
            (zip.len() as u64).abs_diff(archive.end_offset())
        ));
    }
    if end.directory_offset != archive.directory_offset()
        || end.directory_offset.checked_add(end.directory_size) != Some(end.directory_end)
    {
        return refuse(format!(
            "the central directory is said to be at {:#x}..+{:#x}, but must end at {:#x}",
            end.directory_offset, end.directory_size, end.directory_end
        ));
    }
    Ok(end)
}

/// A member's name as Python's `zipfile` reads it: UTF-8 when the flag says so, else code page 437.
fn text(entry: &Entry<'_>) -> String {
    let raw = entry.file_path();
    let raw = raw.as_bytes();
    if entry.flags().is_utf8() {
        return String::from_utf8_lossy(raw).into_owned();
    }
    raw.iter()
        .map(|&byte| if byte < 0x80 { char::from(byte) } else { CP437[usize::from(byte & 0x7f)] })
        .collect()
}

/// The upper half of IBM code page 437 (APPNOTE appendix D).
#[rustfmt::skip]
const CP437: [char; 128] = [
    'Ç','ü','é','â','ä','à','å','ç','ê','ë','è','ï','î','ì','Ä','Å','É','æ','Æ','ô','ö','ò','û','ù','ÿ','Ö','Ü','¢','£','¥','₧','ƒ',
    'á','í','ó','ú','ñ','Ñ','ª','º','¿','⌐','¬','½','¼','¡','«','»','░','▒','▓','│','┤','╡','╢','╖','╕','╣','║','╗','╝','╜','╛','┐',
    '└','┴','┬','├','─','┼','╞','╟','╚','╔','╩','╦','╠','═','╬','╧','╨','╤','╥','╙','╘','╒','╓','╫','╪','┘','┌','█','▄','▌','▐','▀',
    'α','ß','Γ','π','Σ','σ','µ','τ','Φ','Θ','Ω','δ','∞','φ','ε','∩','≡','±','≥','≤','⌠','⌡','÷','≈','°','∙','·','√','ⁿ','²','■','\u{a0}',
];

/// Checks one member's headers against each other; gives the member and the range of the file that it fills.
fn read_member(zip: &[u8], archive: &Slice<'_>, entry: &Entry<'_>) -> Result<(Member, Range<u64>), Error> {
    let at = entry.central_directory_offset();
    let (name, path) = name(entry).map_err(|error| error.offset(at))?;
    let central = |field| usize::try_from(at).ok().and_then(|start| le::<2>(zip, start.checked_add(field)?));
    let central = |field| central(field).unwrap_or_default() as u16;
    let method = Method::from_code(central(10));
    if entry.flags().is_encrypted() || entry.flags().has_strong_encryption() || entry.flags().is_masked() {
        return Err(encrypted().offset(at));
    }
    if ![0, 0xffff].contains(&central(34)) {
        return Err(Error::new("lies on another disk").offset(at).hint(LYING));
    }
    check_size(entry, method).map_err(|error| error.offset(at))?;
    let external_attributes = entry.external_attributes();
    let unix = external_attributes >> 16;
    let kind = kind(&name, unix, entry.uncompressed_size_hint()).map_err(|error| error.offset(at))?;
    let local = check_local(zip, archive, entry, &name, method)?;
    let member = Member {
        name,
        path,
        kind,
        mode: (unix != 0).then_some(unix & 0o7777),
        size: entry.uncompressed_size_hint(),
        compressed_size: entry.compressed_size_hint(),
        crc32: entry.crc32(),
        method,
        modified: Timestamp { time: central(12), date: central(14) },
        zip: ZipFields {
            header_offset: entry.local_header_offset(),
            data_start: local.data_start,
            version_made_by: central(4),
            version_needed: central(6),
            flags: entry.flags().bits(),
            internal_attributes: central(36),
            external_attributes,
            raw_name: entry.file_path().as_bytes().into(),
            local_extra: local.extra.into(),
            central_extra: entry.extra_fields().remaining_bytes().into(),
            comment: entry.comment().as_bytes().into(),
        },
    };
    Ok((member, entry.local_header_offset()..local.end))
}

fn encrypted() -> Error {
    Error::new("is encrypted").hint("a wheel can't be; zip it again without a password")
}

/// The name, the same for every reader, and as a checked path.
fn name(entry: &Entry<'_>) -> Result<(String, PackagePath), Error> {
    let raw = entry.file_path();
    let raw = raw.as_bytes();
    if entry.flags().is_utf8() && std::str::from_utf8(raw).is_err() {
        return Err(Error::new("the name is marked as UTF-8 and is not").hint(LYING));
    }
    let name = text(entry);
    // Info-ZIP's Unicode path: version, CRC-32 of the plain name, the name that newer readers use instead.
    let other = entry.extra_fields().find_map(|(id, data)| match data {
        [1, rest @ ..] if id == ExtraFieldId::INFO_ZIP_UNICODE_PATH => rest.get(4..),
        _ => None,
    });
    if let Some(other) = other.filter(|&other| other != name.as_bytes()) {
        let other = String::from_utf8_lossy(other).escape_debug().to_string();
        return Err(Error::new(format!("an extra field gives it another name, `{other}`")).hint(LYING));
    }
    let path = PackagePath::new(&name).map_err(|error| Error { path: None, ..error })?;
    Ok((name, path))
}

/// Sizes that can be true.
fn check_size(entry: &Entry<'_>, method: Method) -> Result<(), Error> {
    let (size, compressed) = (entry.uncompressed_size_hint(), entry.compressed_size_hint());
    let possible = match method {
        Method::Stored => size == compressed,
        Method::Deflated => size <= compressed.saturating_mul(MAX_RATIO),
        Method::Other(_) => true,
    };
    if possible {
        return Ok(());
    }
    let what =
        format!("declares {size} bytes, which can't come from {compressed} ({method}): a bomb or a lie");
    Err(Error::new(what).hint(LYING))
}

/// What a member is, by its name and its Unix mode.
fn kind(name: &str, unix: u32, size: u64) -> Result<Kind, Error> {
    match (name.ends_with('/'), unix & 0o170_000) {
        (true, _) if size != 0 => {
            Err(Error::new(format!("is a directory with {size} bytes of contents")).hint(LYING))
        }
        (true, _) => Ok(Kind::Dir),
        (false, 0o120_000) => Ok(Kind::Symlink),
        (false, 0o040_000) => Err(Error::new("is a directory whose name does not end with `/`").hint(LYING)),
        (false, _) => Ok(Kind::File),
    }
}

/// What only the local header tells.
struct Local<'a> {
    data_start: u64,
    /// Behind the data and their descriptor.
    end: u64,
    extra: &'a [u8],
}

/// The local header says the same as the central one, and all that it announces is there.
fn check_local<'a>(
    zip: &[u8],
    archive: &'a Slice<'_>,
    entry: &Entry<'_>,
    name: &str,
    method: Method,
) -> Result<Local<'a>, Error> {
    let at = entry.local_header_offset();
    let found = archive
        .get_entry(entry.wayfinder())
        .map_err(|_| Error::new("the local header or the data is not there").offset(at).hint(DAMAGED))?;
    let local = found.local_header();
    let differ = |what: &str, central: String, local: String| {
        let what = format!("the central directory says {what} is {central}, the local header {local}");
        Err(Error::new(what).offset(at).hint(LYING))
    };
    let local_name = local.file_path();
    if local_name.as_bytes() != entry.file_path().as_bytes() {
        let local_name = String::from_utf8_lossy(local_name.as_bytes()).escape_debug().to_string();
        return differ("the name", format!("`{}`", name.escape_debug()), format!("`{local_name}`"));
    }
    let local_method = usize::try_from(at).ok().and_then(|start| le::<2>(zip, start.checked_add(8)?));
    if local_method != Some(u64::from(method.code())) {
        let local_method = Method::from_code(local_method.unwrap_or_default() as u16);
        return differ("the method", method.to_string(), local_method.to_string());
    }
    if local.flags().is_encrypted() {
        return Err(encrypted().offset(at));
    }
    let deferred = local.flags().has_data_descriptor();
    if deferred != entry.flags().has_data_descriptor() {
        return differ("a data descriptor", (!deferred).to_string(), deferred.to_string());
    }
    let (size, compressed, crc32) =
        (entry.uncompressed_size_hint(), entry.compressed_size_hint(), entry.crc32());
    for (what, central, local) in [
        ("the size", size, local.uncompressed_size_hint()),
        ("the compressed size", compressed, local.compressed_size_hint()),
        ("the CRC-32", u64::from(crc32), u64::from(local.crc32())),
    ] {
        if local != central && !(deferred && local == 0) {
            return differ(what, format!("{central:#x}"), format!("{local:#x}"));
        }
    }
    let (data_start, data_end) = found.compressed_data_range();
    let mut end = data_end;
    if deferred {
        let rest = usize::try_from(data_end).ok().and_then(|start| zip.get(start..)).unwrap_or_default();
        let Some(len) = descriptor_len(rest, crc32, compressed, size) else {
            return Err(Error::new("the data descriptor does not say what the central directory says")
                .offset(data_end)
                .hint(LYING));
        };
        end = end.saturating_add(len);
    }
    if end > archive.directory_offset() {
        return Err(Error::new("the data run into the central directory").offset(at).hint(DAMAGED));
    }
    Ok(Local { data_start, end, extra: local.extra_fields().remaining_bytes() })
}
