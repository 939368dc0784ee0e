//! What is held of an origin, and that nothing stays.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::super::begin::stage_on;
use super::super::fs::Fs;
use super::super::{Hold, Staged, Tree, stage};
use super::faulty::{Faulty, WORLD, World};
use super::{Place, at};
use crate::{Event, EventSink, Result, Silent};

fn staged(place: &Place, origins: &[&str]) -> Result<Vec<Staged>> {
    let paths: Vec<_> = origins.iter().map(|origin| place.path(origin)).collect();
    stage(&paths, &place.path("dist/app"), &Silent)
}

fn message(place: &Place, origin: &str) -> String {
    let text = staged(place, &[origin]).unwrap_err().to_string();
    text.replace(&place.path("").display().to_string(), "")
}

#[test]
fn patched_and_unpatched() {
    let place = Place::new();
    place.build("target/tool", b"tool", 0o750);
    let before = place.listing();
    let out = place.path("dist/app");
    let mut tree = Tree::create(&out).unwrap();
    let [app, tool] = <[_; 2]>::try_from(staged(&place, &["target/app", "target/tool"]).unwrap()).unwrap();
    assert_eq!((app.mode(), tool.mode()), (0o755, 0o750));
    assert_eq!(&*app.source().open().unwrap(), b"as built");
    let placed = vec![
        app.restore_origin().unwrap().place(Some(b"patched"), &mut tree, &at("bin/app")).unwrap(),
        tool.place(&mut tree, &at("bin/tool")).unwrap(),
    ];
    assert!(!out.exists());
    assert_eq!(tree.finish(placed).unwrap().finalize(), Vec::<String>::new());
    assert_eq!(place.read("dist/app/bin/app"), b"patched");
    assert_eq!(place.read("dist/app/bin/tool"), b"tool");
    assert_eq!(place.read("dist/app/.spokeshave-bundle"), b"bin/app\nbin/tool\n");
    assert_eq!(place.mode("dist/app/bin/tool"), 0o750);
    assert_eq!(place.below("target"), before);
}

#[test]
fn two_names_of_one_inode_share_a_hold() {
    let place = Place::new();
    let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
    let before = place.listing();
    let paths = ["target/app", "target/deps/app"].map(|name| place.path(name));
    let both = stage_on(&fs, &paths, &place.path("dist"), &Silent).unwrap();
    assert_eq!(both[0].hold(), Hold::Linked);
    assert_eq!(fs_err::metadata(&paths[0]).unwrap().nlink(), 3);
    let mut both = both.into_iter();
    let first = both.next().unwrap().restore_origin().unwrap();
    // No path of ours leads to it, though the other state goes on.
    assert_eq!(place.listing(), before);
    drop(first);
    assert_eq!(&*both.next().unwrap().source().open().unwrap(), b"as built");
}

#[test]
fn a_mirrored_inode_is_given_to_one_file_only() {
    for nameless in [true, false] {
        let place = Place::new();
        let fs = Arc::new(Faulty::new(World { links: false, nameless, ..WORLD })) as Arc<dyn Fs>;
        let mut tree = Tree::create_on(Arc::clone(&fs), &place.path("dist")).unwrap();
        let paths = ["target/app", "target/deps/app"].map(|name| place.path(name));
        let staged = stage_on(&fs, &paths, &place.path("dist"), &Silent).unwrap();
        let named = ["a", "b"].map(at);
        let placed = staged.into_iter().zip(&named).map(|(staged, at)| staged.place(&mut tree, at).unwrap());
        let placed = placed.collect();
        assert_eq!(tree.finish(placed).unwrap().finalize(), Vec::<String>::new());
        for name in ["dist/a", "dist/b"] {
            assert_eq!((place.read(name), place.mode(name)), (b"as built".to_vec(), 0o755));
            assert_eq!(fs_err::metadata(place.path(name)).unwrap().nlink(), 1);
        }
        assert_eq!(fs_err::read_dir(place.path("")).unwrap().count(), 2);
    }
}

