//! Reads the central directory and holds it against everything else in the file.
//!
//! `rawzip` finds the records and bounds its reads; it does not compare what they claim. Installers disagree
//! about which claim counts (pip reads the central directory, streaming ones the local headers), so a wheel in
//! which they differ is refused: it could be one package here and another one there.

use std::collections::BTreeMap;

use rawzip::{ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};

use super::member::ZipFields;
use super::zip::{EndRecord, LOCAL_SIGNATURE, descriptor_len, le};
use super::{Kind, Member, Method, Timestamp, inflate::MAX_RATIO};
use crate::{Error, PackagePath, Result};

const DAMAGED: &str = "the wheel is damaged; build or fetch it again";
const LYING: &str =
    "installers would read such a file in different ways; build the wheel again with a sound tool";

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
    check_layout(zip, &members, ranges, end.directory_offset)
        .and_then(|()| check_names(&members))
        .map(|warnings| Directory { members, warnings })
        .map_err(|(name, error)| error.at(format_args!("{label}: {}", name.escape_debug())).into())
}

/// One disk, nothing before, between or after that the records don't account for.
fn check_end(zip: &[u8], archive: &ZipSliceArchive<&[u8]>) -> Result<EndRecord, Error> {
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
fn text(entry: &ZipFileHeaderRecord<'_>) -> String {
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

/// Checks one member's central header against its local one; gives the member and the range of the file it fills.
fn read_member(
    zip: &[u8],
    archive: &ZipSliceArchive<&[u8]>,
    entry: &ZipFileHeaderRecord<'_>,
) -> Result<(Member, std::ops::Range<u64>), Error> {
    let central_at = entry.central_directory_offset();
    let header_offset = entry.local_header_offset();
    let refuse = |what: String, hint: &str| Err(Error::new(what).offset(central_at).hint(hint));

    // 1. The name.
    let raw_name = entry.file_path();
    let raw_name = raw_name.as_bytes();
    if entry.flags().is_utf8() && std::str::from_utf8(raw_name).is_err() {
        return refuse("the name is marked as UTF-8 and is not".to_owned(), LYING);
    }
    let name = text(entry);
    let path = PackagePath::new(&name).map_err(|error| Error { path: None, ..error.offset(central_at) })?;

    // 2. What can't be read by anyone who has only this file.
    if entry.flags().is_encrypted() || entry.flags().has_strong_encryption() || entry.flags().is_masked() {
        return refuse("is encrypted".to_owned(), "a wheel can't be; zip it again without a password");
    }
    let fixed = |at| usize::try_from(central_at).ok().and_then(|start| le::<2>(zip, start.checked_add(at)?));
    if fixed(34).is_some_and(|disk| disk != 0 && disk != 0xffff) {
        return refuse("lies on another disk".to_owned(), LYING);
    }

    // 3. Sizes that can be true.
    let (size, compressed_size) = (entry.uncompressed_size_hint(), entry.compressed_size_hint());
    let method = Method::from_code(fixed(10).unwrap_or(u64::from(u16::MAX)) as u16);
    let possible = match method {
        Method::Stored => size == compressed_size,
        Method::Deflated => size <= compressed_size.saturating_mul(MAX_RATIO),
        Method::Other(_) => true,
    };
    if !possible {
        return refuse(
            format!(
                "declares {size} bytes, which can't come from {compressed_size} ({method}): a bomb or a lie"
            ),
            LYING,
        );
    }

    // 4. What it is.
    let external_attributes = entry.external_attributes();
    let unix = external_attributes >> 16;
    let kind = match (name.ends_with('/'), unix & 0o170_000) {
        (true, _) => Kind::Dir,
        (false, 0o120_000) => Kind::Symlink,
        (false, 0o040_000) => {
            return refuse("is a directory whose name does not end with `/`".to_owned(), LYING);
        }
        (false, _) => Kind::File,
    };
    if kind == Kind::Dir && size != 0 {
        return refuse(format!("is a directory with {size} bytes of contents"), LYING);
    }

    // 5. The local header says the same.
    let cut_off =
        |_| Error::new("the local header or the data is not there").offset(header_offset).hint(DAMAGED);
    let local_entry = archive.get_entry(entry.wayfinder()).map_err(cut_off)?;
    let local = local_entry.local_header();
    let differ = |what: &str, central: String, local: String| {
        Err(Error::new(format!("the central directory says {what} {central}, the local header {local}"))
            .offset(header_offset)
            .hint(LYING))
    };
    let local_name = local.file_path();
    if local_name.as_bytes() != raw_name {
        let local_name = String::from_utf8_lossy(local_name.as_bytes()).escape_debug().to_string();
        return differ("the name is", format!("`{}`", name.escape_debug()), format!("`{local_name}`"));
    }
    let local_method =
        usize::try_from(header_offset).ok().and_then(|start| le::<2>(zip, start.checked_add(8)?));
    if local_method != Some(u64::from(method.code())) {
        let local_method = Method::from_code(local_method.unwrap_or_default() as u16);
        return differ("the method is", method.to_string(), local_method.to_string());
    }
    if local.flags().is_encrypted() {
        return refuse("is encrypted".to_owned(), "a wheel can't be; zip it again without a password");
    }
    let deferred = local.flags().has_data_descriptor();
    if deferred != entry.flags().has_data_descriptor() {
        return differ("a data descriptor is", (!deferred).to_string(), deferred.to_string());
    }
    for (what, central, local) in [
        ("the size is", size, local.uncompressed_size_hint()),
        ("the compressed size is", compressed_size, local.compressed_size_hint()),
        ("the CRC-32 is", u64::from(entry.crc32()), u64::from(local.crc32())),
    ] {
        if local != central && !(deferred && local == 0) {
            return differ(what, format!("{central:#x}"), format!("{local:#x}"));
        }
    }

    // 6. The data and what follows them lie before the central directory.
    let (data_start, data_end) = local_entry.compressed_data_range();
    let mut end = data_end;
    if deferred {
        let rest = usize::try_from(data_end).ok().and_then(|start| zip.get(start..)).unwrap_or_default();
        let Some(len) = descriptor_len(rest, entry.crc32(), compressed_size, size) else {
            return Err(Error::new("the data descriptor does not say what the central directory says")
                .offset(data_end)
                .hint(LYING));
        };
        end = end.saturating_add(len);
    }
    if end > archive.directory_offset() {
        return Err(Error::new("the data run into the central directory")
            .offset(header_offset)
            .hint(DAMAGED));
    }

    let member = Member {
        name,
        path,
        kind,
        mode: (unix & 0o170_000 != 0 || unix & 0o7777 != 0).then_some(unix & 0o7777),
        size,
        compressed_size,
        crc32: entry.crc32(),
        method,
        modified: Timestamp {
            time: fixed(12).unwrap_or_default() as u16,
            date: fixed(14).unwrap_or_default() as u16,
        },
        zip: ZipFields {
            header_offset,
            data_start,
            version_made_by: fixed(4).unwrap_or_default() as u16,
            version_needed: fixed(6).unwrap_or_default() as u16,
            flags: entry.flags().bits(),
            internal_attributes: fixed(36).unwrap_or_default() as u16,
            external_attributes,
            raw_name: raw_name.into(),
            local_extra: local.extra_fields().remaining_bytes().into(),
            central_extra: entry.extra_fields().remaining_bytes().into(),
            comment: entry.comment().as_bytes().into(),
        },
    };
    Ok((member, header_offset..end))
}

type Named = (String, Error);

/// No two members share bytes, and no member hides in a gap that only a streaming reader would see.
fn check_layout(
    zip: &[u8],
    members: &[Member],
    ranges: Vec<std::ops::Range<u64>>,
    directory_offset: u64,
) -> Result<(), Named> {
    let mut ranges: Vec<_> = ranges.into_iter().zip(members).collect();
    ranges.sort_by_key(|(range, _)| (range.start, range.end));
    let mut end = 0;
    for (range, member) in &ranges {
        if range.start < end {
            let error =
                Error::new("overlaps the member before it: a bomb or a lie").offset(range.start).hint(LYING);
            return Err((member.name.clone(), error));
        }
        check_gap(zip, end..range.start).map_err(|error| (member.name.clone(), error))?;
        end = range.end;
    }
    let last = ranges.last().map_or(String::new(), |(_, member)| member.name.clone());
    check_gap(zip, end..directory_offset).map_err(|error| (last, error))
}

fn check_gap(zip: &[u8], gap: std::ops::Range<u64>) -> Result<(), Error> {
    let bytes = zip.get(gap.start as usize..gap.end as usize).unwrap_or_default();
    let hidden = bytes.windows(4).position(|window| window == LOCAL_SIGNATURE);
    match hidden {
        Some(at) => Err(Error::new("a local header that the central directory does not list lies beside it")
            .offset(gap.start + at as u64)
            .hint(LYING)),
        None if gap.start == 0 && !bytes.is_empty() => {
            Err(Error::new(format!("{} bytes stand before the first member", bytes.len()))
                .offset(0)
                .hint(LYING))
        }
        None => Ok(()),
    }
}

/// Every path once, no file where another member needs a directory; gives what differs only in case.
fn check_names(members: &[Member]) -> Result<Vec<String>, Named> {
    let mut by_path: BTreeMap<&PackagePath, &Member> = BTreeMap::new();
    for member in members {
        if by_path.insert(&member.path, member).is_some() {
            let error = Error::new("the wheel has two members of this name").offset(member.zip.header_offset);
            return Err((member.name.clone(), error.hint(LYING)));
        }
    }
    for member in members {
        let mut dir = member.path.parent();
        while dir != PackagePath::root() {
            if let Some(file) = by_path.get(&dir).filter(|above| above.kind != Kind::Dir) {
                let error =
                    Error::new(format!("lies below `{}`, which is no directory", file.name.escape_debug()));
                return Err((member.name.clone(), error.offset(member.zip.header_offset).hint(LYING)));
            }
            dir = dir.parent();
        }
    }
    let mut by_folded: BTreeMap<String, &Member> = BTreeMap::new();
    let mut warnings = Vec::new();
    for member in members {
        if let Some(other) = by_folded.insert(member.path.as_str().to_lowercase(), member) {
            warnings.push(format!(
                "`{}` and `{}` are one file on Windows and macOS",
                other.name.escape_debug(),
                member.name.escape_debug()
            ));
        }
    }
    Ok(warnings)
}
