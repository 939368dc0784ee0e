//! The read-back sees what is wrong.

use super::*;
use crate::image::Image;

fn fault(old: &[u8], new: &[u8], changes: &Changes) -> String {
    format!("{:#}", crate::edit::verify(old, new, changes).unwrap_err())
}

#[test]
fn every_kind_of_damage_is_found() {
    let bench = Bench::new();
    let old = bench.build("lib.so", &crowded(), &[]);
    let changes = long_changes();
    let new = edited(&old, &changes);
    let image = Image::parse(&new).unwrap();
    let damaged = |at: u64, byte: u8| {
        let mut bytes = new.clone();
        assert_ne!(bytes[at as usize], byte);
        bytes[at as usize] = byte;
        fault(&old, &bytes, &changes)
    };
    let code = image.loads().find(|load| load.flags.contains(object::elf::PF_X)).unwrap();
    assert!(damaged(code.offset + 20, 0xf4).contains("a loaded byte changed"));
    let filled = Image::parse(&old).unwrap();
    let filled = filled.loads().last().unwrap().file_range().end;
    assert!(damaged(filled + 8, 1).contains("memory that was zero no longer is"));
    let strings = image.string_table();
    assert!(damaged(strings.start + 1, b'?').contains("symbol lost its name"));
    assert!(damaged(strings.end - 3, b'?').contains("the loader would not see"));
    assert!(
        damaged(image.header.phoff + 56 + 8, 1).contains("offset"),
        "{}",
        damaged(image.header.phoff + 56 + 8, 1)
    );
    assert!(damaged(18, 0).contains("ELF header or PT_INTERP changed"));
    assert!(fault(&old, &old, &changes).contains("DT_SONAME"));
}

#[test]
fn edits_outside_of_the_tables_are_found() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &[]);
    let code = Image::parse(&old).unwrap();
    let code = code.loads().find(|load| load.flags.contains(object::elf::PF_X)).unwrap().offset;
    let changes = long_changes();
    let mut edits = crate::edit::edit(&old, &changes).unwrap();
    crate::edit::verify::check(&old, &edits, &changes).unwrap();
    edits.push(spokeshave_core::Edit::new(code..code + 1, *b"\xf4"));
    edits.sort_by_key(|edit| edit.range.start);
    assert!(crate::edit::verify::check(&old, &edits, &changes).is_err());
}
