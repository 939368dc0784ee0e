//! Every call of a run fails once in every way, and the process is killed before every one.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::begin::stage_on;
use super::super::fs::Fs;
use super::super::{Hold, Tree};
use super::faulty::{EACCES, EIO, ENOSPC, EXDEV, Fault, Faulty, WORLD, World};
use super::{Place, at};
use crate::{Error, Result, Silent};

/// A bundle of two origins, one patched, in the place of an earlier one; its warnings.
fn run(place: &Place, fs: &Arc<Faulty>, content: &[u8]) -> Result<Vec<String>> {
    let fs = Arc::clone(fs) as Arc<dyn Fs>;
    let out = place.path("dist/app");
    let mut tree = Tree::create_on(Arc::clone(&fs), &out)?;
    tree.write(&at("libs/carried"), content, 0o644)?;
    let origins: Vec<PathBuf> = ["target/app", "target/tool"].map(|name| place.path(name)).into();
    let mut placed = Vec::new();
    for (index, staged) in stage_on(&fs, &origins, &out, &Silent)?.into_iter().enumerate() {
        placed.push(match index {
            0 => staged.restore_origin()?.place(Some(b"patched"), &mut tree, &at("bin/app"))?,
            _ => staged.place(&mut tree, &at("bin/tool"))?,
        });
    }
    Ok(tree.finish(placed)?.finalize())
}

/// What stands in `dist`, but for inodes and times.
fn dist(place: &Place) -> Vec<(String, Vec<u8>)> {
    let names = ["bin/app", "bin/tool", "libs/carried", ".spokeshave-bundle"];
    let read = |name: &str| Some((name.to_owned(), fs_err::read(place.path("dist/app").join(name)).ok()?));
    names.iter().filter_map(|name| read(name)).collect()
}

/// Runs it with each fault at each call; gives back how many calls there were.
fn enumerate(world: World) -> usize {
    let prepare = || {
        let place = Place::quick();
        place.build("target/tool", b"tool", 0o750);
        run(&place, &Arc::new(Faulty::new(world)), b"first").unwrap();
        place
    };
    let calm = Arc::new(Faulty::new(world));
    let place = prepare();
    let old = dist(&place);
    assert_eq!(run(&place, &calm, b"second").unwrap(), Vec::<String>::new());
    let new = dist(&place);
    assert!(old.len() == 4 && new != old);
    let calls = calm.calls();

    let errors = [EIO, ENOSPC, EACCES, EXDEV].map(Fault::Error);
    for (index, call) in calls.iter().enumerate() {
        for fault in errors.into_iter().chain([Fault::Kill]) {
            let place = prepare();
            let before = place.below("target");
            let fs = Arc::new(Faulty::new(world));
            fs.fault(index, fault);
            let result = run(&place, &fs, b"second");
            let what = format!("{fault:?} at call {index} ({call}), {world:?}: {result:?}");
            assert!(fs.fired(), "{what}");

            let there = dist(&place);
            match &result {
                Ok(_) => assert_eq!(there, new, "{what}"),
                Err(_) if fs.dead() => {
                    let gone = there.is_empty() && !world.exchange;
                    assert!(there == old || there == new || gone, "{what}: {there:?}");
                }
                Err(error) => {
                    assert_eq!(there, old, "{what}");
                    let error = error.downcast_ref::<Error>().unwrap_or_else(|| panic!("{what}"));
                    assert!(error.path.is_some() && error.hint.is_some(), "{what}");
                }
            }
            unharmed(&place, &before, &what);
            if world.locks {
                run(&place, &Arc::new(Faulty::new(world)), b"second").unwrap();
                assert_eq!(dist(&place), new, "{what}");
                assert_eq!(place.below("target"), before, "{what}");
                assert_eq!(fs_err::read_dir(place.path("dist")).unwrap().count(), 1, "{what}");
            }
        }
    }
    eprintln!("{world:?}: {} calls, {} runs", calls.len(), calls.len() * (errors.len() + 1));
    calls.len()
}

/// Origins are as they were, but that a link of ours may still be there.
fn unharmed(place: &Place, before: &[String], what: &str) {
    let unlinked = |line: &str| -> Vec<String> {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.len() > 2 {
            words.remove(2);
        }
        words
    };
    let now = place.below("target");
    let now: Vec<_> =
        now.iter().filter(|line| !line.contains("/.spokeshave/")).map(|l| unlinked(l)).collect();
    let before: Vec<_> = before.iter().map(|line| unlinked(line)).collect();
    assert_eq!(now, before, "{what}");
}

#[test]
fn links() {
    assert!(enumerate(WORLD) > 40);
    enumerate(World { exchange: false, ..WORLD });
}

#[test]
fn reflinks() {
    enumerate(World { reflinks: true, ..WORLD });
}

#[test]
fn copies() {
    enumerate(World { links: false, ..WORLD });
    enumerate(World { links: false, nameless: false, ..WORLD });
}

#[test]
fn no_locks() {
    enumerate(World { locks: false, ..WORLD });
}

#[test]
fn the_worlds_are_what_they_say() {
    for (world, hold) in [
        (WORLD, Hold::Linked),
        (World { reflinks: true, ..WORLD }, Hold::Mirrored),
        (World { links: false, ..WORLD }, Hold::Mirrored),
    ] {
        let place = Place::new();
        let fs = Arc::new(Faulty::new(world)) as Arc<dyn Fs>;
        let staged = stage_on(&fs, &[place.path("target/app")], &place.path("dist"), &Silent).unwrap();
        assert_eq!(staged[0].hold(), hold);
        assert_eq!(&*staged[0].source().open().unwrap(), b"as built");
    }
}
