//! What members are to each other: they share no bytes, no names and no places.

use std::collections::BTreeMap;
use std::ops::Range;

use super::directory::LYING;
use super::zip::LOCAL_SIGNATURE;
use super::{Kind, Member};
use crate::{Error, PackagePath};

/// The member that an error is about, and the error.
type Named = (String, Error);

/// No two members share bytes, and no member hides in a gap that only a streaming reader would see.
pub(super) fn check_ranges(
    zip: &[u8],
    members: &[Member],
    ranges: Vec<Range<u64>>,
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

fn check_gap(zip: &[u8], gap: Range<u64>) -> Result<(), Error> {
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
pub(super) fn check_names(members: &[Member]) -> Result<Vec<String>, Named> {
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
