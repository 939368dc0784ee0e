//! Random steps of two runs, a build, faults and kills, against a model.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::super::begin::stage_on;
use super::super::fs::Fs;
use super::super::states::{Delivered, Placed, Restored, Staged};
use super::super::tree::Tree;
use super::faulty::{EACCES, EIO, ENOSPC, EXDEV, Fault, Faulty, World};
use super::{Place, at};
use crate::{Result, Silent};

/// Origins; the first two are names of one inode.
const ORIGINS: [&str; 3] = ["target/app", "target/deps/app", "target/tool"];

#[derive(Debug, Clone)]
enum Step {
    /// Makes the tree if the run has none, and stages some origins.
    Stage(usize, Vec<usize>),
    Restore(usize, usize),
    /// With patched bytes, or as they are.
    Place(usize, usize, bool),
    Finish(usize),
    Finalize(usize),
    Drop(usize),
    Kill(usize),
    Fault(usize, usize, Fault),
    Build(usize, Build),
    /// Somebody puts a file into the deliverable, or takes it away.
    Stranger(bool),
}

#[derive(Debug, Clone, Copy)]
enum Build {
    InPlace,
    Replace,
    Touch,
    Mode,
}

fn step() -> impl Strategy<Value = Step> {
    let run = 0..2usize;
    let item = 0..3usize;
    let fault = prop_oneof![
        prop::sample::select(vec![EIO, ENOSPC, EACCES, EXDEV]).prop_map(Fault::Error),
        Just(Fault::Kill)
    ];
    let build = prop::sample::select(vec![Build::InPlace, Build::Replace, Build::Touch, Build::Mode]);
    prop_oneof![
        6 => (run.clone(), prop::sample::subsequence(vec![0, 1, 2], 1..=3)).prop_map(|(r, o)| Step::Stage(r, o)),
        4 => (run.clone(), item.clone()).prop_map(|(r, i)| Step::Restore(r, i)),
        8 => (run.clone(), item.clone(), any::<bool>()).prop_map(|(r, i, patched)| Step::Place(r, i, patched)),
        5 => run.clone().prop_map(Step::Finish),
        3 => run.clone().prop_map(Step::Finalize),
        1 => run.clone().prop_map(Step::Drop),
        1 => run.clone().prop_map(Step::Kill),
        3 => (run, 0..30usize, fault).prop_map(|(r, calls, fault)| Step::Fault(r, calls, fault)),
        2 => (item, build).prop_map(|(i, build)| Step::Build(i, build)),
        1 => any::<bool>().prop_map(Step::Stranger),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let often = || prop::bool::weighted(0.8);
    (any::<bool>(), often(), often(), often(), often()).prop_map(
        |(reflinks, links, nameless, exchange, locks)| World { reflinks, links, nameless, exchange, locks },
    )
}

/// What a file must hold.
#[derive(Debug, Clone, PartialEq)]
struct Content {
    bytes: Vec<u8>,
    mode: u32,
    mtime: (i64, i64),
    inode: u64,
}

enum Slot {
    Staged(Staged),
    Restored(Restored),
}

/// One run: what it holds, and what it ought to deliver.
struct Run {
    fs: Arc<Faulty>,
    tree: Option<Tree>,
    slots: Vec<(usize, Slot, Content)>,
    placed: Vec<(usize, Placed, Content)>,
    delivered: Option<(Delivered, Vec<Content>)>,
    expected: BTreeMap<String, Vec<u8>>,
}

impl Run {
    fn new(world: World) -> Self {
        let fs = Arc::new(Faulty::new(world));
        let (slots, placed, expected) = (Vec::new(), Vec::new(), BTreeMap::new());
        Run { fs, tree: None, slots, placed, delivered: None, expected }
    }

    /// The inodes that it has locked.
    fn holds(&self) -> impl Iterator<Item = u64> {
        let slots = self.slots.iter().map(|(.., content)| content);
        let placed = self.placed.iter().map(|(.., content)| content);
        let delivered = self.delivered.iter().flat_map(|(_, contents)| contents);
        slots.chain(placed).chain(delivered).map(|content| content.inode)
    }
}

struct Model {
    place: Place,
    world: World,
    runs: [Run; 2],
    origins: Vec<Content>,
    /// What stands at the deliverable's place; `None` when nothing does.
    out: Option<BTreeMap<String, Vec<u8>>>,
    stranger: bool,
    writes: u64,
    /// A fault or a kill may have left something.
    littered: bool,
}

impl Model {
    fn new(world: World) -> Self {
        let place = Place::quick();
        place.build("target/tool", b"tool", 0o750);
        let origins = ORIGINS.map(|name| content(&place.path(name))).into();
        let runs = [Run::new(world), Run::new(world)];
        Model { place, world, runs, origins, out: None, stranger: false, writes: 0, littered: false }
    }

    fn out(&self) -> PathBuf {
        self.place.path("dist/app")
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Stage(run, origins) => self.stage(run, &origins),
            Step::Restore(run, item) => {
                let run = &mut self.runs[run];
                if run.slots.get(item).is_some_and(|(_, slot, _)| matches!(slot, Slot::Staged(_))) {
                    let (origin, slot, content) = run.slots.remove(item);
                    let Slot::Staged(staged) = slot else { unreachable!() };
                    match staged.restore_origin() {
                        Ok(restored) => run.slots.push((origin, Slot::Restored(restored), content)),
                        Err(error) => self.failed(error),
                    }
                }
            }
            Step::Place(run, item, patched) => self.put(run, item, patched),
            Step::Finish(run) => self.finish(run),
            Step::Finalize(run) => {
                if let Some((delivered, _)) = self.runs[run].delivered.take() {
                    let warnings = delivered.finalize();
                    assert!(warnings.is_empty() || self.faulted() || self.littered, "{warnings:?}");
                    self.reset(run);
                }
            }
            Step::Drop(run) => self.reset(run),
            Step::Kill(run) => {
                self.runs[run].fs.kill();
                self.reset(run);
            }
            Step::Fault(run, calls, fault) => self.runs[run].fs.fault(calls, fault),
            Step::Build(origin, build) => self.build(origin, build),
            Step::Stranger(there) => {
                let path = self.out().join("stranger");
                if there && self.out.is_some() {
                    fs_err::write(&path, "mine").unwrap();
                    self.stranger = true;
                } else if self.stranger {
                    fs_err::remove_file(&path).unwrap();
                    self.stranger = false;
                }
            }
        }
        for run in 0..2 {
            if self.runs[run].fs.dead() {
                self.reset(run);
            }
        }
    }

    /// Drops all that a run has, as it is; a new one takes its place.
    fn reset(&mut self, run: usize) {
        let old = std::mem::replace(&mut self.runs[run], Run::new(self.world));
        self.littered |= old.fs.fired() || old.fs.dead();
        let fs = Arc::clone(&old.fs);
        drop(old);
        self.littered |= fs.fired() || fs.dead();
    }

    fn faulted(&self) -> bool {
        self.runs.iter().any(|run| run.fs.fired() || run.fs.dead())
    }

    /// A step that failed did so because of a fault.
    fn failed(&mut self, error: anyhow::Error) {
        assert!(self.faulted(), "without a fault: {error}");
    }

    fn stage(&mut self, index: usize, origins: &[usize]) {
        let out = self.out();
        if self.runs[index].delivered.is_some() {
            return;
        }
        if self.runs[index].tree.is_none() {
            match Tree::create_on(Arc::clone(&self.runs[index].fs) as Arc<dyn Fs>, &out) {
                Ok(tree) => self.runs[index].tree = Some(tree),
                Err(error) => {
                    assert!(self.stranger || self.faulted(), "{error}");
                    return;
                }
            }
        }
        let inodes: Vec<u64> = origins.iter().map(|&origin| self.origins[origin].inode).collect();
        let busy = self.runs.iter().flat_map(Run::holds).any(|inode| inodes.contains(&inode));
        let paths: Vec<PathBuf> = origins.iter().map(|&origin| self.place.path(ORIGINS[origin])).collect();
        let run = &mut self.runs[index];
        let staged = match stage_on(&(Arc::clone(&run.fs) as Arc<dyn Fs>), &paths, &out, &Silent) {
            Ok(staged) => staged,
            Err(error) => {
                assert!((busy && self.world.locks) || self.faulted(), "{error}");
                return;
            }
        };
        assert!(!busy || !self.world.locks || self.faulted());
        for (staged, &origin) in staged.into_iter().zip(origins) {
            let content = self.origins[origin].clone();
            assert_eq!(staged.mode(), content.mode & 0o777);
            let run = &mut self.runs[index];
            let bytes = staged.source().open();
            assert!(bytes.is_ok_and(|bytes| *bytes == *content.bytes) || run.fs.fired());
            run.slots.push((origin, Slot::Staged(staged), content));
        }
    }

    fn put(&mut self, index: usize, item: usize, patched: bool) {
        let run = &mut self.runs[index];
        if item >= run.slots.len() {
            return;
        }
        let Some(tree) = &mut run.tree else { return };
        let (origin, slot, content) = run.slots.remove(item);
        let name = format!("bin/{origin}-{}", run.expected.len());
        let path = at(&name);
        let new = [b"patched ", &content.bytes[..]].concat();
        let (placed, bytes): (Result<Placed>, _) = match slot {
            Slot::Restored(restored) if patched => (restored.place(Some(&new), tree, &path), new),
            Slot::Restored(restored) => (restored.place(None, tree, &path), content.bytes.clone()),
            Slot::Staged(staged) => (staged.place(tree, &path), content.bytes.clone()),
        };
        match placed {
            Ok(placed) => {
                run.expected.insert(name, bytes);
                run.placed.push((origin, placed, content));
            }
            Err(error) => {
                let changed = self.origins[origin] != content;
                assert!(changed || self.faulted(), "without a fault: {error}");
                self.reset(index);
            }
        }
    }

    fn finish(&mut self, index: usize) {
        let run = &mut self.runs[index];
        let Some(tree) = run.tree.take() else { return };
        let (mut placed, mut contents, mut changed) = (Vec::new(), Vec::new(), false);
        for (origin, state, content) in run.placed.drain(..) {
            changed |= self.origins[origin] != content;
            placed.push(state);
            contents.push(content);
        }
        let expected = std::mem::take(&mut run.expected);
        match tree.finish(placed) {
            Ok(delivered) => {
                assert!(!changed && !self.stranger);
                let root = self.out();
                let modes = expected.keys().map(|name| fs_err::metadata(root.join(name)).unwrap());
                assert!(modes.into_iter().all(|meta| meta.nlink() == 1));
                self.runs[index].delivered = Some((delivered, contents));
                self.out = Some(expected);
            }
            Err(error) => {
                assert!(changed || self.stranger || self.faulted(), "without a fault: {error}");
                if self.runs[index].fs.dead() {
                    let there = self.there();
                    let gone = there.is_none() && !self.world.exchange;
                    assert!(there == self.out || there.as_ref() == Some(&expected) || gone);
                    self.stranger &= there == self.out;
                    self.out = there;
                }
                self.reset(index);
            }
        }
    }

    /// What a build does; every write has a time of its own.
    fn build(&mut self, origin: usize, build: Build) {
        self.writes += 1;
        let time = SystemTime::now() - Duration::from_secs(3000) + Duration::from_millis(self.writes);
        let path = self.place.path(ORIGINS[origin]);
        let bytes = format!("build {}", self.writes);
        match build {
            Build::InPlace => fs_err::write(&path, bytes).unwrap(),
            Build::Replace => {
                let new = self.place.path("new");
                fs_err::write(&new, bytes).unwrap();
                fs_err::rename(&new, &path).unwrap();
            }
            Build::Touch => {}
            Build::Mode => {
                let mode = if self.writes.is_multiple_of(2) { 0o755 } else { 0o700 };
                fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            }
        }
        let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        file.file().set_modified(time).unwrap();
        self.origins = ORIGINS.map(|name| content(&self.place.path(name))).into();
    }

    /// The deliverable as it stands there.
    fn there(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        let list = fs_err::read_to_string(self.out().join(".spokeshave-bundle")).ok()?;
        let read = |name: &str| (name.to_owned(), fs_err::read(self.out().join(name)).unwrap());
        Some(list.lines().map(read).collect())
    }

    fn check(&self) {
        for (name, content_then) in ORIGINS.iter().zip(&self.origins) {
            assert_eq!(content(&self.place.path(name)), *content_then, "{name}");
        }
        assert_eq!(self.there(), self.out);
        if self.littered || self.faulted() {
            return;
        }
        for run in &self.runs {
            let restored = run.slots.iter().filter(|(_, slot, _)| matches!(slot, Slot::Restored(_)));
            for (.., content) in restored.filter(|_| self.world.locks) {
                assert!(!self.links().contains(&content.inode));
            }
        }
        if self
            .runs
            .iter()
            .all(|run| run.holds().next().is_none() && run.tree.is_none() && run.delivered.is_none())
        {
            self.clean();
        }
    }

    /// The inodes that links of ours lead to.
    fn links(&self) -> Vec<u64> {
        let dirs = ["target/.spokeshave", "target/deps/.spokeshave"].map(|dir| self.place.path(dir));
        let entries = dirs.iter().filter_map(|dir| fs_err::read_dir(dir).ok()).flatten();
        entries.map(|entry| entry.unwrap().metadata().unwrap().ino()).collect()
    }

    /// Nothing of ours stands anywhere.
    fn clean(&self) {
        let listing = self.place.listing();
        let ours = |line: &&String| line.contains("/.spokeshave") && !line.contains("/.spokeshave-bundle ");
        assert_eq!(listing.iter().find(ours), None);
        let links = if self.origins[0].inode == self.origins[1].inode { 2 } else { 1 };
        for origin in &ORIGINS[..2] {
            assert_eq!(fs_err::metadata(self.place.path(origin)).unwrap().nlink(), links);
        }
    }

    /// All runs end; the next one succeeds and leaves nothing.
    fn end(mut self) {
        for run in 0..2 {
            self.reset(run);
        }
        self.check();
        self.step(Step::Stranger(false));
        // A host without locks can't tell what is dead.
        if !self.world.locks {
            return;
        }
        self.step(Step::Stage(0, vec![0, 1, 2]));
        self.step(Step::Restore(0, 2));
        (0..3).for_each(|_| self.step(Step::Place(0, 0, true)));
        self.step(Step::Finish(0));
        assert_eq!(self.out.as_ref().map(BTreeMap::len), Some(3));
        self.step(Step::Finalize(0));
        self.check();
        self.clean();
    }
}

fn content(path: &std::path::Path) -> Content {
    let meta = fs_err::metadata(path).unwrap();
    Content {
        bytes: fs_err::read(path).unwrap(),
        mode: meta.mode() & 0o7777,
        mtime: (meta.mtime(), meta.mtime_nsec()),
        inode: meta.ino(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn holds_whatever_happens(world in world(), steps in prop::collection::vec(step(), 1..30)) {
        let mut model = Model::new(world);
        for step in steps {
            model.step(step);
            model.check();
        }
        model.end();
    }
}
