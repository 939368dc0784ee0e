//! Wheels that are damaged or lie must be refused with the member, the offset and a hint.

mod wheel_builder;

use std::path::Path;

use spokeshave_core::wheel::{Archive, Kind};
use spokeshave_core::{Bytes, Error};
use wheel_builder::{End, Part, zip, zip_with};

fn open(bytes: Vec<u8>) -> Result<Archive, Error> {
    Archive::from_bytes(Path::new("dir/demo.whl"), Bytes::from(bytes))
        .map_err(|error| error.downcast().unwrap())
}

#[track_caller]
fn refused(bytes: Vec<u8>, what: &str) {
    let error = open(bytes).err().unwrap_or_else(|| panic!("accepted, wanted: {what}"));
    assert!(error.to_string().contains(what), "`{error}` does not say `{what}`");
    assert!(error.to_string().starts_with("demo.whl"), "{error}");
    assert!(error.hint.is_some(), "{error} has no hint");
}

#[track_caller]
fn refused_member(part: Part, what: &str) {
    let bytes = zip(&[Part::stored("first", b"1"), part]);
    let error = open(bytes.clone()).err().unwrap_or_else(|| panic!("accepted, wanted: {what}"));
    assert!(error.offset.is_some(), "{error} has no offset");
    refused(bytes, what);
}

#[test]
fn honest_ones_open() {
    let text = b"some text some text some text".as_slice();
    let archive = open(zip(&[
        Part::stored("a.txt", text),
        Part::deflated("b.txt", text),
        Part { external: 0o040_755 << 16, ..Part::stored("dir/", b"") },
        Part { external: 0o120_777 << 16, ..Part::stored("dir/link", b"../a.txt") },
        Part { external: 0, ..Part::stored("plain", b"") },
        Part { external: 0o120_777 << 16, ..Part::stored("out", b"../../etc") },
    ]))
    .unwrap();
    let members = archive.members();
    assert_eq!(archive.read(0).unwrap(), text);
    assert_eq!(archive.read(1).unwrap(), text);
    assert_eq!(archive.head(0, 4).unwrap(), b"some");
    assert_eq!(archive.head(1, 4).unwrap(), b"some");
    assert_eq!(archive.head(1, 4096).unwrap(), text);
    let kinds: Vec<Kind> = members.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [Kind::File, Kind::File, Kind::Dir, Kind::Symlink, Kind::File, Kind::Symlink]);
    let modes: Vec<Option<u32>> = members.iter().map(|m| m.mode).collect();
    assert_eq!(modes, [Some(0o644), Some(0o644), Some(0o755), Some(0o777), None, Some(0o777)]);
    assert_eq!(archive.link_target(3).unwrap().unwrap().as_str(), "a.txt");
    assert_eq!(archive.link_target(5).unwrap(), None);
    assert!(archive.link_target(0).is_err());
    assert_eq!(archive.find("dir/link"), Some(3));
    assert!(archive.read(99).is_err());
    assert!(open(zip(&[])).unwrap().members().is_empty());
}

#[test]
fn every_truncation() {
    let whole = zip(&[Part::stored("a", b"1"), Part::deflated("b", &[7; 500])]);
    for len in 0..whole.len() {
        assert!(open(whole[..len].to_vec()).is_err(), "{len} of {} bytes were accepted", whole.len());
    }
}

#[test]
fn the_end_record_lies() {
    let parts = [Part::stored("a", b"1"), Part::stored("b", b"2")];
    let end = End::default;
    refused(
        zip_with(&parts, &End { count: Some(1), ..end() }),
        "counts 1 members, the central directory has 2",
    );
    refused(zip_with(&parts, &End { count: Some(3), ..end() }), "counts 3 members");
    refused(zip_with(&parts, &End { count_here: Some(1), count: Some(2), ..end() }), "several disks");
    refused(zip_with(&parts, &End { disk: 1, ..end() }), "several disks");
    refused(zip_with(&parts, &End { size: Some(46), ..end() }), "must end at");
    refused(zip_with(&parts, &End { offset: Some(3), ..end() }), "must end at");
    refused(zip_with(&parts, &End { trailing: b"more".to_vec(), ..end() }), "4 bytes follow");
    assert!(open(zip_with(&parts, &End { comment: b"a comment".to_vec(), ..end() })).is_ok());
}

