//! A place with build outputs, a command that makes a deliverable of them, and what must be true of both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_testkit::mounts::{self, Mounted};
use spokeshave_testkit::snapshot::{Entry, Snapshot, contents, entry, set_attribute, snapshot};
use spokeshave_testkit::strace::{self, Call};
use spokeshave_testkit::{Bench, Cc, Libs, Outcome, run};

/// How the origins can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A further hard link.
    Linked,
    /// Everything on an xfs: a reflink.
    Mirrored,
    /// The origins on a tmpfs of their own: a link there, and bytes that must be copied to the output.
    OtherDevice,
    /// The origins' directory is read-only: a copy at the output's side.
    ReadOnly,
    /// One origin is a mount point: no link leads out of it, though its directory can be written to.
    MountPoint,
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A new bundle of two programs, of which one needs external libraries.
    Bundle,
    /// The same where an earlier bundle stands.
    Replace,
    /// A program with linked paths.
    Editable,
    /// A wheel.
    Wheel,
}

/// A place, what is made there, and whether a bill of materials comes with it (most of a run's time is then the reading
/// of the system's package database).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    pub place: Place,
    pub door: Door,
    pub sbom: bool,
}

impl Case {
    pub const fn new(place: Place, door: Door) -> Case {
        Case { place, door, sbom: false }
    }

    pub fn with_sbom(self) -> Case {
        Case { sbom: true, ..self }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}{}", self.place, self.door, if self.sbom { " with its SBOM" } else { "" })
    }
}

pub struct World {
    _mounted: Option<Mounted>,
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
        let mut mounted = match place {
            Place::Mirrored => Some(mounts::xfs(&root)),
            Place::OtherDevice => Some(mounts::tmpfs(&root.join("target"), "size=64m")),
            Place::Linked | Place::ReadOnly | Place::MountPoint => None,
        };
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
            Place::ReadOnly => mounted = Some(mounts::read_only(&root.join("target"))),
            Place::MountPoint => mounted = Some(mounts::itself(&target.join("app"))),
            Place::Linked | Place::Mirrored | Place::OtherDevice => {}
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
        world.held_as(place);
        world
    }

    /// The scratch directory that everything is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The command, on one thread so that its calls have an order.
    pub fn command(&self) -> Command {
        let mut command = self.bench.command();
        let target = self.root.join("target/release");
        let door = match self.case.door {
            Door::Bundle | Door::Replace => "bundle",
            Door::Editable => "editable",
            Door::Wheel => "repair",
        };
        let mut args: Vec<OsString> = vec![door.into()];
        let lib = self.root.join("lib").into_os_string();
        let output = if self.case.door == Door::Wheel { "-w" } else { "-o" };
        match self.case.door {
            Door::Editable => args.extend(["--linked-path".into(), lib, output.into()]),
            _ => args.extend(["--lib-dir".into(), lib, "--jobs".into(), "1".into(), output.into()]),
        }
        match self.case.door {
            Door::Bundle | Door::Replace => {
                args.extend([self.out().into(), target.join("app").into(), target.join("tool").into()]);
            }
            Door::Editable => args.extend([self.out().join("app").into(), target.join("app").into()]),
            Door::Wheel => {
                args.extend([self.out().into(), target.join("demo-1.0-cp39-abi3-linux_x86_64.whl").into()])
            }
        }
        if !self.case.sbom && self.case.door != Door::Editable {
            args.push("--no-sbom".into());
        }
        command.args(args).env("TMPDIR", self.root.join("tmp"));
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
        let mut before = false;
        let points: Vec<Call> = calls
            .into_iter()
            .filter(|call| call.name != "execve")
            .filter(|call| std::mem::replace(&mut before, call.touches(&self.root)) || before)
            .collect();
        assert!(points.iter().all(|call| call.thread == 0 || self.case.door == Door::Wheel), "{points:#?}");
        points
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

    /// The directory that is the deliverable, or that it appears in.
    fn out(&self) -> PathBuf {
        match self.case.door {
            Door::Bundle | Door::Replace => self.root.join("out/bundle"),
            Door::Editable | Door::Wheel => self.root.join("out"),
        }
    }

    /// Puts back what stood in the deliverable's place before the first run, and nothing else.
    #[track_caller]
    pub fn reset(&self) {
        let out = self.out();
        match self.case.door {
            Door::Bundle | Door::Replace if !out.exists() => {}
            Door::Bundle | Door::Replace => fs_err::remove_dir_all(&out).unwrap(),
            Door::Editable | Door::Wheel => {
                for name in self.finished.keys().filter(|name| out.join(name).exists()) {
                    fs_err::remove_file(out.join(name)).unwrap();
                }
            }
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
        if let Door::Editable | Door::Wheel = self.case.door {
            // Beside the deliverable may stand what a killed run left.
            found.retain(|path, _| !hidden(path));
        }
        if contents(&found) == contents(&self.finished) {
            Ok(Output::Complete)
        } else if contents(&found) == contents(&self.earlier) {
            Ok(Output::Before)
        } else {
            Err(format!("a partial deliverable: {found:#?}\nnot {:#?}", self.finished))
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
        match self.case.door {
            Door::Bundle | Door::Replace => all.retain(|path, _| !path.starts_with("out/bundle")),
            Door::Editable | Door::Wheel => {
                all.retain(|path, _| !path.starts_with("out") || path == Path::new("out") || hidden(path));
            }
        }
        all
    }

    /// Panics unless the report says that the origins were held in the way that the place allows.
    #[track_caller]
    fn held_as(&self, place: Place) {
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
        let expected = match place {
            // Were this on a file system with reflinks, `Linked` would not be seen: set TMPDIR to another one.
            Place::Linked | Place::OtherDevice => ["linked", "linked"],
            Place::Mirrored | Place::ReadOnly => ["mirrored", "mirrored"],
            Place::MountPoint => ["mirrored", "linked"],
        };
        assert_eq!(holds, BTreeMap::from([("app", expected[0]), ("tool", expected[1])]), "{report:#}");
    }
}

fn hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}
