//! The read-back finds damage wherever it is.

use spokeshave_core::{Edit, apply};

use super::{change, renamed};
use crate::edit::verify::check;
use crate::edit::{edit, verify};
use crate::handmade::{Handmade, fat};
use crate::{Arch, SliceChanges};

#[test]
fn every_other_byte_is_looked_at() {
    let arm = Handmade { signature: Some(0x400), payload: b"payload", ..Handmade::dylib(Arch::ARM64) };
    let x86 = Handmade::dylib(Arch::X86_64);
    let old = fat(false, &[(Arch::ARM64, 12, arm.build()), (Arch::X86_64, 12, x86.build())]);
    let changes = change([renamed("/opt/libup.dylib", "@loader_path/libup.dylib"), SliceChanges::default()]);
    let new = apply(&old, &edit(&old, &changes).unwrap()).unwrap();
    verify(&old, &new, &changes).unwrap();
    assert!(verify(&old, &old, &changes).is_err(), "nothing changed");

    let signature = new.windows(4).position(|bytes| bytes == [0xfa, 0xde, 0x0c, 0xc0]).unwrap();
    let mut unnoticed = Vec::new();
    for at in 0..new.len() {
        let mut damaged = new.clone();
        damaged[at] ^= 0x10;
        if verify(&old, &damaged, &changes).is_ok() {
            unnoticed.push(at);
        }
    }
    // What the signature holds, no load command says.
    unnoticed.retain(|at| !(signature..signature + 0x400).contains(at));
    assert!(unnoticed.is_empty(), "{unnoticed:x?}");
}

/// The same of edits that are not carried out yet.
#[test]
fn edits_that_lead_elsewhere_are_found() {
    let arm = Handmade { signature: Some(0x20), payload: b"payload", ..Handmade::dylib(Arch::ARM64) };
    let x86 = Handmade::dylib(Arch::X86_64);
    let mut old = fat(false, &[(Arch::ARM64, 3, arm.build()), (Arch::X86_64, 6, x86.build())]);
    old.extend(b"behind the slices");
    let changes = change([renamed("/opt/libup.dylib", "@loader_path/libup.dylib"), SliceChanges::default()]);
    let edits = edit(&old, &changes).unwrap();
    // Two places in the fat header, a header, a signature, the gap behind it.
    assert_eq!(edits.len(), 5);
    check(&old, &edits, &changes).unwrap();
    verify(&old, &apply(&old, &edits).unwrap(), &changes).unwrap();

    for at in 0..edits.len() {
        let mut fewer = edits.clone();
        fewer.remove(at);
        assert!(check(&old, &fewer, &changes).is_err(), "without edit {at}");
        let mut shorter = edits.clone();
        shorter[at].bytes.pop();
        assert!(check(&old, &shorter, &changes).is_err(), "edit {at} without its last byte");
        let mut other = edits.clone();
        other[at].bytes[0] ^= 0x10;
        let found = check(&old, &other, &changes).is_err();
        let verified = apply(&old, &other).is_ok_and(|new| verify(&old, &new, &changes).is_ok());
        assert_eq!(found, !verified, "edit {at} with another byte");
    }
    for at in 0..old.len() as u64 {
        let mut more = edits.clone();
        more.push(Edit::new(at..at + 1, *b"x"));
        more.sort_by_key(|edit| edit.range.start);
        assert!(check(&old, &more, &changes).is_err(), "byte {at:#x}");
    }
    assert!(check(&old, &edits[..0], &changes).is_err());
}
