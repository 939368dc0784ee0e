//! The editor on published files: no change is no edit, and with every import renamed that Windows does not bring, pefile
//! and LIEF read what was asked for, and wine loads what it loads untouched.

#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_pe::fuzzing::{Changes, patch};
use spokeshave_pe::{ImportKind, PeFacts};
use spokeshave_testkit::{Outcome, Wine, python, run};

/// Loads its first argument with the directories of the others to search in.
const LOADER: &str = r#"
#define _WIN32_WINNT 0x0a00
#include <stdio.h>
#include <windows.h>
int wmain(int argc, wchar_t **argv) {
    for (int i = 2; i < argc; i++) AddDllDirectory(argv[i]);
    DWORD flags = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    if (!LoadLibraryExW(argv[1], NULL, flags)) { printf("error %lu\n", GetLastError()); return 1; }
    return 0;
}
"#;

#[test]
fn small_wheels_and_cpython() {
    let home = wheels(false);
    let trees = ["python", "gmpy2-win_amd64", "pyzmq-win_amd64"];
    let seen: usize = trees.iter().map(|name| Tree::read(&home, name).check(8)).sum();
    assert!(seen > 12, "{seen}");
}

/// All wheels, every file loaded.
#[test]
#[ignore = "downloads 80 MB"]
fn every_file_of_all_wheels() {
    let home = wheels(true);
    let mut names: Vec<String> = std::fs::read_dir(&home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name == "python" || name.contains("-win") && !name.ends_with(".whl"))
        .collect();
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    let seen: usize = names.iter().map(|name| Tree::read(&home, name).check(usize::MAX)).sum();
    println!("{seen} files renamed");
}

/// The directory of the unpacked wheels, made if it is not there.
fn wheels(long: bool) -> PathBuf {
    let home = python().parent().and_then(Path::parent).unwrap().join("windows-wheels");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/pe_wheels.py");
    let mut command = Command::new(python());
    command.arg(script).arg(&home).args(long.then_some("--long"));
    Outcome::of(&mut command).exits(0);
    home
}

/// An unpacked wheel, or CPython, and its PE files.
struct Tree {
    name: String,
    home: PathBuf,
    /// Path from `home` and contents.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// CPython's DLLs, which a wheel's files may import.
    python: BTreeMap<PathBuf, Vec<u8>>,
}

impl Tree {
    fn read(home: &Path, name: &str) -> Self {
        let mut files = BTreeMap::new();
        let root = home.join(name);
        collect(&root, &root, &mut files);
        let mut python = BTreeMap::new();
        let root = home.join("python");
        if name != "python" {
            collect(&root, &root, &mut python);
            python.retain(|path, _| path.extension().is_some_and(|ext| ext == "dll"));
        }
        Tree { name: name.to_owned(), home: home.join(name), files, python }
    }

    /// Checks every file, and loads up to `loads` of them; the number of those that were renamed in.
    fn check(&self, loads: usize) -> usize {
        let scratch = tempfile::tempdir().unwrap();
        let changes = self.changes();
        let mut jobs = String::new();
        let mut edited = 0;
        let all = self.files.iter().map(|(path, bytes)| (path.clone(), bytes));
        let python = self.python.iter().map(|(path, bytes)| (Path::new("python").join(path), bytes));
        let mut pairs = Vec::new();
        for (path, bytes) in all.chain(python) {
            let at = path.display();
            assert_eq!(patch(bytes, &Changes::default()).unwrap(), [], "{at}");
            let facts = PeFacts::read(bytes).unwrap();
            // Microsoft's runtime for ARM64 is ARM64X; it is carried under its own name.
            let changes = if facts.hybrid.is_some() { &Changes::default() } else { &changes };
            let edits = patch(bytes, changes).unwrap_or_else(|error| panic!("{at}: {error:#}"));
            let new = spokeshave_core::apply(bytes, &edits).unwrap();
            assert_eq!(patch(&new, changes).unwrap(), [], "{at}: the same change again");
            let asked = facts.imports.iter().any(|import| changes.renamed(&import.name).is_some());
            assert_eq!(asked, !edits.is_empty(), "{at}");
            assert!(new.len() <= bytes.len() + 1024, "{at} grew by {}", new.len() - bytes.len());
            let file_name = path.file_name().unwrap().to_str().unwrap();
            let target = scratch.path().join(&path);
            let target = target.with_file_name(changes.renamed(file_name).unwrap_or(file_name));
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(&target, new).unwrap();
            let old = match path.strip_prefix("python") {
                Ok(rest) => self.home.with_file_name("python").join(rest),
                Err(_) => self.home.join(&path),
            };
            jobs.push_str(&format!("{}\n", serde_json::json!({"file": old, "facts": read(&facts)})));
            if asked {
                edited += 1;
                let renamed: BTreeMap<&str, &str> =
                    changes.imports.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
                let job = serde_json::json!({"old": old, "new": target, "renamed": renamed});
                jobs.push_str(&format!("{job}\n"));
            }
            if facts.machine == 0x8664 && facts.is_dll && !path.starts_with("python/") {
                pairs.push((old, target));
            }
        }
        judge(&jobs);
        pairs.truncate(loads);
        let loaded = load_all(&pairs, &self.home, scratch.path());
        println!(
            "{}: {} files, {edited} edited, {loaded} of {} loaded",
            self.name,
            self.files.len(),
            pairs.len()
        );
        edited
    }

