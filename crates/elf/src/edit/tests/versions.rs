//! The version needs follow the references.

use super::*;
use crate::image::Image;

/// A library with symbol versions and one that needs it and libc.
fn pair(bench: &Bench) -> Vec<u8> {
    bench.put("dep.map", b"DEP_1 { global: given; local: *; };");
    bench.build(
        "libdep.so",
        "int given(void) { return 40; }",
        &["-Wl,-soname,libdep.so,--version-script,dep.map"],
    );
    let source = "#include <string.h>\nextern int given(void) __attribute__((weak));\nvolatile char text[] = \"ab\";\n\
                  int answer(void) { return (given ? given() : -100) + (int)strlen((char *)text); }";
    bench.build("libuser.so", source, &["-fno-builtin", "-Wl,--no-as-needed", "-L.", "-ldep", "-Wl,-rpath,."])
}

#[test]
fn renamed_with_the_reference() {
    let bench = Bench::new();
    let old = pair(&bench);
    let needed = vec![("libdep.so".to_owned(), Some("libdep-0123abcd.so".to_owned()))];
    let new = edited(&old, &Changes { needed, ..Changes::default() });
    std::fs::rename(bench.path("libdep.so"), bench.path("libdep-0123abcd.so")).unwrap();
    let file = bench.put("new.so", &new);
    let versions = readelf(&file, &["-V"]);
    assert!(
        versions.contains("File: libdep-0123abcd.so") && !versions.contains("File: libdep.so"),
        "{versions}"
    );
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn removed_with_the_reference() {
    let bench = Bench::new();
    let old = pair(&bench);
    for gone in [vec!["libdep.so"], vec!["libc.so.6"], vec!["libdep.so", "libc.so.6"]] {
        let needed: Vec<_> = gone.iter().map(|name| ((*name).to_owned(), None)).collect();
        let changes = Changes { needed, ..Changes::default() };
        let new = edited(&old, &changes);
        assert_eq!(new.len(), old.len());
        let image = Image::parse(&new).unwrap();
        assert_eq!(image.version_needs().unwrap().len(), 2 - gone.len());
        let needs = image.version_needs().unwrap();
        let indices: Vec<_> = needs.iter().flat_map(|need| &need.aux).map(|aux| aux.index).collect();
        let versions = image.symbols().unwrap();
        let mut versions = versions.iter().filter_map(|symbol| symbol.version).filter(|version| *version > 1);
        assert!(versions.all(|version| indices.contains(&version)), "{gone:?}");
        let file = bench.put("new.so", &new);
        let text = readelf(&file, &["-d", "-V"]);
        assert!(gone.iter().all(|name| !text.contains(&format!("[{name}]"))), "{text}");
        // The program has libc, so only what libdep gave is missing, and that is weak.
        let right = if gone.contains(&"libdep.so") { -98 } else { RIGHT };
        assert_eq!(bench.answer(&file), right, "{gone:?}");
        assert!(Command::new("strip").arg(&file).status().unwrap().success());
        assert_eq!(bench.answer(&file), right, "{gone:?} stripped");
    }
}
