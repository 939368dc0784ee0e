//! Any package, repaired: every reference leads to the file that it led to before, now inside the package.

use std::collections::BTreeMap;

use proptest::prelude::*;
use spokeshave_core::{
    Audit, Bytes, GraftedLib, PackagePath, PatchKind, Repairer as _, Subject, Target, Which, apply, graft,
};

use super::kit::{Scene, dylib};
use crate::backend::Macho;
use crate::handmade::Handmade;

/// How one file names another.
#[derive(Debug, Clone, Copy)]
enum Style {
    Absolute,
    OwnRpath,
    LoaderPath,
    /// By the search path of whoever loads it, if any.
    Inherited,
}

#[derive(Debug, Clone)]
struct File {
    inside: bool,
    dir: usize,
    needs: Vec<(usize, Style)>,
    room: usize,
}

const INSIDE: [&str; 3] = ["demo", "demo/lib", "other"];
const OUTSIDE: [&str; 3] = ["/opt/one", "/opt/two", "/opt/one/lib"];

fn files() -> impl Strategy<Value = Vec<File>> {
    let style = prop_oneof![
        Just(Style::Absolute),
        Just(Style::OwnRpath),
        Just(Style::LoaderPath),
        Just(Style::Inherited)
    ];
    let needs = proptest::collection::vec((0..8usize, style), 0..4);
    let room = prop_oneof![4 => Just(1024usize), 1 => 100..300usize];
    let file = (any::<bool>(), 0..3usize, needs, room).prop_map(|(inside, dir, needs, room)| File {
        inside,
        dir,
        needs,
        room,
    });
    proptest::collection::vec(file, 1..8)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn dir(file: &File) -> String {
    if file.inside { format!("/site/{}", INSIDE[file.dir]) } else { OUTSIDE[file.dir].to_owned() }
}

/// How to get from one directory to another.
fn relative(from: &str, to: &str) -> String {
    let path = |text: &str| PackagePath::new(text.trim_start_matches('/')).unwrap();
    path(to).relative_from(&path(from))
}

fn build(files: &[File], index: usize) -> Handmade {
    let file = &files[index];
    let (mut needs, mut rpaths) = (Vec::new(), Vec::new());
    for (to, style) in &file.needs {
        let to = to % files.len();
        let (name, there) = (format!("lib{to}.dylib"), dir(&files[to]));
        // Paths lead from the package to the package and from the host to the host.
        let same = files[to].inside == file.inside;
        let style = if same || !matches!(style, Style::LoaderPath) { *style } else { Style::Absolute };
        let relative = relative(&dir(file), &there);
        needs.push(leak(match style {
            Style::Absolute => format!("{there}/{name}"),
            Style::LoaderPath => format!("@loader_path/{relative}/{name}"),
            Style::OwnRpath | Style::Inherited => format!("@rpath/{name}"),
        }));
        if matches!(style, Style::OwnRpath) {
            rpaths.push(leak(if same { format!("@loader_path/{relative}") } else { there }));
        }
    }
    needs.dedup();
    Handmade { room: file.room, ..dylib(leak(format!("{}/lib{index}.dylib", dir(file))), &needs, &rpaths) }
}

/// For each file and need the file that it leads to; carried ones by the name that they had.
fn edges(audit: &Audit, carried: &[GraftedLib]) -> BTreeMap<(String, usize), Option<String>> {
    let plain = |path: &str| {
        let before = carried.iter().find(|lib| lib.path.as_str() == path).map(|lib| lib.original.clone());
        before.unwrap_or_else(|| path.rsplit('/').next().unwrap().to_owned())
    };
    let leads = |target: Target| match target {
        Target::Artifact(to) => Some(plain(audit.artifacts[to].artifact.path.as_str())),
        Target::Library(to) => Some(plain(&audit.libraries[to].real.to_string())),
        Target::Missing | Target::Removed => None,
    };
    let artifacts = audit.artifacts.iter().map(|a| (plain(a.artifact.path.as_str()), &a.result));
    let libraries = audit.external().map(|(_, lib)| (plain(&lib.real.to_string()), &lib.result));
    let mut edges = BTreeMap::new();
    for (name, result) in artifacts.chain(libraries) {
        for (at, need) in result.needs.iter().enumerate() {
            edges.insert((name.clone(), at), leads(need.target));
        }
    }
    edges
}

fn repaired(files: &[File]) -> Result<(), TestCaseError> {
    let mut scene = Scene::new();
    for (index, file) in files.iter().enumerate() {
        let built = build(files, index);
        let name = format!("lib{index}.dylib");
        scene = match file.inside {
            true => scene.member(&format!("{}/{name}", INSIDE[file.dir]), &built),
            false => scene.host(&format!("{}/{name}", OUTSIDE[file.dir]), &built),
        };
    }
    let audit = scene.audit();
    if scene.set.is_empty() || !audit.missing.is_empty() {
        return Ok(());
    }
    let libs_dir = PackagePath::new("demo.dylibs").unwrap();
    let grafted = graft(&audit, &libs_dir, Macho.about(), &scene.options, 1).unwrap();
    let kind = PatchKind::Repair { grafted: &grafted, libs_dir: &libs_dir, strip: false };
    let predicted = Macho.patch_required(&audit, &kind).unwrap();

    let mut after = Scene::new();
    let subjects = (0..audit.artifacts.len()).map(Which::Artifact).chain(grafted.iter().map(Which::Grafted));
    for (which, predicted) in subjects.zip(predicted) {
        let subject = Subject { audit: &audit, which };
        let old = match which {
            Which::Artifact(index) => scene.set[index].source.open().unwrap(),
            Which::Grafted(lib) => lib.source.open().unwrap(),
        };
        let edits = match Macho.patch(subject, &old, &kind) {
            Ok(edits) => edits,
            Err(error) => {
                prop_assert!(error.to_string().contains("bytes are missing in the header"), "{error}");
                return Ok(());
            }
        };
        prop_assert_eq!(predicted, !edits.is_empty());
        after = after.raw(subject.path().as_str(), Bytes::from(apply(&old, &edits).unwrap()));
    }
    let again = after.audit();
    prop_assert!(again.missing.is_empty(), "{:?}", again.missing);
    prop_assert_eq!(again.external().count(), 0);
    prop_assert_eq!(edges(&audit, &grafted), edges(&again, &grafted));
    let kind = PatchKind::Repair { grafted: &[], libs_dir: &libs_dir, strip: false };
    prop_assert!(!Macho.patch_required(&again, &kind).unwrap().contains(&true));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reference_leads_where_it_led(files in files()) {
        repaired(&files)?;
    }
}
