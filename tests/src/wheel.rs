//! Wheels, packed and read by Python's own zipfile.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{python, run};

const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/wheeltool.py");

/// The content of a wheel before it is packed.
pub struct Tree {
    dir: TempDir,
    name: String,
    omitted: Vec<String>,
}

impl Tree {
    /// `name` is the wheel's file name without `.whl`: `demo-1.0-cp39-abi3-linux_x86_64`.
    pub fn new(name: &str) -> Tree {
        let parts: Vec<&str> = name.split('-').collect();
        let [dist, version, .., python, abi, platform] = parts[..] else {
            panic!("{name}: not a wheel's name")
        };
        let mut tags = String::new();
        for (p, a, t) in python
            .split('.')
            .flat_map(|p| abi.split('.').flat_map(move |a| platform.split('.').map(move |t| (p, a, t))))
        {
            tags += &format!("Tag: {p}-{a}-{t}\n");
        }
        let pure = platform == "any";
        let dist_info = format!("{dist}-{version}.dist-info");
        let tree = Tree { dir: TempDir::with_prefix("tree-").unwrap(), name: name.into(), omitted: vec![] };
        tree.file(
            &format!("{dist_info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n"),
        )
        .file(
            &format!("{dist_info}/WHEEL"),
            format!("Wheel-Version: 1.0\nGenerator: testkit\nRoot-Is-Purelib: {pure}\n{tags}"),
        )
    }

    /// Where a member is before it is packed; its directory is made.
    pub fn path(&self, member: &str) -> PathBuf {
        let path = self.dir.path().join(member);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, member: &str, content: impl AsRef<[u8]>) -> Tree {
        fs_err::write(self.path(member), content).unwrap();
        self
    }

    /// Adds a copy of a file that a compiler made, mode included.
    #[must_use]
    pub fn built(self, member: &str, from: &Path) -> Tree {
        fs_err::copy(from, self.path(member)).unwrap();
        self
    }

    /// Sets a member's permission bits.
    #[must_use]
    pub fn mode(self, member: &str, mode: u32) -> Tree {
        fs_err::set_permissions(self.path(member), PermissionsExt::from_mode(mode)).unwrap();
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, member: &str, target: &str) -> Tree {
        symlink(target, self.path(member)).unwrap();
        self
    }

    /// Leaves a member out of RECORD.
    #[must_use]
    pub fn unrecorded(mut self, member: &str) -> Tree {
        self.omitted.push(member.into());
        self
    }

    /// Packs it into the directory `into`; the wheel's path.
    #[track_caller]
    pub fn pack(&self, into: &Path) -> PathBuf {
        fs_err::create_dir_all(into).unwrap();
        let wheel = into.join(format!("{}.whl", self.name));
        let mut args = vec![TOOL.to_owned(), "pack".into()];
        args.push(self.dir.path().to_str().unwrap().into());
        args.push(wheel.to_str().unwrap().into());
        for member in &self.omitted {
            args.extend(["--omit".into(), member.clone()]);
        }
        run(python(), args);
        wheel
    }
}

/// A wheel on disk, unpacked when its members are asked for.
pub struct Wheel {
    /// Where it is.
    pub path: PathBuf,
    unpacked: TempDir,
}

impl Wheel {
    /// Unpacks the wheel with its modes (symbolic links become text files).
    #[track_caller]
    pub fn new(path: PathBuf) -> Wheel {
        let unpacked = TempDir::with_prefix("wheel-").unwrap();
        let args = [TOOL, "unpack", path.to_str().unwrap(), unpacked.path().to_str().unwrap()];
        run(python(), args);
        Wheel { path, unpacked }
    }

    /// The wheel of a published package that `tests/run` has built.
    #[track_caller]
    pub fn built(dist: &str) -> PathBuf {
        let dir = std::env::var_os("SPOKESHAVE_TEST_WHEELS").expect(
            "SPOKESHAVE_TEST_WHEELS is not set: run tests/run (for lxml, h5py and gdal with --long), or after that\n\
             export SPOKESHAVE_TEST_WHEELS=$PWD/target/test-env/wheels",
        );
        let mut found = fs_err::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
        found
            .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&format!("{dist}-")))
            .unwrap_or_else(|| panic!("no {dist} in {}: run tests/run --long", dir.display()))
    }

    /// Panics unless names, RECORD, WHEEL and the zip agree.
    #[track_caller]
    pub fn check(&self) {
        run(python(), [TOOL, "check", self.path.to_str().unwrap()]);
    }

    /// The file name without `.whl`.
    pub fn name(&self) -> &str {
        self.path.file_stem().unwrap().to_str().unwrap()
    }

    /// The platform tags of the file name, sorted.
    pub fn platforms(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = self.name().rsplit('-').next().unwrap().split('.').collect();
        tags.sort_unstable();
        tags
    }

    /// The members as `-rw-r--r-- name`, in the order of the central directory.
    pub fn listing(&self) -> Vec<String> {
        let text = run(python(), [TOOL, "list", self.path.to_str().unwrap()]);
        text.lines().map(str::to_owned).collect()
    }

    /// The members' names, in the order of the central directory.
    pub fn names(&self) -> Vec<String> {
        self.listing().iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// The one member whose name starts with `start` and ends with `end`.
    #[track_caller]
    pub fn find(&self, start: &str, end: &str) -> String {
        let names = self.names();
        let found: Vec<&String> = names.iter().filter(|n| n.starts_with(start) && n.ends_with(end)).collect();
        assert!(found.len() == 1, "{start}…{end} is {found:?} of {names:#?}");
        found[0].clone()
    }

    /// A member, unpacked.
    #[track_caller]
    pub fn member(&self, name: &str) -> PathBuf {
        let path = self.unpacked.path().join(name);
        assert!(path.is_file(), "no {name} in {:#?}", self.names());
        path
    }

    /// A member's bytes.
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.member(name)).unwrap()
    }

    /// Where the members are unpacked.
    pub fn root(&self) -> &Path {
        self.unpacked.path()
    }
}
