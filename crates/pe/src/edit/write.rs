//! Collects what is written, and makes it edits.

use std::ops::Range;

use spokeshave_core::{Edit, Error, Result};

/// Ranges of the old file and what stands there afterwards.
#[derive(Debug, Default)]
pub(super) struct Writes(Vec<Edit>);

impl Writes {
    /// Writes over as many old bytes as `bytes` has.
    pub fn put(&mut self, offset: u64, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let end = offset.saturating_add(bytes.len() as u64);
        self.replace(offset..end, bytes);
    }

    /// Writes a field of four bytes.
    pub fn put_u32(&mut self, offset: u64, value: u32) {
        self.put(offset, value.to_le_bytes());
    }

    /// Replaces a range by bytes of another number.
    pub fn replace(&mut self, range: Range<u64>, bytes: Vec<u8>) {
        self.0.push(Edit { range, bytes });
    }

    /// The edits, without those that change nothing.
    ///
    /// # Errors
    /// When two of them touch the same bytes: tables of the file overlap.
    pub fn into_edits(self, old: &[u8]) -> Result<Vec<Edit>> {
        let mut edits = self.0;
        edits.retain(|edit| {
            let range = usize::try_from(edit.range.start).ok().zip(usize::try_from(edit.range.end).ok());
            range.and_then(|(start, end)| old.get(start..end)) != Some(edit.bytes.as_slice())
        });
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut end = 0;
        for edit in &edits {
            if edit.range.start < end || edit.range.end > old.len() as u64 {
                let what = "tables of the file overlap each other";
                return Err(Error::new(what).offset(edit.range.start).into());
            }
            end = edit.range.end;
        }
        Ok(edits)
    }
}
