//! The judge: `tests/tools/check_macho.py`, which reads with its own code, hashlib, macholib, LIEF and llvm-objdump.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use spokeshave_macho::fuzzing::{Changes, SliceChanges};

use crate::variant::Variant;

/// How many files are judged at once: temporary files take space.
const BATCH: usize = 100;
const CS_ADHOC: u64 = 2;

/// What was edited and how.
#[derive(Debug)]
pub struct Pair {
    /// The untouched file.
    pub old: PathBuf,
    /// How it was edited.
    pub variant: Variant,
    /// The changes.
    pub changes: Changes,
}

/// Edited files that wait for their judgement.
pub struct Checker<'a> {
    dir: &'a Path,
    waiting: Vec<(Pair, PathBuf)>,
}

impl<'a> Checker<'a> {
    /// New files are kept in `dir` for a while.
    pub fn new(dir: &'a Path) -> Self {
        Checker { dir, waiting: Vec::new() }
    }

    /// Adds an edited file.
    pub fn add(&mut self, pair: Pair, new: &[u8]) {
        let path = self.dir.join(format!("{}.dylib", self.waiting.len()));
        std::fs::write(&path, new).unwrap();
        self.waiting.push((pair, path));
    }

    /// Judges them when there are many.
    pub fn check_when_full(&mut self) {
        if self.waiting.len() >= BATCH {
            self.check();
        }
    }

    /// Judges those that wait.
    pub fn check(&mut self) {
        let mut paths: Vec<&Path> =
            self.waiting.iter().flat_map(|(pair, new)| [&*pair.old, new.as_path()]).collect();
        paths.sort();
        paths.dedup();
        let reports = check(&paths);
        for (pair, new) in &self.waiting {
            compare(pair, &reports[pair.old.as_path()], &reports[new.as_path()]);
            std::fs::remove_file(new).unwrap();
        }
        self.waiting.clear();
    }
}

/// The reports of the checker by file.
fn check(paths: &[&Path]) -> BTreeMap<PathBuf, Value> {
    if paths.is_empty() {
        return BTreeMap::new();
    }
    let python =
        std::env::var_os("SPOKESHAVE_TEST_PYTHON").expect("SPOKESHAVE_TEST_PYTHON is not set: run tests/run");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/check_macho.py");
    let output = Command::new(python).arg(script).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reports: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reports.len(), paths.len());
    reports.into_iter().map(|report| (PathBuf::from(report["path"].as_str().unwrap()), report)).collect()
}

/// The new file has the names that were asked for, is signed where it must be, and is the old one otherwise.
#[track_caller]
fn compare(pair: &Pair, old: &Value, new: &Value) {
    let story = format!("{} {:?}", pair.old.display(), pair.variant);
    assert_eq!(new["errors"], Value::Array(Vec::new()), "{story}");
    let (old, new) = (old["slices"].as_array().unwrap(), new["slices"].as_array().unwrap());
    assert_eq!(old.len(), new.len(), "{story}");
    for ((old, new), changes) in old.iter().zip(new).zip(&pair.changes.slices) {
        let kept =
            ["arch", "filetype", "flags", "uuid", "min_os", "kept_commands", "sections", "after_linkedit"];
        for key in kept {
            assert_eq!(old[key], new[key], "{story}: {key}");
        }
        names(&story, changes, old, new);
        signature(&story, changes, old, new);
    }
}

fn names(story: &str, changes: &SliceChanges, old: &Value, new: &Value) {
    let mut id = old["id"].clone();
    if let (false, Some(name)) = (id.is_null(), &changes.id) {
        id[0] = name.as_str().into();
    }
    assert_eq!(new["id"], id, "{story}");
    let mut dylibs = old["dylibs"].clone();
    for dylib in dylibs.as_array_mut().unwrap() {
        if let Some((_, name)) = changes.dylibs.iter().find(|(from, _)| dylib[1] == from.as_str()) {
            dylib[1] = name.as_str().into();
        }
    }
    assert_eq!(new["dylibs"], dylibs, "{story}");
    let rpaths = changes.rpaths.clone().map_or(old["rpaths"].clone(), Value::from);
    assert_eq!(new["rpaths"], rpaths, "{story}");
}

fn signature(story: &str, changes: &SliceChanges, old: &Value, new: &Value) {
    let (was, is) = (&old["signature"], &new["signature"]);
    if *changes == SliceChanges::default() || (was.is_null() && old["arch"] != "arm64") {
        assert_eq!(was, is, "{story}");
        assert_eq!(old["linkedit"], new["linkedit"], "{story}");
        return;
    }
    assert!(is["flags"] == CS_ADHOC && is["cms"] == 0, "{story}: {is}");
    if was.is_null() {
        return;
    }
    // A new signature stands behind the same contents, but for zeros up to a multiple of 16.
    assert_eq!(old["linkedit"], new["linkedit"], "{story}");
    for key in ["identifier", "page"] {
        assert_eq!(was[key], is[key], "{story}: {key}");
    }
    if was["flags"] == CS_ADHOC {
        assert_eq!(was["special"], is["special"], "{story}");
    }
}
