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
        self.0.push(Edit { range: offset..end, bytes });
    }

    /// Replaces a range by bytes of another number.
    pub fn replace(&mut self, range: Range<u64>, bytes: Vec<u8>) {
        self.0.push(Edit { range, bytes });
    }

    /// Takes back what was put into a range.
    pub fn forget(&mut self, range: &Range<u64>) {
        self.0.retain(|edit| {
            edit.range.is_empty() || edit.range.start < range.start || edit.range.end > range.end
        });
    }

    /// The edits, without those that change nothing.
    ///
    /// # Errors
    /// When two of them touch the same bytes: tables of the file overlap.
    pub fn into_edits(self, old: &[u8]) -> Result<Vec<Edit>> {
        let mut edits = self.0;
        edits.retain(|edit| {
            let before = usize::try_from(edit.range.start)
                .ok()
                .zip(usize::try_from(edit.range.end).ok())
                .and_then(|(start, end)| old.get(start..end));
            before != Some(edit.bytes.as_slice())
        });
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let mut end = 0;
        for edit in &edits {
            if edit.range.start < end || edit.range.end > old.len() as u64 {
                return Err(Error::new("tables of the file overlap each other")
                    .offset(edit.range.start)
                    .into());
            }
            end = edit.range.end;
        }
        Ok(edits)
    }
}
