//! Changes that find room where they are.

use super::*;

#[test]
fn no_change_no_edit() {
    let bench = Bench::new();
    let old =
        bench.build("lib.so", LIBRARY, &["-Wl,-soname,lib.so.1", "-Wl,--disable-new-dtags,-rpath,/opt/x"]);
    let same = Changes {
        soname: Some("lib.so.1".into()),
        needed: vec![("libc.so.6".into(), Some("libc.so.6".into())), ("libnot.so".into(), None)],
        search_path: path(PathTag::Rpath, &["/opt/x"]),
        strip: false,
    };
    assert_eq!(crate::edit::edit(&old, &same).unwrap(), []);
    assert_eq!(crate::edit::edit(&old, &Changes::default()).unwrap(), []);
}

#[test]
fn shorter_path_takes_the_place_of_the_old_one() {
    let bench = Bench::new();
    let old =
        bench.build("lib.so", LIBRARY, &["-Wl,--enable-new-dtags,-rpath,/home/builder/very/long/prefix"]);
    let changes = Changes { search_path: path(PathTag::Rpath, &["$ORIGIN/../x.libs"]), ..Changes::default() };
    let new = edited(&old, &changes);
    assert_eq!(new.len(), old.len());
    let file = bench.put("new.so", &new);
    let dynamic = readelf(&file, &["-d"]);
    assert!(dynamic.contains("(RPATH)              Library rpath: [$ORIGIN/../x.libs]"), "{dynamic}");
    assert!(!dynamic.contains("RUNPATH"), "{dynamic}");
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn dropped_path_costs_nothing() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-Wl,-rpath,/home/builder"]);
    let changes = Changes { search_path: path(PathTag::Rpath, &[]), ..Changes::default() };
    let new = edited(&old, &changes);
    assert_eq!(new.len(), old.len());
    let file = bench.put("new.so", &new);
    assert!(!readelf(&file, &["-d"]).contains("PATH"));
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn string_that_is_the_end_of_another_one_stays() {
    let bench = Bench::new();
    // GNU ld keeps libc.so.6 as the end of the path; only what stands before it is free.
    let old = bench.build("lib.so", LIBRARY, &["-Wl,-rpath,/opt/directory/libc.so.6"]);
    let changes =
        Changes { search_path: path(PathTag::Runpath, &["/0123456789abcdefg"]), ..Changes::default() };
    let new = edited(&old, &changes);
    let file = bench.put("new.so", &new);
    let dynamic = readelf(&file, &["-d"]);
    assert!(
        dynamic.contains("Shared library: [libc.so.6]") && dynamic.contains("[/0123456789abcdefg]"),
        "{dynamic}"
    );
    assert_eq!(bench.answer(&file), RIGHT);
    let short = Changes { search_path: path(PathTag::Runpath, &["/short"]), ..Changes::default() };
    assert_eq!(edited(&old, &short).len(), old.len());
}

#[test]
fn string_that_is_there_is_used() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-Wl,-soname,lib.so.1"]);
    let changes = Changes { search_path: path(PathTag::Rpath, &["lib.so.1"]), ..Changes::default() };
    assert_eq!(edited(&old, &changes).len(), old.len());
}
