//! The read-back finds damage wherever it is.

use spokeshave_core::apply;

use super::{change, renamed};
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
