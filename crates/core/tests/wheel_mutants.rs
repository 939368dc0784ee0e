//! No panic, and no more memory than the file is worth, whatever the bytes are.

mod wheel_builder;

use std::path::Path;

use proptest::prelude::*;
use spokeshave_core::Bytes;
use spokeshave_core::wheel::{Archive, DistInfo, Record, WheelFile, WheelName};
use wheel_builder::{Part, zip};

fn sound() -> Vec<u8> {
    let body = b"text ".repeat(200);
    let crc32 = crc32fast::hash(&body);
    let part = Part::deflated("pkg/streamed", &body);
    let descriptor = [
        &crc32.to_le_bytes()[..],
        &(part.data.len() as u32).to_le_bytes(),
        &(body.len() as u32).to_le_bytes(),
    ]
    .concat();
    zip(&[
        Part::stored("pkg/", b""),
        part.with_descriptor(&descriptor),
        Part {
            extra: vec![1, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ..Part::stored("pkg/a", b"1")
        },
        Part::stored("x-1.dist-info/WHEEL", b"Wheel-Version: 1.0\nTag: py3-none-any\n"),
        Part::stored(
            "x-1.dist-info/RECORD",
            b"pkg/a,sha256=x,1\n\"pkg/streamed\",,\nx-1.dist-info/RECORD,,\n",
        ),
    ])
}

/// Everything that can be read from a wheel.
fn read_all(bytes: Vec<u8>) -> bool {
    let Ok(archive) = Archive::from_bytes(Path::new("x-1-py3-none-any.whl"), Bytes::from(bytes)) else {
        return false;
    };
    for index in 0..archive.members().len() {
        let head = archive.head(index, 16);
        if let (Ok(head), Ok(whole)) = (head, archive.read(index)) {
            assert!(whole.starts_with(&head) && (head.len() == 16 || head.len() == whole.len()));
        }
        let _ = archive.link_target(index);
    }
    let name = WheelName::parse("x-1-py3-none-any.whl").unwrap();
    if let Ok(dist_info) = DistInfo::find(&archive, &name) {
        let _ =
            dist_info.read_wheel(&archive).map(|wheel| wheel.with_tags(&["a-b-c".to_owned()], Some(true)));
        let _ = dist_info.read_record(&archive).map(|record| record.check(&archive, &dist_info));
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_wheels(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sound();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_all(bytes);
    }

    #[test]
    fn numbers_at_their_limits(at in any::<prop::sample::Index>(), value in prop::sample::select(vec![0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff])) {
        let mut bytes = sound();
        let at = at.index(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        read_all(bytes);
    }

    #[test]
    fn metadata_of_any_text(text in "[a-zA-Z:,\"\r\n .=-]{0,80}", name in "[a-z,\"\n]{1,6}") {
        if let Ok(wheel) = WheelFile::parse(format!("Wheel-Version: 1.0\n{text}").into_bytes(), "WHEEL") {
            let tags = vec!["a-b-c".to_owned(), "d-e-f".to_owned()];
            let new = wheel.with_tags(&tags, Some(false));
            let again = WheelFile::parse(new.clone(), "WHEEL").unwrap();
            prop_assert_eq!(again.tags(), tags.clone());
            prop_assert!(!again.root_is_purelib());
            prop_assert_eq!(again.with_tags(&tags, Some(false)), new);
        }
        let Ok(record) = Record::parse(text.into_bytes(), "RECORD") else { return Ok(()) };
        let entry = spokeshave_core::wheel::RecordEntry { name: name.clone(), hash: "h".into(), size: "1".into() };
        let new = record.rewrite(std::slice::from_ref(&entry), &[]);
        let again = Record::parse(new.clone(), "RECORD").unwrap();
        prop_assert_eq!(again.entries().filter(|e| e.name == name).collect::<Vec<_>>(), vec![&entry]);
        prop_assert_eq!(again.rewrite(&[entry], &[]), new);
    }
}

#[test]
fn the_sound_one_is_sound() {
    assert!(read_all(sound()));
}
