//! Typed views of the file's bytes, checked against its end.

use object::pod::{self, Pod};
use spokeshave_core::{Error, Result};

/// The record of type `T` at `offset`; `what` names it in the error.
///
/// # Errors
/// When it reaches past the end.
pub(crate) fn record<'a, T: Pod>(bytes: &'a [u8], offset: u64, what: &str) -> Result<&'a T> {
    let found = tail(bytes, offset).and_then(|rest| pod::from_bytes(rest).ok());
    match found {
        Some((record, _)) => Ok(record),
        None => Err(past_end(bytes, offset, size_of::<T>() as u64, what)),
    }
}

/// `count` records of type `T` at `offset`, viewed in place.
///
/// # Errors
/// When they reach past the end.
pub(crate) fn records<'a, T: Pod>(bytes: &'a [u8], offset: u64, count: u64, what: &str) -> Result<&'a [T]> {
    let found = tail(bytes, offset)
        .zip(usize::try_from(count).ok())
        .and_then(|(rest, count)| pod::slice_from_bytes(rest, count).ok());
    match found {
        Some((records, _)) => Ok(records),
        None => Err(past_end(bytes, offset, count.saturating_mul(size_of::<T>() as u64), what)),
    }
}

fn tail(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(offset).ok()?..)
}

fn past_end(bytes: &[u8], offset: u64, size: u64, what: &str) -> anyhow::Error {
    let left = (bytes.len() as u64).saturating_sub(offset);
    Error::new(format!("{what} ends past end of file: needs {size:#x} bytes, {left:#x} are left"))
        .offset(offset)
        .hint("the file looks truncated; build or fetch it again")
        .into()
}
