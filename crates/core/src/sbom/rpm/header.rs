//! One package's header (<https://rpm-software-management.github.io/rpm/manual/format_header.html>), without the
//! magic that it has in a package file.

use super::super::database::Package;
use super::be32;

const NAME: usize = 1000;
const VERSION: usize = 1001;
const RELEASE: usize = 1002;
const EPOCH: usize = 1003;
const LICENSE: usize = 1014;
const ARCH: usize = 1022;
const SOURCERPM: usize = 1044;
const DIRINDEXES: usize = 1116;
const BASENAMES: usize = 1117;
const DIRNAMES: usize = 1118;

/// Size of an index entry: tag, type, offset, count.
const ENTRY: usize = 16;

/// The package, whose files are handed to `file` as directory (with a slash at its end) and name; `None` when the
/// blob is no header.
pub(super) fn read(blob: &[u8], mut file: impl FnMut(&[u8], &[u8])) -> Option<Package> {
    let (entries, len) = (be32(blob, 0)?, be32(blob, 4)?);
    let (entries, data) = blob.get(8..)?.split_at_checked(entries.checked_mul(ENTRY)?)?;
    let data = data.get(..len)?;
    // A tag's count and the data from its first byte on.
    let find = |tag: usize| {
        let entry = entries.chunks_exact(ENTRY).find(|entry| be32(entry, 0) == Some(tag))?;
        Some((be32(entry, 12)?, data.get(be32(entry, 8)?..)?))
    };
    let strings = |tag| {
        let (count, data) = find(tag).unwrap_or_default();
        data.split(|byte| *byte == 0).take(count)
    };
    let text =
        |tag| strings(tag).next().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();

    let dirs: Vec<&[u8]> = strings(DIRNAMES).collect();
    let (count, dir_indexes) = find(DIRINDEXES).unwrap_or_default();
    for (name, dir) in strings(BASENAMES).zip(dir_indexes.chunks_exact(4).take(count)) {
        if let Some(dir) = be32(dir, 0).and_then(|dir| dirs.get(dir)) {
            file(dir, name);
        }
    }
    let epoch = find(EPOCH).and_then(|(_, data)| be32(data, 0)).unwrap_or_default();
    Some(Package {
        kind: "rpm",
        name: Some(text(NAME)).filter(|name| !name.is_empty())?,
        version: format!("{}-{}", text(VERSION), text(RELEASE)),
        epoch: if epoch == 0 { String::new() } else { epoch.to_string() },
        arch: text(ARCH),
        upstream: text(SOURCERPM),
        license: text(LICENSE),
        own: None,
    })
}
