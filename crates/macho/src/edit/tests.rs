//! The editor on files made by hand. What real files become, the mass test looks at with other readers.

mod fat;
mod names;
mod seal;
mod verify;

use spokeshave_core::{Edit, Error, apply};

use super::patch;
use crate::{Changes, MachoFacts, Slice, SliceChanges};

fn change(slices: impl IntoIterator<Item = SliceChanges>) -> Changes {
    Changes { slices: slices.into_iter().collect(), file_name: "liba.dylib".to_owned() }
}

fn renamed(from: &str, to: &str) -> SliceChanges {
    SliceChanges { dylibs: vec![(from.to_owned(), to.to_owned())], ..SliceChanges::default() }
}

fn rpaths(list: &[&str]) -> SliceChanges {
    SliceChanges {
        rpaths: Some(list.iter().map(|path| (*path).to_owned()).collect()),
        ..SliceChanges::default()
    }
}

/// The new file, which needs no further edit when it is asked again.
#[track_caller]
fn patched(old: &[u8], changes: &Changes) -> Vec<u8> {
    let edits = patch(old, changes).unwrap();
    let new = apply(old, &edits).unwrap();
    if !changes.slices.iter().any(|slice| slice.dylibs.iter().any(|(from, to)| to.starts_with(from))) {
        assert_eq!(patch(&new, changes).unwrap(), []);
    }
    new
}

#[track_caller]
fn refused(old: &[u8], changes: &Changes) -> Error {
    patch(old, changes).unwrap_err().downcast().unwrap()
}

fn slice(bytes: &[u8]) -> Slice {
    MachoFacts::read(bytes).unwrap().slices.remove(0)
}

fn names(bytes: &[u8]) -> Vec<String> {
    slice(bytes).dylibs.into_iter().map(|(_, dylib)| dylib.name).collect()
}

/// The ranges of the old bytes that are replaced.
fn touched(edits: &[Edit]) -> Vec<(u64, u64)> {
    edits.iter().map(|edit| (edit.range.start, edit.range.end)).collect()
}
