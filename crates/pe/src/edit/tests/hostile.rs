//! Files that are cut short or damaged: an error or a good result, never a panic.

use super::*;

#[test]
fn cut_short_at_any_place() {
    let bench = Bench::new();
    let old = bench.trio(MINGW).program;
    let headers = Image::parse(&old).unwrap().header.size_of_headers as usize;
    let changes = hashed();
    for end in (0..headers).chain((headers..old.len()).step_by(509)) {
        let cut = &old[..end];
        if let Ok(edits) = super::super::patch(cut, &changes) {
            let new = spokeshave_core::apply(cut, &edits).unwrap();
            super::super::verify(cut, &new, &changes).unwrap();
        }
    }
}

#[test]
fn any_byte_of_the_tables_changed() {
    let bench = Bench::new();
    let old = without_padding(&bench.trio(MINGW).program);
    let image = Image::parse(&old).unwrap();
    let headers = 0..image.header.section_table_end();
    let imports = image.imports().unwrap();
    let tables = imports[0].offset..imports.last().unwrap().offset + 40;
    let changes = hashed();
    for at in headers.chain(tables) {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = old.clone();
            bytes[at as usize] = value;
            if let Err(error) = super::super::patch(&bytes, &changes) {
                let text = error.to_string();
                assert!(!text.contains("read back"), "byte {at:#x} = {value:#x}: {text}");
            }
        }
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let bench = Bench::new();
    let old = bench.trio(MINGW).program;
    for name in ["", "a\0b.dll", "a\nb.dll", &"a".repeat(256)] {
        super::super::patch(&old, &renames(&[("answer.dll", name)])).unwrap_err();
    }
}

#[test]
fn headers_that_can_not_widen_say_so() {
    let bench = Bench::new();
    let mut old = without_header_room(&without_padding(&bench.trio(MINGW).program), 0);
    let image = Image::parse(&old).unwrap();
    let (at, first) = (image.header.offset_of(Field::SizeOfHeaders), image.sections[0].virtual_address);
    // Say that the headers fill the page before the first section.
    put_u32(&mut old, at, first);
    let error = super::super::patch(&old, &hashed()).unwrap_err().to_string();
    assert!(error.contains("no room for a section header"), "{error}");
    assert!(error.contains("0x1000"), "{error}");
}
