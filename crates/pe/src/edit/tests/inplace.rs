//! Names that fit where the old ones stand.

use super::*;

#[test]
fn a_shorter_name_is_written_over_the_old_one() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let program = bench.edited(&trio.program, &renames(&[("answer.dll", "a-0.dll")]));
    assert_eq!(program.len(), trio.program.len());
    assert_eq!(section_count(&program), section_count(&trio.program));
    bench.put("program.exe", program);
    std::fs::rename(bench.path("answer.dll"), bench.path("a-0.dll")).unwrap();
    assert_eq!(bench.prints("program.exe"), "42");
}

#[test]
fn another_case_is_a_change_and_found_without_regard_to_it() {
    let bench = Bench::new();
    let trio = bench.trio(MINGW);
    let program = bench.edited(&trio.program, &renames(&[("ANSWER.dll", "Answer.DLL")]));
    assert!(imports(&program).contains(&"Answer.DLL".to_owned()));
}

#[test]
fn a_name_that_two_descriptors_share_is_left_to_the_other() {
    let bench = Bench::new();
    let mut program = bench.trio(MINGW).program;
    let image = Image::parse(&program).unwrap();
    let descriptors = image.imports().unwrap();
    let index = imports(&program).iter().position(|name| name == "answer.dll").unwrap();
    let other = descriptors[(index + 1) % descriptors.len()];
    // The other descriptor now asks for the end of this name: "er.dll".
    let field = other.offset + crate::image::ImportDescriptor::NAME;
    put_u32(&mut program, field, descriptors[index].name + 4);
    let program = with_checksum(program);
    let new = bench.edited(&program, &renames(&[("answer.dll", "a.dll")]));
    assert_eq!(imports(&new).iter().filter(|name| *name == "er.dll" || *name == "a.dll").count(), 2);
}