#[test]
fn bytes_that_no_record_speaks_of() {
    let mut shell = b"#!/bin/sh\n".to_vec();
    shell.extend(zip(&[Part::stored("a", b"1")]));
    refused(shell, "must end at");
    refused(zip(&[Part { gap: b"stub".to_vec(), ..Part::stored("a", b"1") }]), "4 bytes stand before");
    let hidden = zip(&[Part::stored("hidden", b"!")]);
    let end = hidden.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let gap = hidden[..end].to_vec();
    refused(zip(&[Part::stored("a", b"1"), Part { gap, ..Part::stored("b", b"2") }]), "does not list");
    assert!(
        open(zip(&[Part::stored("a", b"1"), Part { gap: vec![0; 9], ..Part::stored("b", b"2") }])).is_ok()
    );
}

#[test]
fn headers_disagree() {
    let part = || Part::stored("pkg/a.so", b"contents");
    refused_member(
        Part { local_name: Some(b"pkg/b.so".into()), ..part() },
        "the name is `pkg/a.so`, the local header `pkg/b.so`",
    );
    refused_member(
        Part { local_method: Some(8), ..part() },
        "the method is stored, the local header deflate",
    );
    refused_member(Part { local_size: Some(9), ..part() }, "the size is 0x8, the local header 0x9");
    refused_member(Part { local_compressed: Some(9), ..part() }, "the compressed size is");
    refused_member(Part { local_crc32: Some(9), ..part() }, "the CRC-32 is");
    refused_member(Part { local_flags: Some(8), ..part() }, "data descriptor");
    refused_member(Part { local_size: Some(0), ..part() }, "the size is");
    refused_member(Part { local_flags: Some(1), ..part() }, "is encrypted");
    refused_member(Part { central_compressed: Some(1 << 30), size: 1 << 30, ..part() }, "is not there");
    refused_member(Part { disk: 1, ..part() }, "another disk");
}

#[test]
fn data_descriptors() {
    let part = || Part::deflated("a", &[b'x'; 300]);
    let (crc, packed, size) = (part().crc32, part().data.len() as u32, 300u32);
    let short = [crc.to_le_bytes(), packed.to_le_bytes(), size.to_le_bytes()].concat();
    let long =
        [&crc.to_le_bytes()[..], &u64::from(packed).to_le_bytes(), &u64::from(size).to_le_bytes()].concat();
    for body in [&short, &long] {
        for signature in [&b"PK\x07\x08"[..], b""] {
            let part = part().with_descriptor(&[signature, body].concat());
            let archive = open(zip(&[part, Part::stored("b", b"2")])).unwrap();
            assert_eq!(archive.read(0).unwrap(), vec![b'x'; 300]);
        }
    }
    let mut wrong = short.clone();
    wrong[8] ^= 1;
    refused_member(part().with_descriptor(&wrong), "data descriptor does not say");
    refused_member(part().with_descriptor(b""), "data descriptor does not say");
}

#[test]
fn overlaps_and_bombs() {
    let overlapping = [
        Part::stored("a", b"1"),
        Part { points_to: Some(0), local_name: Some(b"a".into()), ..Part::stored("a", b"1") },
    ];
    refused(zip(&overlapping), "overlaps the member before it");
    refused_member(Part { size: 1_000_000, ..Part::deflated("bomb", &[0; 500]) }, "a bomb or a lie");
    refused_member(Part { size: 9, ..Part::stored("a", b"contents") }, "a bomb or a lie");

    let contents = |part: Part| open(zip(&[part])).unwrap().read(0).unwrap_err().to_string();
    let part = || Part::deflated("pkg/a.so", &[3; 500]);
    assert!(
        contents(Part { size: 400, ..part() }).contains("pkg/a.so: holds more than the 400 bytes declared")
    );
    assert!(contents(Part { size: 600, ..part() }).contains("holds 500 bytes, not 600 as declared"));
    assert!(contents(Part { crc32: 1, ..part() }).contains("CRC-32"));
    let damaged = contents(Part { data: vec![0xff; 20], ..part() });
    assert!(damaged.contains("not valid deflate"), "{damaged}");
    // Gigabytes of zeroes at a possible ratio: opened, but not inflated.
    let dense = Part { size: 2_000_000_000, data: vec![0; 2_000_000], ..part() };
    assert!(contents(dense).contains("looks like a decompression bomb"));
}