    /// New names for all DLLs of the tree and of CPython.
    fn changes(&self) -> Changes {
        let mut changes = Changes::default();
        for path in self.files.keys().chain(self.python.keys()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some(stem) = name.strip_suffix(".dll") {
                changes.imports.push((name.to_owned(), format!("{stem}-0123abcd.dll")));
            }
        }
        changes
    }
}

/// What pefile reads too.
fn read(facts: &PeFacts) -> serde_json::Value {
    let delayed = |kind: ImportKind| kind != ImportKind::Load;
    let imports = facts.imports.iter();
    let imports: Vec<_> =
        imports.map(|import| (&import.name, delayed(import.kind), import.names, import.ordinals)).collect();
    let version = facts.version.as_ref();
    serde_json::json!({
        "imports": imports,
        "machine": facts.machine,
        "linker": facts.linker,
        "signed": facts.signed,
        "has_checksum": facts.has_checksum,
        "overlay": facts.overlay,
        "export_name": facts.export_name,
        "forwards": facts.forwards,
        "init_names": facts.init_names,
        "file_version": version.and_then(|version| version.file_version.as_ref()),
        "original_filename": version.and_then(|version| version.original_filename.as_ref()),
    })
}

/// Loads the old files, and the new ones of those that load; their number.
fn load_all(pairs: &[(PathBuf, PathBuf)], old: &Path, new: &Path) -> usize {
    let scratch = tempfile::tempdir().unwrap();
    let code = scratch.path().join("load.c");
    std::fs::write(&code, LOADER).unwrap();
    let program = scratch.path().join("load.exe");
    run("x86_64-w64-mingw32-gcc", ["-municode", "-o", program.to_str().unwrap(), code.to_str().unwrap()]);
    let wine = Wine::new();
    let load = |file: &Path, root: &Path, python: &Path| {
        let mut command = wine.command(&program);
        command
            .arg(windows(file))
            .args(directories(root).iter().map(|dir| windows(dir)))
            .arg(windows(python));
        Outcome::of(&mut command)
    };
    let mut loaded = 0;
    for (before, after) in pairs {
        if load(before, old, &old.with_file_name("python")).code != Some(0) {
            continue;
        }
        let outcome = load(after, new, &new.join("python"));
        assert_eq!(outcome.code, Some(0), "{}: {}", after.display(), outcome.stdout);
        loaded += 1;
    }
    loaded
}

/// A path as Windows programs write it.
fn windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// The directories below `root` that hold DLLs.
fn directories(root: &Path) -> Vec<PathBuf> {
    let mut files = BTreeMap::new();
    collect(root, root, &mut files);
    let mut found: Vec<PathBuf> =
        files.keys().map(|path| root.join(path).parent().unwrap().to_owned()).collect();
    found.dedup();
    found
}

/// Collects the PE files below `dir`.
fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|ext| ["dll", "pyd", "exe"].iter().any(|known| ext == *known))
        {
            files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
}

/// Hands the jobs to pefile and LIEF, which must have nothing to say.
fn judge(jobs: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/pe_judge.py");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jobs).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let outcome = Outcome::of(Command::new(python()).arg(script).stdin(input));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{}", outcome.stderr);
}
