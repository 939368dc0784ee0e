//! Names that need room.

use super::*;

/// Edits a program and runs it with its library renamed; the edited file.
fn runs(bench: &Bench, trio: &Trio, program: &[u8], what: &str) -> Vec<u8> {
    let new = bench.edited(program, &hashed());
    bench.put("program.exe", program);
    bench.put("answer.dll", &trio.answer);
    assert_eq!(bench.prints("program.exe"), "42", "{what}, untouched");
    std::fs::rename(bench.path("answer.dll"), bench.path("answer-89abcdef.dll")).unwrap();
    bench.put("program.exe", &new);
    assert_eq!(bench.prints("program.exe"), "42", "{what}, edited");
    new
}

#[test]
fn padding_is_used_first() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let new = runs(&bench, &trio, &trio.program, "padding");
    assert_eq!(new.len(), trio.program.len());
    assert_eq!(section_count(&new), section_count(&trio.program));
}

#[test]
fn without_padding_there_is_a_new_section() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let old = without_padding(&trio.program);
    assert!(Image::parse(&old).unwrap().header.pointer_to_symbol_table != 0, "COFF symbols are an overlay");
    let new = runs(&bench, &trio, &old, "section");
    assert_eq!(section_count(&new), section_count(&old) + 1);
    assert_eq!(new.len(), old.len() + 512);

    // What is renamed next finds room in it.
    let again = bench.edited(&new, &renames(&[("KERNEL32.dll", "kernel32-and-a-long-name.dll")]));
    assert_eq!(section_count(&again), section_count(&new));
    assert_eq!(again.len(), new.len());
}

#[test]
fn without_room_for_a_section_header_the_headers_widen() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    for left in [0, 32, 40, 48] {
        let old = without_header_room(&without_padding(&trio.program), left);
        let new = runs(&bench, &trio, &old, "headers");
        let widened = if left < 40 { 512 } else { 0 };
        assert_eq!(new.len(), old.len() + 512 + widened, "{left}");
        let headers = |bytes: &[u8]| Image::parse(bytes).unwrap().header.size_of_headers;
        assert_eq!(headers(&new), headers(&old) + widened as u32, "{left}");
    }
}

#[test]
fn an_overlay_moves_and_a_signature_goes() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let payload = [trio.program.clone(), b"a payload of an odd length".repeat(41)].concat();
    for base in [trio.program.clone(), with_checksum(payload)] {
        for roomy in [true, false] {
            let file = if roomy { base.clone() } else { without_header_room(&without_padding(&base), 8) };
            let old = signed(&file);
            assert!(crate::PeFacts::read(&old).unwrap().signed);
            let new = runs(&bench, &trio, &old, "signed");
            let facts = crate::PeFacts::read(&new).unwrap();
            assert!(!facts.signed && facts.has_checksum);
            assert_eq!(facts.overlay, crate::PeFacts::read(&old).unwrap().overlay, "{roomy}");
        }
    }
}

#[test]
fn a_checksum_is_set_only_where_there_was_one() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let mut old = without_padding(&trio.program);
    let at = Image::parse(&old).unwrap().header.offset_of(Field::CheckSum);
    put_u32(&mut old, at, 0);
    let new = bench.edited(&old, &hashed());
    assert!(!crate::PeFacts::read(&new).unwrap().has_checksum);
}

#[test]
fn debug_data_behind_the_sections_is_found_again() {
    let bench = Bench::new();
    bench.trio(MINGW);
    let library = bench.path("answer.a");
    let flags = ["-s", "-Wl,--build-id", library.to_str().unwrap()];
    let mut old = bench.build(MINGW, "debug.exe", PROGRAM, &flags);
    let image = Image::parse(&old).unwrap();
    let entry = image.debug_entries()[0];
    let data = image.slice(entry.pointer.into()..u64::from(entry.pointer + entry.size)).unwrap().to_vec();
    let end = old.len() as u32;
    old.extend(data);
    put_u32(&mut old, entry.pointer_offset, end);
    bench.edited(&with_checksum(old.clone()), &hashed());
    bench.edited(&without_header_room(&without_padding(&old), 0), &hashed());
}

#[test]
fn bound_imports_give_up_their_place() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let mut old = without_header_room(&without_padding(&trio.program), 40);
    let image = Image::parse(&old).unwrap();
    let at = image.header.section_table_end();
    let entry = image.header.directory_offset(pe::IMAGE_DIRECTORY_ENTRY_BOUND_IMPORT);
    let first = image.imports().unwrap()[0].offset;
    old[at as usize..at as usize + 32].fill(7);
    put_u32(&mut old, entry, at as u32);
    put_u32(&mut old, entry + 4, 32);
    put_u32(&mut old, first + 4, u32::MAX);
    put_u32(&mut old, first + 8, u32::MAX);
    let old = with_checksum(old);
    assert!(crate::PeFacts::read(&old).unwrap().bound);
    let new = bench.edited(&old, &hashed());
    assert!(!crate::PeFacts::read(&new).unwrap().bound);
    assert_eq!(new.len(), old.len() + 512);
}
