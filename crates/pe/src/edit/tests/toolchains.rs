//! What each toolchain makes.

use super::*;

#[test]
fn renamed_libraries_are_found_by_the_loader() {
    for with in TOOLCHAINS {
        let bench = Bench::new();
        let trio = bench.trio(with);
        let changes = hashed();
        let program = bench.edited(&trio.program, &changes);
        let answer = bench.edited(&trio.answer, &changes);
        assert!(imports(&program).contains(&"answer-89abcdef.dll".to_owned()), "{with:?}");
        assert!(imports(&answer).contains(&"part-0123abcd.dll".to_owned()), "{with:?}");
        assert_eq!(super::super::patch(&trio.part, &changes).unwrap(), [], "imports neither");
        if with.runs {
            assert_eq!(bench.prints("program.exe"), "42", "{with:?}, untouched");
            std::fs::remove_file(bench.path("answer.dll")).unwrap();
            std::fs::rename(bench.path("part.dll"), bench.path("part-0123abcd.dll")).unwrap();
            bench.put("answer-89abcdef.dll", answer);
            bench.put("program.exe", program);
            assert_eq!(bench.prints("program.exe"), "42", "{with:?}, edited");
        }
    }
}

#[test]
fn no_change_is_no_edit() {
    let bench = Bench::new();
    let program = bench.trio(MINGW).program;
    for changes in
        [renames(&[]), renames(&[("absent.dll", "other.dll")]), renames(&[("answer.dll", "answer.dll")])]
    {
        assert_eq!(super::super::patch(&program, &changes).unwrap(), []);
    }
}
