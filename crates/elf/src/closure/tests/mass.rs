//! Closures of the machine's own libraries against ld.so and, as a second opinion, the `lddtree` crate.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kit::Scene;

const DIR: &str = "/usr/lib/x86_64-linux-gnu";
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The real paths that a closure of `path` has, and the names that it lacks.
type Set = (BTreeSet<PathBuf>, BTreeSet<String>);

fn is_base(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"))
}

fn loader(path: &Path) -> Option<Set> {
    listed(Command::new(LOADER).arg("--list").arg(path)).map(real)
}

/// What a loader lists; `None` when it refuses the file.
fn listed(command: &mut Command) -> Option<Set> {
    let output = command.env_remove("LD_LIBRARY_PATH").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && !text.contains("not found") {
        return None;
    }
    let mut set = Set::default();
    for line in text.lines().map(str::trim) {
        match line.split_once(" => ") {
            Some((name, "not found")) => drop(set.1.insert(name.to_owned())),
            Some((_, found)) => drop(set.0.insert(found.split(" (").next().unwrap().into())),
            None if line.starts_with('/') => drop(set.0.insert(line.split(" (").next().unwrap().into())),
            None => {}
        }
    }
    Some(set)
}

fn real(set: Set) -> Set {
    (set.0.iter().map(|path| path.canonicalize().unwrap()).filter(|path| !is_base(path)).collect(), set.1)
}

fn ours(scene: &Scene, path: &Path) -> Set {
    let closure = scene.closure(path.to_str().unwrap()).unwrap();
    let found = closure.nodes.iter().skip(1).map(|node| node.location.to_string().into());
    let edges = closure.nodes.iter().flat_map(|node| &node.needs);
    let missing = edges.filter(|edge| edge.to.is_none()).map(|edge| edge.name.clone());
    real((found.collect(), missing.collect()))
}

fn lddtree(path: &Path) -> Set {
    let tree = lddtree::DependencyAnalyzer::new("/".into()).analyze(path).unwrap();
    let (found, missing): (Vec<_>, Vec<_>) = tree.libraries.values().partition(|library| library.found());
    let paths = found.iter().filter_map(|library| library.realpath.clone());
    real((paths.collect(), missing.iter().map(|library| library.name.clone()).collect()))
}

/// The ELF files called `*.so*` below `dir`.
fn libraries(dir: &Path, found: &mut Vec<PathBuf>) {
    for path in
        fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| !path.is_symlink())
    {
        if path.is_dir() {
            libraries(&path, found);
        } else if path.file_name().unwrap().to_string_lossy().contains(".so")
            && fs_err::read(&path).unwrap().starts_with(b"\x7fELF")
        {
            found.push(path);
        }
    }
}

/// About `most` libraries of the machine; how many were compared, and where the loader and lddtree differ from us.
fn compare(most: usize) -> (usize, Vec<String>, Vec<String>) {
    let scene = Scene::new("gcc");
    let mut paths = Vec::new();
    libraries(Path::new(DIR), &mut paths);
    paths.sort();
    let step = (paths.len() / most).max(1);
    let (mut count, mut by_loader, mut by_lddtree) = (0, Vec::new(), Vec::new());
    for path in paths.iter().step_by(step).filter(|path| !is_base(path)) {
        let Some(truth) = loader(path) else { continue };
        let ours = ours(&scene, path);
        count += 1;
        let differ = |set: &Set| -> Option<String> {
            let files: Vec<_> = set.0.symmetric_difference(&ours.0).collect();
            let names: Vec<_> = set.1.symmetric_difference(&ours.1).collect();
            (!files.is_empty() || !names.is_empty())
                .then(|| format!("{}: {files:?} {names:?}", path.display()))
        };
        by_loader.extend(differ(&truth));
        by_lddtree.extend(differ(&lddtree(path)));
    }
    (count, by_loader, by_lddtree)
}

#[test]
fn closures_equal_the_loader_s() {
    let (count, by_loader, by_lddtree) = compare(50);
    assert!(count > 20, "{count} libraries compared");
    assert!(by_loader.is_empty(), "{by_loader:#?}");
    assert!(by_lddtree.len() * 10 <= count, "{by_lddtree:#?}");
}

/// Both byte orders, both classes, in the sysroots of Debian's cross C libraries.
#[test]
fn closures_of_other_architectures_equal_the_loader_s() {
    let targets = [
        ("aarch64-linux-gnu", "qemu-aarch64", "ld-linux-aarch64.so.1"),
        ("arm-linux-gnueabihf", "qemu-arm", "ld-linux-armhf.so.3"),
        ("i686-linux-gnu", "qemu-i386", "ld-linux.so.2"),
        ("mips-linux-gnu", "qemu-mips", "ld.so.1"),
        ("powerpc64le-linux-gnu", "qemu-ppc64le", "ld64.so.2"),
        ("riscv64-linux-gnu", "qemu-riscv64", "ld-linux-riscv64-lp64d.so.1"),
        ("s390x-linux-gnu", "qemu-s390x", "ld64.so.1"),
    ];
    for (triplet, qemu, loader) in targets {
        let root = Path::new("/usr").join(triplet);
        let loader = root.join("lib").join(loader);
        let mut scene = Scene::new("gcc");
        scene.options.sysroot = Some(root.clone());
        let mut paths = Vec::new();
        libraries(&root.join("lib"), &mut paths);
        let mut count = 0;
        for path in paths {
            let Some((found, missing)) =
                listed(Command::new(qemu).arg("-L").arg(&root).arg(&loader).arg("--list").arg(&path))
            else {
                continue;
            };
            let names = |paths: BTreeSet<PathBuf>| -> BTreeSet<String> {
                let names = paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
                names.filter(|name| !name.starts_with("ld")).collect()
            };
            let closure = scene.closure(path.to_str().unwrap()).unwrap();
            let ours = closure.nodes.iter().skip(1).map(|node| node.location.to_string().into()).collect();
            assert_eq!(names(ours), names(found), "{}", path.display());
            assert!(missing.is_empty(), "{}: {missing:?}", path.display());
            count += 1;
        }
        assert!(count >= 5, "{count} libraries of {triplet}");
    }
}

#[test]
#[ignore = "minutes: `cargo test -p spokeshave-elf every_closure -- --ignored --nocapture`"]
fn every_closure_equals_the_loader_s() {
    let (count, by_loader, by_lddtree) = compare(usize::MAX);
    println!("{count} libraries; the loader differs in {}, lddtree in {}", by_loader.len(), by_lddtree.len());
    println!("{by_loader:#?}\n{by_lddtree:#?}");
    assert!(by_loader.is_empty());
}

#[test]
#[ignore = "a measurement: `SPOKESHAVE_TEST_FILE=libgdal.so.32 cargo test --release -p spokeshave-elf time_of -- --ignored --nocapture`"]
fn time_of_a_closure() {
    let path = std::env::var("SPOKESHAVE_TEST_FILE").unwrap_or(format!("{DIR}/libc.so.6"));
    let scene = Scene::new("gcc");
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let closure = scene.closure(&path).unwrap();
        println!("{} files in {:?}", closure.nodes.len(), start.elapsed());
    }
}
