//! A place with build outputs, a command that makes a deliverable of them, and what must be true of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_testkit::mounts::{self, Mounted};
use spokeshave_testkit::snapshot::{Entry, Snapshot, contents, entry, set_attribute, snapshot};
use spokeshave_testkit::strace::{self, Call};
use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome, run};

use crate::case::{Case, Door, Place};

pub struct World {
    _mounted: Vec<Mounted>,
    bench: Bench,
    root: PathBuf,
    case: Case,
    /// The deliverable as a run without trouble makes it.
    finished: Snapshot,
    /// What stood at its place before.
    earlier: Snapshot,
    /// All else, before the first run.
    before: Snapshot,
}

/// What stands where the deliverable is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// What stood there before the run: an earlier one, or nothing.
    Before,
    /// The complete deliverable.
    Complete,
}

impl World {
    /// Builds it and runs the command once without trouble.
    #[track_caller]
    pub fn new(case: Case) -> World {
        let Case { place, door, .. } = case;
        let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
        let root = bench.dir().canonicalize().unwrap().join("root");
        let target = root.join("target/release");
        let mut mounted = Vec::new();
        match place {
            Place::Mirrored => mounted.push(mounts::xfs(&root)),
            Place::OtherDevice => mounted.push(mounts::tmpfs(&root.join("target"), "size=64m")),
            _ => {}
        }
        for dir in ["lib", "out", "tmp", "target/release/deps"] {
            fs_err::create_dir_all(root.join(dir)).unwrap();
        }
        let libs = Libs::new(Cc::gcc(), &root.join("lib"));
        if door == Door::Wheel {
            let wheel = libs.demo().pack(&target);
            fs_err::hard_link(&wheel, target.join("deps/kept.whl")).unwrap();
        } else {
            libs.program(&target.join("app"), &[]);
            Cc::gcc().build(&target.join("tool"), "int main(void) { return 3; }", &[]);
            for (name, mode) in [("app", 0o755), ("tool", 0o750)] {
                let path = target.join(name);
                fs_err::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
                set_attribute(&path, "user.origin", name.as_bytes());
                fs_err::hard_link(&path, target.join(format!("deps/{name}-0123456789abcdef"))).unwrap();
            }
        }
        match place {
            Place::ReadOnly => mounted.push(mounts::read_only(&root.join("target"))),
            Place::MountPoint => mounted.push(mounts::itself(&target.join("app"))),
            Place::LowerLayer => {
                mounted.extend(mounts::lower_layer(&root.join("target"), &bench.dir().join("layers")));
            }
            _ => {}
        }

        let mut world = World {
            bench,
            root,
            case,
            finished: Snapshot::new(),
            earlier: Snapshot::new(),
            before: Snapshot::new(),
            _mounted: mounted,
        };
        world.before = world.all_but_output();
        if door == Door::Replace {
            world.run_with(&["--dist-name", "earlier"]).exits(0);
            world.earlier = snapshot(&world.out());
            world.copy(&world.out(), &world.bench.dir().join("earlier"));
            fs_err::remove_dir_all(world.out()).unwrap();
        }
        world.run().exits(0);
        world.finished = snapshot(&world.out());
        assert_ne!(contents(&world.finished), contents(&world.earlier));
        world.is_as_before().unwrap();
        world.held_as();
        world
    }

    /// The scratch directory that everything is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The command, on one thread so that its calls have an order.
    pub fn command(&self) -> Command {
        let mut command = self.bench.command();
        command.args(self.case.args(&self.root)).env("TMPDIR", self.root.join("tmp"));
        command
    }

    /// Runs it without trouble.
    pub fn run(&self) -> Outcome {
        self.run_with(&[])
    }

    /// The same with further arguments.
    pub fn run_with(&self, more: &[&str]) -> Outcome {
        Outcome::of(self.command().args(more))
    }

    /// The points of a run where what is on disk can be different from what it was at the point before: every call that
    /// touches what is ours, and the one behind it.
    #[track_caller]
    pub fn points(&self) -> Vec<Call> {
        self.reset();
        let (outcome, calls) = strace::trace(&self.command());
        outcome.exits(0);
        self.output_is(Output::Complete).unwrap();
        let ours: Vec<bool> = calls.iter().map(|call| call.touches(&self.root)).collect();
        let point = |index: usize| {
            let call = &calls[index];
            let begun = index > 0 && call.name != "execve";
            // strace counts by thread: of two calls of a name and number it acts on the first.
            let first = !calls[..index].iter().any(|other| other.name == call.name && other.nth == call.nth);
            begun && first && (ours[index] || ours[index - 1])
        };
        (0..calls.len()).filter(|index| point(*index)).map(|index| calls[index].clone()).collect()
    }

    /// Puts the deliverable's place back and runs the command with `attempt`, again when it did not come to the call: how
    /// many there are before hangs a little on where the system loads the program.
    pub fn at<T>(&self, call: &Call, attempt: impl Fn(&Command) -> Option<T>) -> Result<T, String> {
        let again = || {
            self.reset();
            attempt(&self.command())
        };
        (0..3).find_map(|_| again()).ok_or_else(|| format!("{call} was not reached"))
    }

    fn out(&self) -> PathBuf {
        self.case.out(&self.root)
    }

