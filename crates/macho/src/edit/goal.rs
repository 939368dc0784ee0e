//! What the load commands with names are to say, and how many bytes that takes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::change::SliceChanges;
use crate::facts::{NameSlot, Slice};

/// Bytes of an `rpath_command` before its path.
pub(super) const RPATH_HEADER: u32 = 12;
/// Bytes of an `LC_CODE_SIGNATURE` command.
pub(super) const SIGNATURE_COMMAND: u32 = 16;

/// A search path as it is to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rpath<'a> {
    /// An old command: index into [`Slice::rpaths`].
    Old(usize),
    /// A new one.
    New(&'a str),
}

/// The changes of a slice, without those that it is already as.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Goal<'a> {
    /// The new name of `LC_ID_DYLIB`.
    pub id: Option<&'a str>,
    /// The new name of each library, in the order of [`Slice::dylibs`].
    pub dylibs: Vec<Option<Cow<'a, str>>>,
    /// The `LC_RPATH` commands as they are to be, one behind the other; `None`: as and where they are.
    pub rpaths: Option<Vec<Rpath<'a>>>,
    /// Whether an `LC_CODE_SIGNATURE` command is to be added.
    pub adds_signature: bool,
}

impl<'a> Goal<'a> {
    /// What `changes` ask of `slice`; `None` when it is that way already.
    pub fn of(slice: &Slice, changes: &'a SliceChanges) -> Option<Self> {
        let other = |new: &&'a str, old: &str| *new != old;
        let id = slice.id.as_ref().zip(changes.id.as_deref());
        let id = id.and_then(|(old, new)| Some(new).filter(|new| other(new, &old.name)));
        let dylibs = new_names(slice, changes);
        let rpaths = changes.rpaths.as_ref().filter(|new| **new != slice.rpaths).map(|new| {
            let old = |path: &String| slice.rpaths.iter().position(|old| old == path);
            new.iter().map(|path| old(path).map_or(Rpath::New(path), Rpath::Old)).collect()
        });
        if id.is_none() && dylibs.iter().all(Option::is_none) && rpaths.is_none() {
            return None;
        }
        let adds_signature = slice.arch.must_be_signed() && !slice.layout.code_signature;
        Some(Goal { id, dylibs, rpaths, adds_signature })
    }

    /// How many bytes the load commands grow by.
    pub fn growth(&self, slice: &Slice) -> i64 {
        let layout = &slice.layout;
        let size = |header: u32, name: &str| command_size(header, name, layout.is_64) as i64;
        let renamed = |slot: &NameSlot, name: &str| size(slot.name_offset, name) - i64::from(slot.cmdsize);
        let mut growth = 0;
        if let Some((slot, name)) = layout.id.as_ref().zip(self.id) {
            growth += renamed(slot, name);
        }
        for (slot, name) in layout.dylibs.iter().zip(&self.dylibs) {
            growth += name.as_ref().map_or(0, |name| renamed(slot, name));
        }
        if let Some(rpaths) = &self.rpaths {
            let old = |slot: &NameSlot| i64::from(slot.cmdsize);
            growth -= layout.rpaths.iter().map(old).sum::<i64>();
            growth += rpaths
                .iter()
                .map(|rpath| match rpath {
                    Rpath::Old(index) => layout.rpaths.get(*index).map_or(0, old),
                    Rpath::New(path) => size(RPATH_HEADER, path),
                })
                .sum::<i64>();
        }
        growth + if self.adds_signature { i64::from(SIGNATURE_COMMAND) } else { 0 }
    }

    /// The names that will be written.
    pub fn new_names(&self) -> impl Iterator<Item = &str> {
        let rpaths = self.rpaths.iter().flatten().filter_map(|rpath| match rpath {
            Rpath::New(path) => Some(*path),
            Rpath::Old(_) => None,
        });
        self.id.into_iter().chain(self.dylibs.iter().flatten().map(Cow::as_ref)).chain(rpaths)
    }
}

/// The new name of each library.
///
/// Two names that come to be one are told apart by a `./`: of programs built for macOS 15 or later dyld refuses those
/// that name a library twice (`enforceNoDuplicateDylibs` in its `mach_o/Policy.cpp`), and no command may go, since symbols
/// are bound by their number.
fn new_names<'a>(slice: &Slice, changes: &'a SliceChanges) -> Vec<Option<Cow<'a, str>>> {
    let asked: BTreeMap<&str, &'a str> =
        changes.dylibs.iter().rev().map(|(old, new)| (old.as_str(), new.as_str())).collect();
    let asked = |old: &str| asked.get(old).copied().filter(|new| *new != old);
    let old_names = || slice.dylibs.iter().map(|(_, dylib)| dylib.name.as_str());
    let mut taken: BTreeMap<String, &str> =
        old_names().filter(|old| asked(old).is_none()).map(|old| (old.to_owned(), old)).collect();
    let mut names = Vec::with_capacity(slice.dylibs.len());
    for old in old_names() {
        names.push(asked(old).map(|new| {
            let mut new = Cow::Borrowed(new);
            while taken.get(new.as_ref()).is_some_and(|other| *other != old) {
                let Some((start, rest)) = new.split_once('/') else { break };
                new = Cow::Owned(format!("{start}/./{rest}"));
            }
            taken.entry(new.clone().into_owned()).or_insert(old);
            new
        }));
    }
    names
}

/// The size in bytes of a command whose name begins behind a header of that size: with its NUL, padded.
pub(super) fn command_size(header: u32, name: &str, is_64: bool) -> u64 {
    let align = if is_64 { 8 } else { 4 };
    (u64::from(header) + name.len() as u64 + 1).next_multiple_of(align)
}
