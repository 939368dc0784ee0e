//! Sections that no segment loads are dropped.

use super::*;

fn strip() -> Changes {
    Changes { strip: true, ..Changes::default() }
}

#[test]
fn symbols_and_debug_information_go() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-g"]);
    let new = edited(&old, &strip());
    let file = bench.put("new.so", &new);
    let sections = readelf(&file, &["-a"]);
    for gone in [".debug", ".symtab", ".strtab", ".comment"] {
        assert!(!sections.contains(gone), "{gone} is still there");
    }
    assert!(sections.contains(".eh_frame") && sections.contains(".note.gnu.build-id"));
    assert_eq!(bench.answer(&file), RIGHT);
    // No larger than GNU strip's.
    bench.put("gnu.so", &old);
    assert!(Command::new("strip").arg(bench.path("gnu.so")).status().unwrap().success());
    assert!(new.len() as u64 <= std::fs::metadata(bench.path("gnu.so")).unwrap().len());
    // And GNU strip takes it.
    assert!(Command::new("strip").arg(&file).status().unwrap().success());
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn in_one_pass_with_other_changes() {
    let bench = Bench::new();
    for flags in [&["-g"][..], &["-g", "-Wl,--spare-dynamic-tags=1"]] {
        let old = bench.build("lib.so", LIBRARY, flags);
        let new = edited(&old, &Changes { strip: true, ..long_changes() });
        let file = bench.put("new.so", &new);
        assert!(!readelf(&file, &["-a"]).contains(".debug"));
        assert_eq!(bench.answer(&file), RIGHT);
        assert!(Command::new("strip").arg(&file).status().unwrap().success());
        assert_eq!(bench.answer(&file), RIGHT);
    }
}

#[test]
fn payload_stays_at_the_end() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-g"]);
    let payload = b"appended".repeat(100);
    let long: Vec<u8> = old.iter().chain(&payload).copied().collect();
    for changes in [strip(), long_changes(), Changes { strip: true, ..long_changes() }] {
        let new = edited(&long, &changes);
        assert!(new.ends_with(&payload));
        // It may be looked for right behind the section header table.
        let word = |at: usize| u64::from_le_bytes(new[at..at + 8].try_into().unwrap());
        let shnum = u64::from(u16::from_le_bytes([new[60], new[61]]));
        assert_eq!(word(40) + shnum * 64, (new.len() - payload.len()) as u64);
        assert_eq!(bench.answer(&bench.put("new.so", &new)), RIGHT);
    }
}

#[test]
fn nothing_to_strip_no_edit() {
    let bench = Bench::new();
    let old = edited(&bench.build("lib.so", LIBRARY, &[]), &strip());
    assert_eq!(crate::edit::patch(&old, &strip()).unwrap(), []);
    assert!(!crate::image::Image::parse(&old).unwrap().has_strippable_sections());
}
