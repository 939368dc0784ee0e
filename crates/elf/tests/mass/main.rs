//! Every library of the machine is edited and loaded by the real loader.
//!
//! The ordinary test takes a sample; the whole run is
//! `cargo test --release -p spokeshave-elf --test mass -- --ignored --nocapture`.

#![allow(clippy::disallowed_methods)]

mod corpus;
mod loader;
mod tally;

use std::path::Path;
use std::process::Command;

use spokeshave_core::apply;
use spokeshave_elf::fuzzing::{self, Changes, PathTag, SearchPath};

use corpus::{Library, cross_libraries, libraries};
use loader::Loader;
use tally::Tally;

const MACHINES: [(&str, &str); 7] = [
    ("aarch64-linux-gnu", "aarch64"),
    ("arm-linux-gnueabihf", "arm"),
    ("powerpc64le-linux-gnu", "ppc64le"),
    ("riscv64-linux-gnu", "riscv64"),
    ("s390x-linux-gnu", "s390x"),
    ("i686-linux-gnu", "i386"),
    ("mips-linux-gnu", "mips"),
];

#[test]
fn sample_of_the_machines_libraries_loads() {
    let all = libraries();
    let step = (all.len() / 40).max(1);
    let sample: Vec<_> = all.into_iter().step_by(step).collect();
    let tally = run(&sample);
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
}

#[test]
fn libraries_of_other_machines_load_under_qemu() {
    let tally = run_cross(4);
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
}

#[test]
#[ignore = "takes minutes: every library of the machine"]
fn all_libraries_load() {
    let tally = run(&libraries());
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
}

#[test]
#[ignore = "takes minutes: every library of the cross libcs"]
fn all_libraries_of_other_machines_load_under_qemu() {
    let tally = run_cross(usize::MAX);
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{:#?}", tally.faults);
}

fn run(libraries: &[Library]) -> Tally {
    let programs = tempfile::tempdir().unwrap();
    let loader = Loader::native(programs.path());
    let threads = 2;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut total = Tally::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            while let Some(library) = libraries.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                one(library, &loader, &mut tally);
            }
            tally
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| total.add(worker.join().unwrap()));
    });
    total.sorted()
}

fn run_cross(limit: usize) -> Tally {
    let programs = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for (triple, qemu) in MACHINES {
        let Some(loader) = Loader::qemu(programs.path(), triple, qemu) else {
            tally.notes.push(format!("{triple}: no qemu or no C library, left out"));
            continue;
        };
        let all = cross_libraries(triple);
        let step = (all.len() / limit).max(1);
        for library in all.iter().step_by(step) {
            one(library, &loader, &mut tally);
        }
    }
    tally.sorted()
}

/// The changes that every library gets: a longer RPATH, a new SONAME and one replaced DT_NEEDED.
fn changes(library: &Library, paths: &[String], replaced: Option<&(String, String)>) -> Changes {
    let more = ["$ORIGIN".to_owned(), library.directory(), format!("/opt/{}", "long/".repeat(12))];
    let entries = paths.iter().cloned().chain(more).collect();
    Changes {
        soname: Some("libspokeshave-renamed-0123abcd.so.1".into()),
        needed: replaced.iter().map(|(old, new)| (old.clone(), Some(new.clone()))).collect(),
        search_path: Some(SearchPath { tag: PathTag::Rpath, entries }),
        strip: false,
    }
}