#[test]
fn the_head_inflates_no_more_than_asked() {
    // Cut off in the middle: inflating the rest would be an error.
    let contents: Vec<u8> = (0u32..1 << 18).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect();
    let mut part = Part::deflated("a", &contents);
    let keep = part.data.len() / 2;
    part.data.truncate(keep);
    let archive = open(zip(&[part])).unwrap();
    assert_eq!(archive.head(0, 4096).unwrap(), contents[..4096]);
    assert!(archive.read(0).is_err());
}

#[test]
fn other_methods_are_named_when_they_must_be_read() {
    for (method, name) in [(12, "bzip2"), (14, "lzma"), (93, "zstd"), (99, "method 99")] {
        let archive = open(zip(&[Part { method, ..Part::stored("a", b"??") }])).unwrap();
        for error in [archive.read(0).unwrap_err(), archive.head(0, 4).unwrap_err()] {
            let error: Error = error.downcast().unwrap();
            assert!(error.to_string().contains(&format!("compressed with {name}")), "{error}");
            assert!(error.hint.unwrap().contains("deflate"));
        }
    }
}

#[test]
fn names_that_lead_out() {
    for name in ["../a", "/etc/passwd", "a/../../b", "C:/a", "c:a", "a\\b", "a\0b", "", "a//b", "./a", "a/."]
    {
        refused_member(Part::stored(name, b"1"), "unsafe path");
    }
    refused_member(Part { flags: 1 << 11, ..Part::stored(b"a\xff", b"1") }, "marked as UTF-8");
    let unicode_path = |name: &str| {
        let crc = crc32fast::hash(b"a").to_le_bytes();
        [&[0x75, 0x70, 5 + name.len() as u8, 0, 1][..], &crc, name.as_bytes()].concat()
    };
    let twice_named = |name| Part { extra: unicode_path(name), ..Part::stored("a", b"1") };
    refused_member(twice_named("b"), "an extra field gives it another name, `b`");
    assert!(open(zip(&[twice_named("a")])).is_ok());
    // Without the flag a name is code page 437, as Python reads it.
    assert_eq!(open(zip(&[Part::stored(b"gr\x81n", b"1")])).unwrap().members()[0].name, "grün");
    assert_eq!(
        open(zip(&[Part { flags: 1 << 11, ..Part::stored("grün", b"1") }])).unwrap().members()[0].name,
        "grün"
    );
}

#[test]
fn names_that_clash() {
    let two = |a: &str, b: &str| zip(&[Part::stored(a, b""), Part::stored(b, b"")]);
    refused(two("pkg/a", "pkg/a"), "pkg/a: the wheel has two members of this name");
    refused(two("pkg/", "pkg"), "two members of this name");
    refused(two("pkg", "pkg/a"), "pkg/a: lies below `pkg`, which is no directory");
    refused(two("pkg/x/y/a", "pkg"), "lies below `pkg`");
    let link = Part { external: 0o120_777 << 16, ..Part::stored("pkg", b"/etc") };
    refused(zip(&[link, Part::stored("pkg/passwd", b"")]), "lies below `pkg`");
    let archive = open(two("pkg/A", "PKG/a")).unwrap();
    assert_eq!(archive.warnings(), ["`pkg/A` and `PKG/a` are one file on Windows and macOS"]);
    assert!(open(two("pkg/", "pkg/a")).unwrap().warnings().is_empty());
}

#[test]
fn other_refusals() {
    refused_member(Part { flags: 1, ..Part::stored("a", b"1") }, "is encrypted");
    refused_member(Part { flags: 1 << 6, ..Part::stored("a", b"1") }, "is encrypted");
    refused_member(Part::stored("dir/", b"1"), "directory with 1 bytes");
    refused_member(Part { external: 0o040_755 << 16, ..Part::stored("dir", b"") }, "does not end with `/`");
    refused(b"not a zip file".to_vec(), "is not a zip file");
    refused(Vec::new(), "is not a zip file");
}
