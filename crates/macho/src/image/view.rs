//! Typed views of a slice's bytes, checked against its end.

use std::ops::Range;

use object::pod::{self, Pod};
use spokeshave_core::{Error, Result};

/// Bytes that know where in the file they begin, so that errors can say where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they begin in the file.
    pub base: u64,
}

impl<'a> View<'a> {
    /// The record of type `T` at `offset`; `what` names it in the error.
    ///
    /// # Errors
    /// When it reaches past the end.
    pub fn record<T: Pod>(&self, offset: u64, what: &str) -> Result<&'a T> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|at| self.bytes.get(at..))
            .and_then(|rest| pod::from_bytes(rest).ok());
        found.map(|(record, _)| record).ok_or_else(|| self.past_end(offset, size_of::<T>() as u64, what))
    }

    /// `count` records of type `T` at `offset`, viewed in place.
    ///
    /// # Errors
    /// When they reach past the end.
    pub fn records<T: Pod>(&self, offset: u64, count: u64, what: &str) -> Result<&'a [T]> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|at| self.bytes.get(at..))
            .zip(usize::try_from(count).ok())
            .and_then(|(rest, count)| pod::slice_from_bytes(rest, count).ok());
        found
            .map(|(records, _)| records)
            .ok_or_else(|| self.past_end(offset, count.saturating_mul(size_of::<T>() as u64), what))
    }

    /// The view of `size` bytes at `offset`.
    ///
    /// # Errors
    /// When they reach past the end.
    pub fn part(&self, offset: u64, size: u64, what: &str) -> Result<View<'a>> {
        let found = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(size).ok())
            .and_then(|(at, size)| self.bytes.get(at..)?.get(..size));
        match found {
            Some(bytes) => Ok(View { bytes, base: self.base.saturating_add(offset) }),
            None => Err(self.past_end(offset, size, what)),
        }
    }

    /// The bytes of a range, counted from the view's beginning.
    pub fn slice(&self, range: Range<u64>) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    /// Its own range in the file.
    pub fn range(&self) -> Range<u64> {
        self.base..self.base.saturating_add(self.bytes.len() as u64)
    }

    /// An error about the byte at `offset`.
    pub fn fault(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::new(what).offset(self.base.saturating_add(offset))
    }

    fn past_end(&self, offset: u64, size: u64, what: &str) -> anyhow::Error {
        let left = (self.bytes.len() as u64).saturating_sub(offset);
        self.fault(offset, format!("{what} ends past the end: needs {size:#x} bytes, {left:#x} are left"))
            .hint("the file looks truncated; build or fetch it again")
            .into()
    }
}