    /// Puts back what stood in the deliverable's place before the first run, and nothing else.
    #[track_caller]
    pub fn reset(&self) {
        let out = self.out();
        if !self.case.is_directory() {
            for name in self.finished.keys().filter(|name| out.join(name).exists()) {
                fs_err::remove_file(out.join(name)).unwrap();
            }
        } else if out.exists() {
            fs_err::remove_dir_all(&out).unwrap();
        }
        if self.case.door == Door::Replace {
            self.copy(&self.bench.dir().join("earlier"), &out);
        }
    }

    #[track_caller]
    fn copy(&self, from: &Path, to: &Path) {
        run("cp", ["-a", from.to_str().unwrap(), to.to_str().unwrap()]);
    }

    /// What stands in the deliverable's place; a part of one is an error.
    pub fn output(&self) -> Result<Output, String> {
        let mut found = snapshot(&self.out());
        if !self.case.is_directory() {
            // Beside the deliverable may stand what a killed run left.
            found.retain(|path, _| !hidden(path));
        }
        if found.is_empty() && self.case.is_directory() && self.out().exists() {
            Err("an empty directory".into())
        } else if contents(&found) == contents(&self.finished) || self.is_another_editable(&found) {
            Ok(Output::Complete)
        } else if contents(&found) == contents(&self.earlier) {
            Ok(Output::Before)
        } else {
            Err(format!("a partial deliverable: {found:#?}\nnot {:#?}", self.finished))
        }
    }

    /// Which of two tags holds the search path depends on what a search finds there, and to find nothing is no error.
    fn is_another_editable(&self, found: &Snapshot) -> bool {
        let sizes = |all: &Snapshot| all.values().map(|entry| entry.bytes.len()).collect::<Vec<_>>();
        self.case.door == Door::Editable && sizes(found) == sizes(&self.finished) && {
            let dynamic = Dynamic::of(&self.out().join("app"));
            dynamic.rpath.or(dynamic.runpath).is_some_and(|path| Path::new(&path) == self.root.join("lib"))
        }
    }

    /// Whether the output is this.
    pub fn output_is(&self, what: Output) -> Result<(), String> {
        let output = self.output()?;
        if output == what { Ok(()) } else { Err(format!("the output is {output:?} instead of {what:?}")) }
    }

    /// Whether the origins and all other names of their inodes are as they were; a killed run may have left a further
    /// name.
    pub fn origins_are_clean(&self) -> Result<(), String> {
        for (path, was) in self.before.iter().filter(|(path, _)| path.starts_with("target")) {
            let is = entry(&self.root.join(path));
            let is = Entry { links: is.links.min(was.links), ..is };
            if is != *was {
                return Err(format!("{} changed from {was:?} to {is:?}", path.display()));
            }
        }
        Ok(())
    }

    /// Whether everything but the deliverable is as it was before the first run: nothing changed, nothing is new.
    pub fn is_as_before(&self) -> Result<(), String> {
        let is = self.all_but_output();
        let differs = |(path, entry): (&PathBuf, &Entry), other: &Snapshot| {
            (other.get(path) != Some(entry)).then(|| format!("{} {entry:?}", path.display()))
        };
        let new: Vec<String> = is.iter().filter_map(|item| differs(item, &self.before)).collect();
        let gone: Vec<String> = self.before.iter().filter_map(|item| differs(item, &is)).collect();
        if new.is_empty() && gone.is_empty() {
            Ok(())
        } else {
            Err(format!("there is now {new:#?}, there was {gone:#?}"))
        }
    }

    /// Runs it without trouble after a run with trouble: the deliverable is complete and nothing is left.
    pub fn next_run(&self) -> Result<(), String> {
        let outcome = self.run();
        if outcome.code != Some(0) {
            return Err(format!("the next run fails: {outcome:?}"));
        }
        let judged = self.output_is(Output::Complete).and_then(|()| self.is_as_before());
        judged.map_err(|what| format!("after the next run: {what}"))
    }

    fn all_but_output(&self) -> Snapshot {
        let mut all = snapshot(&self.root);
        let deliverable = |path: &Path| match self.case.is_directory() {
            true => path.starts_with("out/bundle"),
            false => path.starts_with("out/") && path != Path::new("out") && !hidden(path),
        };
        all.retain(|path, _| !deliverable(path));
        all
    }

    /// Panics unless the report says that the origins were held in the way that the place allows.
    #[track_caller]
    fn held_as(&self) {
        if self.case.door != Door::Bundle {
            return;
        }
        self.reset();
        let report = self.run_with(&["--json"]).exits(0).json();
        let artifacts = report["artifacts"].as_array().or_else(|| report["bundle"]["artifacts"].as_array());
        let artifacts = artifacts.unwrap_or_else(|| panic!("{report:#}"));
        let holds: BTreeMap<&str, &str> = artifacts
            .iter()
            .map(|artifact| (artifact["path"].as_str().unwrap(), artifact["hold"].as_str().unwrap()))
            .collect();
        let expected = match self.case.place {
            // Were this on a file system with reflinks, `Linked` would not be seen: set TMPDIR to another one.
            Place::Linked | Place::OtherDevice => ["linked", "linked"],
            Place::Mirrored | Place::ReadOnly | Place::LowerLayer => ["mirrored", "mirrored"],
            Place::MountPoint => ["mirrored", "linked"],
        };
        assert_eq!(holds, BTreeMap::from([("app", expected[0]), ("tool", expected[1])]), "{report:#}");
    }
}

fn hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}