#[test]
fn a_copy_is_written_once_and_becomes_the_file() {
    let place = Place::new();
    let calm = Arc::new(Faulty::new(World { links: false, ..WORLD }));
    let fs = Arc::clone(&calm) as Arc<dyn Fs>;
    let paths = ["target/app", "target/deps/app"].map(|name| place.path(name));
    let copies = || calm.calls().into_iter().filter(|call| *call == "copy").count();
    let staged = stage_on(&fs, &paths, &place.path("a"), &Silent).unwrap();
    for (index, (staged, name)) in staged.into_iter().zip(["a", "b"]).enumerate() {
        assert_eq!(staged.deliver(&place.path(name)).unwrap().finalize(), Vec::<String>::new());
        assert_eq!(copies(), 1 + index);
        assert_eq!((place.read(name), place.mode(name)), (b"as built".to_vec(), 0o755));
        assert_eq!(fs_err::metadata(place.path(name)).unwrap().nlink(), 1);
    }
    assert_eq!(fs_err::read_dir(place.path("")).unwrap().count(), 3);
}

#[test]
fn a_build_that_replaces_an_origin_while_it_is_staged_is_seen() {
    let replace = |path: &std::path::Path| {
        fs_err::write(path.with_file_name("new"), "new").unwrap();
        fs_err::rename(path.with_file_name("new"), path).unwrap();
    };
    let write = |path: &std::path::Path| fs_err::write(path, "new").unwrap();
    let links = World { links: true, ..WORLD };
    let copies = World { links: false, ..WORLD };
    let reflinks = World { reflinks: true, ..WORLD };
    for (world, call, does) in [
        (links, "link", replace as super::faulty::Meanwhile),
        (links, "link", write),
        (copies, "copy", write),
        (reflinks, "reflink", write),
    ] {
        let place = Place::new();
        let faulty = Arc::new(Faulty::new(world));
        faulty.meanwhile(call, does, place.path("target/app"));
        let fs = Arc::clone(&faulty) as Arc<dyn Fs>;
        let staged = stage_on(&fs, &[place.path("target/app")], &place.path("dist"), &Silent).unwrap();
        assert_eq!(&*staged[0].source().open().unwrap(), b"new", "{call}");
        staged[0].check("since it was staged").unwrap();
        drop(staged);
        assert!(!place.path("target/.spokeshave").exists());
    }
}

#[test]
fn a_source_that_is_kept_holds_no_lock() {
    let place = Place::new();
    let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
    let stage = || stage_on(&fs, &[place.path("target/app")], &place.path("out"), &Silent);
    let staged = stage().unwrap().pop().unwrap();
    let source = staged.source();
    assert!(stage().is_err());
    assert_eq!(staged.deliver(&place.path("out")).unwrap().finalize(), Vec::<String>::new());
    assert_eq!(stage().unwrap().len(), 1);
    assert_eq!(source.size(), 8);
}

#[test]
fn what_another_path_to_the_inode_still_needs_stays() {
    let place = Place::new();
    let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
    let paths = ["target/app", "target/deps/app"].map(|name| place.path(name));
    let stage = |paths: &[std::path::PathBuf]| stage_on(&fs, paths, &place.path("out"), &Silent);
    let [first, second] = <[_; 2]>::try_from(stage(&paths).unwrap()).unwrap();
    assert_eq!(first.deliver(&place.path("out")).unwrap().finalize(), Vec::<String>::new());
    assert!(stage(&paths[..1]).is_err(), "it is still locked");
    assert_eq!(second.deliver(&place.path("other")).unwrap().finalize(), Vec::<String>::new());
    assert!(stage(&paths[..1]).is_ok());
}

#[test]
fn an_origin_that_is_cut_short_is_what_the_error_names() {
    let place = Place::new();
    let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
    let cut = || {
        let staged = stage_on(&fs, &[place.path("target/app")], &place.path("dist"), &Silent);
        let staged = staged.unwrap().pop().unwrap();
        place.build("target/app", b"as", 0o755);
        staged
    };
    let (in_tree, alone) = (cut(), place.path("out"));
    let error = in_tree.place(&mut Tree::create(&place.path("dist")).unwrap(), &at("app")).unwrap_err();
    assert!(error.to_string().ends_with("target/app: changed since it was staged"), "{error}");
    place.build("target/app", b"as built", 0o755);
    let error = cut().deliver(&alone).unwrap_err();
    assert!(error.to_string().ends_with("target/app: changed since it was staged"), "{error}");
    assert!(!alone.exists());
}

#[test]
fn a_copy_is_made_at_a_side_that_is_not_there_yet() {
    for nameless in [true, false] {
        let place = Place::new();
        let fs = Arc::new(Faulty::new(World { links: false, nameless, ..WORLD })) as Arc<dyn Fs>;
        for out in [place.path("no/such/dir"), "no-such-dir/out".into(), "no-such-out".into()] {
            let staged = stage_on(&fs, &[place.path("target/app")], &out, &Silent).unwrap();
            assert_eq!(&*staged[0].source().open().unwrap(), b"as built");
        }
        assert_eq!(fs_err::read_dir(place.path("")).unwrap().count(), 1);
    }
}

