//! The directory that appears whole or not at all.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use super::super::Tree;
use super::super::fs::Fs;
use super::faulty::{Faulty, WORLD, World};
use super::{Place, at};
use crate::{Error, Result};

/// A bundle of these files.
fn bundle(out: &Path, files: &[&str]) -> Result<Vec<String>> {
    let mut tree = Tree::create(out)?;
    for file in files {
        tree.write(&at(file), file.as_bytes(), 0o644)?;
    }
    Ok(tree.finish(Vec::new())?.finalize())
}

fn refusal(out: &Path) -> (String, String) {
    let error = bundle(out, &["a"]).unwrap_err().downcast::<Error>().unwrap();
    (error.what, error.hint.unwrap_or_default())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn takes_the_place_of_nothing_of_an_empty_directory_and_of_a_bundle() {
    let place = Place::new();
    let out = place.path("new/dirs/out");
    assert_eq!(bundle(&out, &["bin/a", "bin/old/b"]).unwrap(), Vec::<String>::new());
    assert_eq!(names(&out.join("bin")), ["a", "old"]);
    assert_eq!(bundle(&out, &["bin/a", "lib/c"]).unwrap(), Vec::<String>::new());
    assert_eq!(
        (names(&out), names(&out.join("bin"))),
        (vec![".spokeshave-bundle".into(), "bin".into(), "lib".into()], vec!["a".into()])
    );

    let empty = place.path("new/empty");
    fs_err::create_dir(&empty).unwrap();
    fs_err::set_permissions(&empty, PermissionsExt::from_mode(0o710)).unwrap();
    bundle(&empty, &["a"]).unwrap();
    assert_eq!(place.mode("new/empty"), 0o710);
    assert_eq!(names(&place.path("new")), ["dirs", "empty"]);
    assert_eq!(names(&place.path("new/dirs")), ["out"]);
}

#[test]
fn a_link_to_a_directory_leads_to_it() {
    let place = Place::new();
    fs_err::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("link")).unwrap();
    bundle(&place.path("link"), &["a"]).unwrap();
    assert_eq!(place.read("real/a"), b"a");
    symlink("nowhere", place.path("dangling")).unwrap();
    assert_eq!(refusal(&place.path("dangling")).0, "is a symbolic link that leads nowhere");
}

#[test]
fn strangers_stay() {
    type Make = fn(&Path);
    let strangers: [(&str, Make); 6] = [
        ("file", |out| fs_err::write(out.join("file"), "").unwrap()),
        ("bin/file", |out| fs_err::write(out.join("bin/file"), "").unwrap()),
        ("dir/", |out| fs_err::create_dir(out.join("dir")).unwrap()),
        ("link", |out| symlink("/", out.join("link")).unwrap()),
        // A directory that was replaced by a link is not walked through.
        ("bin", |out| {
            fs_err::rename(out.join("bin"), out.with_file_name("moved")).unwrap();
            symlink("../moved", out.join("bin")).unwrap();
        }),
        ("bin", |out| fs_err::write(out.join(".spokeshave-bundle"), "../a\n").unwrap()),
    ];
    for (name, make) in strangers {
        let place = Place::new();
        let out = place.path("out");
        bundle(&out, &["bin/a"]).unwrap();
        make(&out);
        let before = place.listing();
        let (what, hint) = refusal(&out);
        assert_eq!(what, format!("holds `{name}`, which no earlier bundle put there"));
        assert!(hint.contains("another directory"));
        assert_eq!(place.listing(), before);
    }
    let place = Place::new();
    assert_eq!(refusal(&place.path("target")).0, "holds `app`, which no earlier bundle put there");
    assert_eq!(refusal(&place.path("target/app")).0, "is no directory");
}

#[test]
fn a_stranger_that_came_late_is_found() {
    let place = Place::new();
    let out = place.path("out");
    let mut tree = Tree::create(&out).unwrap();
    tree.write(&at("a"), b"a", 0o644).unwrap();
    fs_err::create_dir(&out).unwrap();
    fs_err::write(out.join("mine"), "").unwrap();
    let before = place.below("out");
    assert!(tree.finish(Vec::new()).is_err());
    assert_eq!(place.below("out"), before);
    assert_eq!(names(&place.path("")), ["out", "target"]);
}

