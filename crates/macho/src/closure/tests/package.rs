//! What the package brings itself, and what that means for the references.

use spokeshave_core::{PackagePath, PatchKind, Repairer as _, Subject, Which};

use super::kit::{Scene, dylib, ext, need};
use crate::change::SliceChanges;
use crate::handmade::Handmade;

const A: &str = "@rpath/liba.dylib";

fn liba() -> Handmade {
    dylib(A, &[], &[])
}

/// What a repair that carries nothing changes in a member's only slice.
#[track_caller]
fn changes(scene: &Scene, member: &str) -> SliceChanges {
    let audit = scene.audit();
    let libs_dir = PackagePath::new("demo.dylibs").unwrap();
    let kind = PatchKind::Repair { grafted: &[], libs_dir: &libs_dir, strip: false };
    let index = audit.artifacts.iter().position(|a| a.artifact.path.as_str() == member).unwrap();
    let subject = Subject { audit: &audit, which: Which::Artifact(index) };
    crate::plan::plan(subject, &kind).unwrap().slices.remove(0)
}

fn renamed(changes: &SliceChanges) -> Vec<(&str, &str)> {
    changes.dylibs.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect()
}

#[test]
fn what_every_load_finds_stays() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["@loader_path/lib/libb.dylib"], &["@loader_path/lib"]))
        .member("demo/lib/libb.dylib", &dylib("libb.dylib", &[A], &[]))
        .member("demo/lib/liba.dylib", &liba());
    assert!(changes(&scene, "demo/ext.so").is_empty());
    assert!(changes(&scene, "demo/lib/libb.dylib").is_empty());
}

#[test]
fn what_one_load_does_not_find_gets_a_path_of_its_own() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["@loader_path/lib/libb.dylib"], &["@loader_path/lib"]))
        .member("demo/other.so", &ext(&["@loader_path/lib/libb.dylib"], &[]))
        .member("demo/lib/libb.dylib", &dylib("libb.dylib", &[A], &[]))
        .member("demo/lib/liba.dylib", &liba());
    assert_eq!(renamed(&changes(&scene, "demo/lib/libb.dylib")), [(A, "@loader_path/liba.dylib")]);
    assert!(scene.audit().missing.is_empty());
}

#[test]
fn a_sibling_serves_where_no_rule_leads() {
    let scene = Scene::new()
        .member("demo/sub/ext.so", &ext(&["/build/out/liba.dylib"], &["/build/out"]))
        .member("demo/lib/liba.dylib", &liba());
    let changes = changes(&scene, "demo/sub/ext.so");
    assert_eq!(renamed(&changes), [("/build/out/liba.dylib", "@loader_path/../lib/liba.dylib")]);
    assert_eq!(changes.rpaths.as_deref(), Some(&[][..]));
    // Of two none is taken, unless one lies beside the importer.
    let two = scene.member("demo/lib2/liba.dylib", &liba());
    assert_eq!(two.audit().missing[0].tried.last().unwrap().why, "one of several of that name");
    let beside = two.member("demo/sub/liba.dylib", &liba());
    assert_eq!(
        beside.leads(&beside.audit(), "demo/sub/ext.so", "/build/out/liba.dylib"),
        "demo/sub/liba.dylib"
    );
}

#[test]
fn the_hosts_copy_of_a_member_is_the_member() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["/build/out/liba.dylib"], &[]))
        .member("demo/lib/liba.dylib", &liba())
        .host("/build/out/liba.dylib", &liba());
    let audit = scene.audit();
    assert_eq!(scene.leads(&audit, "demo/ext.so", "/build/out/liba.dylib"), "demo/lib/liba.dylib");
    assert_eq!(
        renamed(&changes(&scene, "demo/ext.so")),
        [("/build/out/liba.dylib", "@loader_path/lib/liba.dylib")]
    );
    // Another build of it is another library.
    let other = Handmade { linkedit: Some(0x80), ..liba() };
    let scene = scene.host("/build/out/liba.dylib", &other);
    assert_eq!(scene.leads(&scene.audit(), "demo/ext.so", "/build/out/liba.dylib"), "build/out/liba.dylib");
}

#[test]
fn no_path_leads_to_another_tree() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["@loader_path/../demo-1.0.data/data/lib/liba.dylib"], &[]))
        .member("demo-1.0.data/data/lib/liba.dylib", &liba());
    let audit = scene.audit();
    let need = need(&audit, "demo/ext.so", "@loader_path/../demo-1.0.data/data/lib/liba.dylib");
    assert_eq!(need.tried[0].why, "is installed elsewhere");
    let libs_dir = PackagePath::new("demo.dylibs").unwrap();
    let kind = PatchKind::Repair { grafted: &[], libs_dir: &libs_dir, strip: false };
    let subject = Subject { audit: &audit, which: Which::Artifact(0) };
    let error = crate::plan::plan(subject, &kind).unwrap_err().to_string();
    assert!(error.contains("no path leads to demo-1.0.data/data/lib/liba.dylib"), "{error}");
}

#[test]
fn search_paths_that_mean_nothing_elsewhere_go() {
    let rpaths = [
        "/opt/lib",
        "@loader_path/lib",
        "@loader_path/../..",
        "@loader_path",
        "@executable_path/../lib",
        "lib",
    ];
    let scene = Scene::new().member("demo/ext.so", &ext(&[], &rpaths));
    let left = changes(&scene, "demo/ext.so").rpaths.unwrap();
    assert_eq!(left, ["@loader_path/lib", "@loader_path", "@executable_path/../lib"]);
    // What stays out is found by them.
    let scene = Scene::new().member("demo/ext.so", &ext(&["@rpath/libpython3.12.dylib"], &rpaths));
    assert!(changes(&scene, "demo/ext.so").is_empty());
}

#[test]
fn an_editable_gets_its_linked_paths() {
    let mut scene = Scene::new().member("demo/ext.so", &ext(&[], &["/opt/lib"]));
    scene.set[0].linked_paths = vec!["/opt/lib".into(), "/build/out".into()];
    let audit = scene.audit();
    let subject = Subject { audit: &audit, which: Which::Artifact(0) };
    let planned = crate::plan::plan(subject, &PatchKind::Editable).unwrap();
    assert_eq!(planned.slices[0].rpaths.as_deref().unwrap(), ["/opt/lib", "/build/out"]);
    let edits =
        crate::backend::Macho.patch(subject, &scene.set[0].source.open().unwrap(), &PatchKind::Editable);
    assert!(!edits.unwrap().is_empty());
}