#[test]
fn one_file_is_delivered_whole_or_not_at_all() {
    let place = Place::new();
    let one = || staged(&place, &["target/app"]).unwrap().pop().unwrap();
    let before = place.below("target");
    let out = place.path("out");
    assert_eq!(one().deliver(&out).unwrap().finalize(), Vec::<String>::new());
    assert_eq!((place.read("out"), place.mode("out")), (b"as built".to_vec(), 0o755));
    let restored = one().restore_origin().unwrap();
    assert_eq!(restored.deliver(Some(b"patched"), &out).unwrap().finalize(), Vec::<String>::new());
    assert_eq!(place.read("out"), b"patched");
    let error = one().deliver(&place.path("target/deps/app")).unwrap_err().to_string();
    assert!(error.ends_with("target/deps/app: is the build's own output"), "{error}");
    assert_eq!(place.below("target"), before);

    let changed = one();
    place.build("target/app", b"rebuilt!", 0o755);
    let error = changed.deliver(&out).unwrap_err().to_string();
    assert!(error.ends_with("target/app: changed since it was staged"), "{error}");
    assert_eq!(place.read("out"), b"patched");
}

#[test]
fn a_change_is_found_and_named() {
    use std::os::unix::fs::PermissionsExt;
    let changes: [fn(&Place); 6] = [
        |place| place.build("target/app", b"rewritten", 0o755),
        |place| place.build("target/app", b"", 0o755),
        |place| {
            place.build("new", b"as built", 0o755);
            fs_err::rename(place.path("new"), place.path("target/app")).unwrap();
        },
        |place| fs_err::remove_file(place.path("target/app")).unwrap(),
        |place| {
            fs_err::set_permissions(place.path("target/app"), PermissionsExt::from_mode(0o700)).unwrap();
        },
        // At once and of the same size: the time alone tells.
        |place| fs_err::write(place.path("target/app"), b"AS BUILT").unwrap(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let place = Place::new();
        if index == 5 {
            fs_err::write(place.path("target/app"), b"as built").unwrap();
        }
        let staged = staged(&place, &["target/app"]).unwrap().pop().unwrap();
        staged.check("too early").unwrap();
        change(&place);
        let error = staged.check("while the backend `x` worked on it").unwrap_err().to_string();
        assert!(
            error.ends_with("target/app: changed while the backend `x` worked on it"),
            "{index}: {error}"
        );
        let tree = &mut Tree::create(&place.path("dist")).unwrap();
        let _ = staged.place(tree, &at("app"));
        assert!(place.below("target").iter().all(|line| !line.contains(".spokeshave")));
    }
}

#[test]
fn what_is_read_is_what_was_staged() {
    let place = Place::new();
    let staged = staged(&place, &["target/app"]).unwrap().pop().unwrap();
    place.build("target/app", b"as", 0o755);
    let error = staged.source().open().unwrap_err().to_string();
    assert!(error.ends_with("target/app: changed while it was read"), "{error}");
}

#[test]
fn refuses_what_is_no_file() {
    let place = Place::new();
    symlink("nowhere", place.path("target/dangling")).unwrap();
    assert_eq!(message(&place, "target/none"), "target/none: not found");
    assert_eq!(message(&place, "target/dangling"), "target/dangling: not found");
    assert!(message(&place, "target").contains("directory"));
    let error = stage(&["/dev/null".into()], &place.path("dist"), &Silent).unwrap_err().to_string();
    assert_eq!(error, "/dev/null: can't be staged: it is no regular file");
}

#[test]
fn a_link_is_held_beside_the_real_file() {
    let place = Place::new();
    symlink("target/app", place.path("link")).unwrap();
    let _staged = staged(&place, &["link"]).unwrap();
    assert!(!place.path(".spokeshave").exists());
}

#[test]
fn an_unusable_directory_beside_it_leads_to_a_copy() {
    let uses: [fn(&Place); 2] = [
        |place| fs_err::write(place.path("target/.spokeshave"), "mine").unwrap(),
        |place| {
            fs_err::create_dir(place.path("elsewhere")).unwrap();
            symlink(place.path("elsewhere"), place.path("target/.spokeshave")).unwrap();
        },
    ];
    for make in uses {
        let place = Place::new();
        make(&place);
        let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
        let before = place.listing();
        let staged = stage_on(&fs, &[place.path("target/app")], &place.path("dist"), &Silent).unwrap();
        assert_eq!(staged[0].hold(), Hold::Mirrored);
        assert_eq!(place.listing(), before);
    }
}

#[test]
fn sweeps_what_the_dead_left_and_nothing_else() {
    let place = Place::new();
    place.build("target/live", b"live", 0o755);
    let fs = Arc::new(Faulty::new(WORLD)) as Arc<dyn Fs>;
    let live = stage_on(&fs, &[place.path("target/live")], &place.path("dist"), &Silent).unwrap();
    let dead = Arc::new(Faulty::new(WORLD));
    let on_dead = Arc::clone(&dead) as Arc<dyn Fs>;
    let left = stage_on(&on_dead, &[place.path("target/app")], &place.path("dist"), &Silent).unwrap();
    dead.kill();
    drop(left);
    let holds = place.path("target/.spokeshave");
    for name in ["notes.txt", "link-", "link-x"] {
        fs_err::write(holds.join(name), "mine").unwrap();
    }
    symlink(place.path("target/app"), holds.join("link-1-2-3")).unwrap();
    let names = || fs_err::read_dir(&holds).unwrap().count();
    assert_eq!(names(), 6);

    let next = stage_on(&fs, &[place.path("target/deps/app")], &place.path("dist"), &Silent).unwrap();
    drop(next);
    assert_eq!(names(), 6, "another directory's");
    let next = stage_on(&fs, &[place.path("target/app")], &place.path("dist"), &Silent).unwrap();
    assert_eq!(names(), 6, "one went, one came");
    drop(next);
    assert_eq!(fs_err::metadata(place.path("target/app")).unwrap().nlink(), 2);
    assert_eq!(fs_err::metadata(place.path("target/live")).unwrap().nlink(), 2);
    drop(live);
    assert_eq!(names(), 4);
}

/// Tells that somebody waits.
struct Waiting(mpsc::SyncSender<()>);

impl EventSink for Waiting {
    fn event(&self, event: Event) {
        if let Event::Waiting { path } = event {
            assert!(path.ends_with("target/deps/app"));
            self.0.send(()).unwrap();
        }
    }
}

#[test]
fn a_second_run_waits_and_sees_what_stands_there_then() {
    let place = Place::new();
    let first = staged(&place, &["target/app"]).unwrap();
    std::thread::scope(|scope| {
        let (waits, told) = mpsc::sync_channel(1);
        let place = &place;
        let second = scope.spawn(move || {
            let paths = [place.path("target/deps/app"), place.path("target/app")];
            let staged = stage(&paths, &place.path("dist"), &Waiting(waits)).unwrap();
            staged.iter().map(|staged| staged.source().open().unwrap().to_vec()).collect::<Vec<_>>()
        });
        told.recv_timeout(Duration::from_secs(60)).unwrap();
        place.build("target/new", b"new", 0o755);
        fs_err::rename(place.path("target/new"), place.path("target/app")).unwrap();
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.join().unwrap(), [b"as built".to_vec(), b"new".to_vec()]);
    });
    assert!(!place.path("target/.spokeshave").exists());
}

#[test]
fn runs_at_once_each_deliver_what_they_staged() {
    let place = Place::new();
    place.build("target/tool", b"tool", 0o750);
    let before = place.below("target");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for round in 0..10 {
                    let out = place.path(if thread % 2 == 0 { "dist/shared" } else { "dist/other" });
                    let mut tree = Tree::create(&out).unwrap();
                    let mut origins = vec![place.path("target/app"), place.path("target/tool")];
                    origins.rotate_left((thread + round) % 2);
                    let staged = stage(&origins, &out, &Silent).unwrap();
                    let name = |staged: &Staged| at(staged.origin().file_name().unwrap().to_str().unwrap());
                    let placed = staged.into_iter().map(|staged| {
                        let name = name(&staged);
                        staged.place(&mut tree, &name).unwrap()
                    });
                    let placed = placed.collect();
                    assert_eq!(tree.finish(placed).unwrap().finalize(), Vec::<String>::new());
                }
            });
        }
    });
    assert_eq!(place.below("target"), before);
    assert_eq!(fs_err::read_dir(place.path("dist")).unwrap().count(), 2);
    assert_eq!(
        (place.read("dist/shared/app"), place.read("dist/other/tool")),
        (b"as built".into(), b"tool".into())
    );
}
