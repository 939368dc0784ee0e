//! `CheckSum` (`CheckSumMappedFile` of imagehlp): the ones' complement sum of all 16-bit words, the field itself left
//! out, plus the file's size.

use std::ops::Range;

use spokeshave_core::{Edit, Error, Result};

use crate::image::{Field, Image};

/// The checksum of a file whose `CheckSum` stands at `field`.
pub(super) fn of(bytes: &[u8], field: u64) -> u32 {
    let mut sum = Sum::default();
    let start = usize::try_from(field).unwrap_or(usize::MAX);
    sum.add(bytes.get(..start).unwrap_or(bytes));
    sum.add(&[0; 4]);
    sum.add(bytes.get(start.saturating_add(4)..).unwrap_or_default());
    sum.finish()
}

/// Adds the edit that makes the checksum of the edited file right.
///
/// # Errors
/// When an edit writes the field or moves it.
pub(super) fn update(image: &Image<'_>, edits: &mut Vec<Edit>) -> Result<()> {
    let at = image.header.offset_of(Field::CheckSum);
    let field = at..at.saturating_add(4);
    let index = edits.partition_point(|edit| edit.range.end <= field.start);
    if edits.get(index).is_some_and(|edit| edit.range.start < field.end) {
        return Err(Error::new("tables of the file overlap each other").offset(field.start).into());
    }
    edits.insert(index, Edit::new(field, [0; 4]));
    let mut sum = Sum::default();
    let mut end = 0;
    for edit in edits.iter() {
        sum.add(slice(image, end..edit.range.start));
        sum.add(&edit.bytes);
        end = edit.range.end;
    }
    sum.add(slice(image, end..image.bytes.len() as u64));
    if let Some(edit) = edits.get_mut(index) {
        edit.bytes = sum.finish().to_le_bytes().to_vec();
    }
    // It may have come out the same.
    edits.retain(|edit| slice(image, edit.range.clone()) != edit.bytes);
    Ok(())
}

fn slice<'a>(image: &Image<'a>, range: Range<u64>) -> &'a [u8] {
    image.slice(range).unwrap_or_default()
}

/// A sum over pieces of any length.
#[derive(Debug, Default)]
struct Sum {
    words: u64,
    size: u64,
}

impl Sum {
    fn add(&mut self, piece: &[u8]) {
        let (pairs, rest) = piece.as_chunks::<2>();
        // No overflow: a file of 2^48 words would be needed.
        let mut sum: u64 = pairs.iter().map(|pair| u64::from(u16::from_le_bytes(*pair))).sum();
        sum = sum.wrapping_add(rest.first().copied().map_or(0, u64::from));
        let mut folded = fold(sum);
        if self.size % 2 == 1 {
            // Words of a piece that begins at an odd offset have their halves swapped, and so has their sum.
            folded = folded.swap_bytes();
        }
        self.words = self.words.wrapping_add(folded.into());
        self.size = self.size.wrapping_add(piece.len() as u64);
    }

    fn finish(&self) -> u32 {
        u32::from(fold(self.words)).wrapping_add(self.size as u32)
    }
}

/// Adds the carries until 16 bits are left.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16).wrapping_add(sum & 0xffff);
    }
    sum as u16
}
