//! Mutated files: an error or a result that passes, but no panic and no absurd allocation.

use super::*;

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn try_all(bytes: &[u8]) -> bool {
    let all =
        Changes { needed: vec![("libc.so.6".into(), Some("libc-0123abcd.so.6".into()))], ..long_changes() };
    let gone = Changes { needed: vec![("libc.so.6".into(), None)], strip: true, ..Changes::default() };
    let _ = crate::fuzzing::read(bytes);
    let mut edited = false;
    for changes in [all, gone, Changes { strip: true, ..long_changes() }] {
        if let Ok(edits) = crate::edit::patch(bytes, &changes) {
            let added: usize = edits.iter().map(|edit| edit.bytes.len()).sum();
            assert!(added < bytes.len() * 3 + (65 << 20), "grew by {added}");
            let new = spokeshave_core::apply(bytes, &edits).unwrap();
            crate::edit::verify(bytes, &new, &changes).unwrap();
            edited = true;
        }
    }
    edited
}

#[test]
fn mutated_files() {
    let bench = Bench::new();
    let plain = bench.build("lib.so", LIBRARY, &["-Wl,--spare-dynamic-tags=1"]);
    let mut corpus =
        vec![edited(&plain, &long_changes()), bench.build("stripped.so", LIBRARY, &["-s"]), plain];
    if installed("s390x-linux-gnu-gcc") {
        corpus.push(bench.build_with("s390x-linux-gnu-gcc", "s390x.so", LIBRARY, &[]));
    }
    if installed("arm-linux-gnueabihf-gcc") {
        corpus.push(bench.build_with("arm-linux-gnueabihf-gcc", "arm.so", LIBRARY, &[]));
    }
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let mut passed = 0;
    for round in 0..3000 {
        let mut bytes = corpus[round % corpus.len()].clone();
        for _ in 0..1 + random.next() % 4 {
            // Half of the changes hit the headers and the tables behind them.
            let span = if random.next().is_multiple_of(2) {
                bytes.len() as u64
            } else {
                0x800.min(bytes.len() as u64)
            };
            let at = (random.next() % span) as usize;
            bytes[at] = match random.next() % 4 {
                0 => 0xff,
                1 => 0,
                2 => bytes[at] ^ (1 << (random.next() % 8)),
                _ => random.next() as u8,
            };
        }
        if random.next().is_multiple_of(16) {
            bytes.truncate((random.next() % bytes.len() as u64) as usize);
        }
        passed += usize::from(try_all(&bytes));
    }
    assert!(passed > 500, "only {passed} mutants were editable: the test tests little");
}

/// A `PT_LOAD` without contents may claim any offset; what is stripped lies behind the contents of the others.
#[test]
fn empty_segment_far_away() {
    let file = &include_bytes!("../../../../../fuzz/seeds/elf/strip-twice-4f")[1..];
    let changes = Changes {
        soname: Some("libx-0123abcd-with-a-long-name.so.1".into()),
        search_path: path(PathTag::Runpath, &["$ORIGIN", "/opt-0123abcd-with-a-long-name"]),
        strip: true,
        ..Changes::default()
    };
    let edits = crate::edit::patch(file, &changes).unwrap();
    let once = spokeshave_core::apply(file, &edits).unwrap();
    // What a strip leaves of a lying section table may look strippable once more, so there may be edits.
    crate::edit::patch(&once, &changes).unwrap();
}