/// An earlier bundle that got a stranger in the last instant is not removed.
#[test]
fn an_old_bundle_with_a_stranger_is_kept() {
    let place = Place::new();
    let out = place.path("out");
    bundle(&out, &["a"]).unwrap();
    let mut tree = Tree::create(&out).unwrap();
    tree.write(&at("b"), b"b", 0o644).unwrap();
    let delivered = tree.finish(Vec::new()).unwrap();
    let old = names(&place.path("")).into_iter().find(|name| name.starts_with(".spokeshave-")).unwrap();
    fs_err::write(place.path(&old).join("mine"), "mine").unwrap();
    let [warning] = <[_; 1]>::try_from(delivered.finalize()).unwrap();
    assert!(warning.contains(&old) && warning.contains("`mine`"), "{warning}");
    // Nor by the next run, which says so again.
    assert_eq!(bundle(&out, &["c"]).unwrap().len(), 1);
    assert_eq!(fs_err::read_to_string(place.path(&old).join("mine")).unwrap(), "mine");
}

#[test]
fn unfinished_leaves_nothing() {
    let place = Place::new();
    let before = place.listing();
    let mut tree = Tree::create(&place.path("new/dirs/out")).unwrap();
    tree.write(&at("bin/a"), b"a", 0o644).unwrap();
    drop(tree);
    assert_eq!(place.listing(), before);
}

#[test]
fn refuses_names() {
    let place = Place::new();
    let mut tree = Tree::create(&place.path("out")).unwrap();
    tree.write(&at("a"), b"", 0o644).unwrap();
    for name in ["a", "a/b", ".spokeshave-bundle", "x\ny"] {
        assert!(tree.write(&at(name), b"", 0o644).is_err(), "{name:?}");
    }
}

#[test]
fn dead_directories_of_this_output_are_swept() {
    let place = Place::new();
    let dead = Arc::new(Faulty::new(WORLD));
    for name in ["out", "other"] {
        let mut tree = Tree::create_on(Arc::clone(&dead) as Arc<dyn Fs>, &place.path(name)).unwrap();
        tree.write(&at("bin/a"), b"", 0o644).unwrap();
        if name == "other" {
            dead.kill();
        }
        std::mem::forget(tree);
    }
    // Those that are forgotten still hold their locks.
    bundle(&place.path("out"), &["a"]).unwrap();
    assert_eq!(names(&place.path("")).len(), 4);

    let dead = Arc::new(Faulty::new(WORLD));
    let mut tree = Tree::create_on(Arc::clone(&dead) as Arc<dyn Fs>, &place.path("third")).unwrap();
    tree.write(&at("bin/a"), b"", 0o644).unwrap();
    dead.kill();
    drop(tree);
    assert_eq!(names(&place.path("")).len(), 5);
    bundle(&place.path("out"), &["a"]).unwrap();
    assert_eq!(names(&place.path("")).len(), 5, "another output's");
    bundle(&place.path("third"), &["a"]).unwrap();
    assert_eq!(names(&place.path("")).len(), 5, "one went, one came");
}

#[test]
fn where_directories_cant_change_places() {
    let place = Place::new();
    let out = place.path("out");
    bundle(&out, &["a"]).unwrap();
    let fs = Arc::new(Faulty::new(World { exchange: false, ..WORLD })) as Arc<dyn Fs>;
    let mut tree = Tree::create_on(fs, &out).unwrap();
    tree.write(&at("b"), b"b", 0o644).unwrap();
    assert_eq!(tree.finish(Vec::new()).unwrap().finalize(), Vec::<String>::new());
    assert_eq!(names(&out), [".spokeshave-bundle", "b"]);
    assert_eq!(names(&place.path("")), ["out", "target"]);
}
