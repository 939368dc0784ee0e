//! Every Mach-O file of ten popular projects' published wheels is edited, and read by a checker that shares no code
//! with us.
//!
//! The ordinary test takes a sample; the whole run is
//! `cargo test --release -p spokeshave-macho --test mass -- --ignored --nocapture`. The wheels are those of
//! `tests/tools/macos-wheels`: cffi, cryptography, greenlet, lxml, numpy, pillow, psycopg2-binary, pydantic-core, pyzmq,
//! shapely (of pyzmq also an old one, for i386 and x86_64); and grpcio, playwright, scipy.

#![allow(clippy::disallowed_methods)]

mod checker;
mod fixtures;
mod variant;

use std::path::{Path, PathBuf};

use spokeshave_core::{Error, apply};
use spokeshave_macho::fuzzing::{MachoFacts, patch, recognizes};

use checker::{Checker, Pair};
use variant::Variant;

#[test]
fn sample_of_published_binaries() {
    let all = published();
    let step = (all.len() / 60).max(1);
    println!("{}", run(all.into_iter().step_by(step)));
}

#[test]
#[ignore = "takes minutes: every binary of the wheels"]
fn all_published_binaries() {
    println!("{}", run(published()));
}

#[test]
fn fixtures_of_all_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let files = fixtures::build(dir.path());
    let tally = run(files);
    println!("{tally}");
    assert!(tally.refused > 0, "none was too tight: {tally}");
}

#[derive(Debug, Default)]
struct Tally {
    files: usize,
    slices: usize,
    edited: usize,
    refused: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { files, slices, edited, refused } = self;
        write!(
            f,
            "{files} files, {slices} slices: {edited} edits right, {refused} refused with the missing bytes"
        )
    }
}

/// The Mach-O files of the unpacked wheels.
fn published() -> Vec<PathBuf> {
    let root = std::env::var_os("SPOKESHAVE_TEST_MACOS_WHEELS").unwrap_or_else(|| {
        panic!("SPOKESHAVE_TEST_MACOS_WHEELS is not set: run tests/run, or tests/tools/macos-wheels and name its DIR")
    });
    let mut found = Vec::new();
    walk(Path::new(&root), &mut found);
    found.sort();
    assert!(found.len() > 100, "only {} Mach-O files", found.len());
    found
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if recognizes(&head(&path)) {
            found.push(path);
        }
    }
}

fn head(path: &Path) -> Vec<u8> {
    use std::io::Read;
    let mut head = Vec::new();
    std::fs::File::open(path).unwrap().take(4096).read_to_end(&mut head).unwrap();
    head
}

/// Edits each file in every way and has old and new files compared.
fn run(files: impl IntoIterator<Item = PathBuf>) -> Tally {
    let dir = tempfile::tempdir().unwrap();
    let mut checker = Checker::new(dir.path());
    let mut tally = Tally::default();
    for path in files {
        let old = std::fs::read(&path).unwrap();
        let facts = MachoFacts::read(&old).unwrap();
        assert_eq!(facts.inert, None, "{}", path.display());
        tally.files += 1;
        tally.slices += facts.slices.len();
        for variant in Variant::ALL {
            let changes = variant.changes(&facts, &path);
            let result = patch(&old, &changes);
            let missing = variant.missing(&facts, &changes);
            match (result, missing) {
                (Ok(edits), None) if variant == Variant::AsItIs => {
                    assert_eq!(edits, [], "{}", path.display())
                }
                (Ok(edits), None) => {
                    let new = apply(&old, &edits).unwrap();
                    checker.add(Pair { old: path.clone(), variant, changes }, &new);
                    tally.edited += 1;
                }
                (Err(error), Some(missing)) => {
                    let error: Error = error.downcast().unwrap();
                    let what = format!("{missing} bytes are missing in the header");
                    assert!(error.what.contains(&what), "{}: {variant:?}: {error}", path.display());
                    tally.refused += 1;
                }
                (result, missing) => {
                    panic!("{}: {variant:?}: {result:?}, though {missing:?} missing", path.display())
                }
            }
        }
        checker.check_when_full();
    }
    checker.check();
    tally
}