fn one(library: &Library, loader: &Loader, tally: &mut Tally) {
    let old = std::fs::read(&library.path).unwrap();
    let Ok(facts) = fuzzing::read(&old) else {
        tally.skipped("not readable");
        return;
    };
    if !facts.dynamic {
        tally.skipped("no dynamic section");
        return;
    }
    assert!(fuzzing::patch(&old, &Changes::default()).unwrap().is_empty());
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    // The loader itself can't be found under a second name.
    let replaced = facts.needed.iter().find_map(|name| {
        let real = library.find(name).filter(|_| !name.starts_with("ld"))?;
        let new = format!("libreplaced-89abcdef-{name}");
        std::os::unix::fs::symlink(real, dir.path().join(&new)).unwrap();
        Some((name.clone(), new))
    });
    let changes = changes(library, &facts.paths, replaced.as_ref());
    let begin = std::time::Instant::now();
    let edits = match fuzzing::patch(&old, &changes) {
        Ok(edits) => edits,
        Err(error) => {
            tally.refused(library, &format!("{error:#}"));
            return;
        }
    };
    let took = begin.elapsed();
    let new = apply(&old, &edits).unwrap();
    tally.edited(old.len(), new.len(), took);
    if let Err(error) = fuzzing::verify(&old, &new, &changes) {
        tally.fault(library, format!("verify: {error:#}"));
    }
    let moved = fuzzing::read(&new).unwrap().phoff != facts.phoff;
    if moved {
        tally.moved(library);
    }
    let again = fuzzing::patch(&new, &changes).unwrap();
    if !again.is_empty() {
        tally.fault(library, "the same change again is not empty".into());
    }

    let search = library.path.parent().unwrap();
    let load = |path: &Path| loader.load(path, search);
    let untouched = put("untouched.so", &old);
    if let Err(why) = load(&untouched) {
        tally.unloadable(&why);
        return;
    }
    let expect = |tally: &mut Tally, what: &str, path: &Path| match load(path) {
        Ok(()) => tally.loaded(what),
        Err(why) => tally.fault(library, format!("{what}: {why}")),
    };
    let edited = put("edited.so", &new);
    expect(tally, "edited", &edited);

    // A second change of our own output.
    let mut second = changes.clone();
    second.soname = Some("libspokeshave-renamed-again-0123abcd-89abcdef.so.1".into());
    second.needed = replaced.iter().map(|(_, new)| (new.clone(), Some(format!("{new}.again")))).collect();
    if let Some((old, new)) = &replaced {
        std::os::unix::fs::symlink(library.find(old).unwrap(), dir.path().join(format!("{new}.again")))
            .unwrap();
    }
    let edits = fuzzing::patch(&new, &second).unwrap();
    let twice = apply(&new, &edits).unwrap();
    expect(tally, "edited twice", &put("twice.so", &twice));
    tally.second_growth.push(twice.len() as i64 - new.len() as i64);

    if !moved {
        for (what, path) in
            [("edited, then GNU strip", "stripped.so"), ("edited twice, then GNU strip", "twice-stripped.so")]
        {
            let bytes = if path.starts_with("twice") { &twice } else { &new };
            let path = put(path, bytes);
            // GNU strip of the cross binutils reads its own machine only.
            let output = Command::new(library.strip()).arg(&path).output();
            match output {
                Ok(output) if output.status.success() => {
                    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
                    if warning.is_empty() {
                        expect(tally, what, &path);
                    } else {
                        tally.fault(library, format!("{what}: {warning}"));
                        return;
                    }
                }
                Ok(output) => {
                    tally.fault(library, format!("{what}: {}", String::from_utf8_lossy(&output.stderr)));
                    return;
                }
                Err(_) => {}
            }
        }
    }

    // Our own strip in the same pass.
    let stripped = Changes { strip: true, ..changes.clone() };
    let bytes = apply(&old, &fuzzing::patch(&old, &stripped).unwrap()).unwrap();
    expect(tally, "edited and stripped", &put("own-strip.so", &bytes));
    let only = Changes { strip: true, ..Changes::default() };
    let bytes = apply(&old, &fuzzing::patch(&old, &only).unwrap()).unwrap();
    expect(tally, "stripped only", &put("only-strip.so", &bytes));

    // Without section headers, and with something appended.
    let bare = corpus::without_sections(&old);
    let bytes = apply(&bare, &fuzzing::patch(&bare, &changes).unwrap()).unwrap();
    expect(tally, "edited without section headers", &put("bare.so", &bytes));
    let payload = b"PK\x05\x06 the payload stays at the very end".repeat(40);
    let long: Vec<u8> = old.iter().chain(&payload).copied().collect();
    for (what, changes, name) in [
        ("edited with a payload", &changes, "payload.so"),
        ("stripped with a payload", &stripped, "payload-strip.so"),
    ] {
        let bytes = apply(&long, &fuzzing::patch(&long, changes).unwrap()).unwrap();
        if bytes.ends_with(&payload) {
            expect(tally, what, &put(name, &bytes));
        } else {
            tally.fault(library, format!("{what}: the payload is not at the end"));
            return;
        }
    }
}
