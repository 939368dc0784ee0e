//! A patch is a value: ranges of the old bytes and what stands there afterwards.

use std::ops::Range;

use crate::{Error, Result};

/// One replaced range. An empty range inserts; empty `bytes` deletes; a range at the end of the file appends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Byte range of the old file.
    pub range: Range<u64>,
    /// What stands there afterwards.
    pub bytes: Vec<u8>,
}

impl Edit {
    /// Replaces `range` by `bytes`.
    pub fn new(range: Range<u64>, bytes: impl Into<Vec<u8>>) -> Self {
        Edit { range, bytes: bytes.into() }
    }
}

/// The bytes after `edits`, which must be sorted by position and disjoint.
///
/// # Errors
/// When the edits overlap, are out of order or reach past the end: a fault of the backend that made them.
pub fn apply(old: &[u8], edits: &[Edit]) -> Result<Vec<u8>> {
    let mut new = Vec::with_capacity(check(old.len() as u64, edits)? as usize);
    let mut at = 0;
    for edit in edits {
        new.extend_from_slice(&old[at..edit.range.start as usize]);
        new.extend_from_slice(&edit.bytes);
        at = edit.range.end as usize;
    }
    new.extend_from_slice(&old[at..]);
    Ok(new)
}

/// The size of `old` bytes after `edits`.
///
/// # Errors
/// As [`apply`].
pub(crate) fn check(old: u64, edits: &[Edit]) -> Result<u64> {
    let mut size = old;
    let mut end = 0;
    for edit in edits {
        let (start, stop) = (edit.range.start, edit.range.end);
        if start < end || stop < start || stop > old {
            return Err(Error::new(format!(
                "edit {start:#x}..{stop:#x} overlaps its neighbour or reaches past the end ({old:#x})"
            ))
            .offset(start)
            .into());
        }
        end = stop;
        size = size - (stop - start) + edit.bytes.len() as u64;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_inserts_deletes_appends() {
        let edits =
            [Edit::new(0..1, *b"X"), Edit::new(2..2, *b"++"), Edit::new(3..4, *b""), Edit::new(5..5, *b"!")];
        assert_eq!(apply(b"abcde", &edits).unwrap(), b"Xb++ce!");
        assert_eq!(apply(b"abc", &[]).unwrap(), b"abc");
    }

    #[test]
    fn refuses_overlap_and_overrun() {
        assert!(apply(b"abc", &[Edit::new(0..2, *b""), Edit::new(1..3, *b"")]).is_err());
        assert!(apply(b"abc", &[Edit::new(2..4, *b"")]).is_err());
    }
}
