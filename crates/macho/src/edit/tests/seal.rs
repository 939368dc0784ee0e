//! Who is signed, and where the signature comes.

use spokeshave_core::apply;

use super::{change, patched, refused, renamed, slice, touched};
use crate::edit::patch;
use crate::handmade::Handmade;
use crate::{Arch, Changes};

fn longer() -> Changes {
    change([renamed("/opt/libup.dylib", "@loader_path/libup-0123abcd.dylib")])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// `LC_CODE_SIGNATURE` and the end of `__LINKEDIT`, read without the reader.
fn place(bytes: &[u8]) -> (Option<(usize, usize)>, usize) {
    let (mut at, mut signature, mut end) = (32, None, 0);
    for _ in 0..word(bytes, 16) {
        if word(bytes, at) == 0x1d {
            signature = Some((word(bytes, at + 8) as usize, word(bytes, at + 12) as usize));
        }
        if bytes[at + 8..].starts_with(b"__LINKEDIT\0") {
            end = (word(bytes, at + 40) + word(bytes, at + 48)) as usize;
            assert!(word(bytes, at + 48) <= word(bytes, at + 32), "filesize above vmsize");
            assert_eq!(word(bytes, at + 32) % 0x1000, 0);
        }
        at += word(bytes, at + 4) as usize;
    }
    (signature, end)
}

#[test]
fn unsigned_x86_64_stays_unsigned() {
    let old = Handmade::dylib(Arch::X86_64).build();
    let new = patched(&old, &longer());
    assert_eq!(place(&new), (None, old.len()));
    assert_eq!(new.len(), old.len());
}

#[test]
fn unsigned_arm64_is_signed() {
    let file = Handmade { payload: b"payload", ..Handmade::dylib(Arch::ARM64) };
    let old = file.build();
    let new = patched(&old, &longer());
    let end = old.len() - 7;
    let (signature, linkedit_end) = place(&new);
    let (at, size) = signature.unwrap();
    assert_eq!((at, at + size), (end.next_multiple_of(16), linkedit_end));
    assert_eq!(new[linkedit_end..], *b"payload");
    assert!(new[end..at].iter().all(|byte| *byte == 0));
    let facts = slice(&new).signature.unwrap();
    assert_eq!((facts.flags, facts.identity), (2, false));
    assert!(facts.identifier.starts_with("liba-55554944"), "{}", facts.identifier);
}

/// The command takes 16 bytes of the header.
#[test]
fn without_room_for_the_command_arm64_is_refused() {
    let old = Handmade { room: 8, ..Handmade::dylib(Arch::ARM64) }.build();
    let error = refused(&old, &change([renamed("/opt/libup.dylib", "/opt/libuq.dylib")]));
    assert!(error.what.starts_with("arm64: 8 bytes are missing"), "{error}");
    let old = Handmade { room: 16, ..Handmade::dylib(Arch::ARM64) }.build();
    patched(&old, &change([renamed("/opt/libup.dylib", "/opt/libuq.dylib")]));
}

#[test]
fn a_signature_that_fits_stays_where_it_is() {
    for arch in [Arch::X86_64, Arch::ARM64] {
        let file =
            Handmade { linkedit: Some(0x40), signature: Some(0x400), payload: b"p", ..Handmade::dylib(arch) };
        let old = file.build();
        let edits = patch(&old, &longer()).unwrap();
        let at = (old.len() - 1 - 0x400) as u64;
        assert_eq!(touched(&edits)[1..], [(at, at + 0x400)]);
        let new = apply(&old, &edits).unwrap();
        assert_eq!(new.len(), old.len());
        assert_eq!(place(&new), place(&old));
        assert_eq!(slice(&new).signature.unwrap().flags, 2);
    }
}

#[test]
fn a_small_signature_grows_and_what_follows_moves() {
    let file = Handmade {
        linkedit: Some(0xfb8),
        signature: Some(0x20),
        payload: b"payload",
        ..Handmade::dylib(Arch::X86_64)
    };
    let old = file.build();
    let new = patched(&old, &longer());
    // The old one began at no multiple of 16.
    let (signature, end) = place(&new);
    let (at, size) = signature.unwrap();
    assert_eq!(at, old.len() - 7 - 0x20 + 8);
    assert_eq!(end, at + size);
    assert!(size > 0x20);
    assert_eq!(new[end..], *b"payload");
}

#[test]
fn signatures_with_something_behind_them_are_refused() {
    let file = Handmade { signature: Some(0x40), ..Handmade::dylib(Arch::ARM64) };
    let old = file.build();
    let sizes = old.windows(8).position(|bytes| {
        let signature = [(old.len() - 0x40) as u32, 0x40].map(u32::to_le_bytes).concat();
        bytes == signature
    });
    let at = sizes.unwrap();

    let mut goes_on = old.clone();
    goes_on[at + 4] = 0x20;
    *goes_on.last_mut().unwrap() = 1;
    let error = refused(&goes_on, &longer());
    assert!(error.what.contains("__LINKEDIT goes on behind the signature"), "{error}");

    // Zeros behind the signature belong to it.
    *goes_on.last_mut().unwrap() = 0;
    let new = patched(&goes_on, &longer());
    assert_eq!(place(&new).0.unwrap().0, old.len() - 0x40 + 8);

    let mut in_tables = old.clone();
    in_tables[at..at + 4].copy_from_slice(&(word(&old, at) - 0x48).to_le_bytes());
    let error = refused(&in_tables, &longer());
    assert!(error.what.contains("lie behind the place of the signature"), "{error}");

    let mut cut = old;
    cut[at + 5] = 1;
    assert!(refused(&cut, &longer()).what.contains("signature ends past the end"));
}

#[test]
fn arm64_without_linkedit_is_refused() {
    let old = Handmade { linkedit: None, ..Handmade::dylib(Arch::ARM64) }.build();
    assert!(refused(&old, &longer()).what.contains("no __LINKEDIT"));
    let old = Handmade { linkedit: None, ..Handmade::dylib(Arch::X86_64) }.build();
    patched(&old, &longer());
}
