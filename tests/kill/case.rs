//! Where origins lie, and what is made of them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

const WHEEL: &str = "demo-1.0-cp39-abi3-linux_x86_64.whl";

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
    /// The origins are in the lower layer of an overlay, as in a container: a link would make it copy them up, which
    /// changes their inodes.
    LowerLayer,
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

    /// The deliverable, or the directory that it appears in.
    pub fn out(self, root: &Path) -> PathBuf {
        root.join(if self.is_directory() { "out/bundle" } else { "out" })
    }

    /// Whether the deliverable is a directory.
    pub fn is_directory(self) -> bool {
        matches!(self.door, Door::Bundle | Door::Replace)
    }

    /// The command line for what [`World`](crate::world::World) built in `root`: absolute paths, one thread.
    pub fn args(self, root: &Path) -> Vec<OsString> {
        let (lib, target, out) = (root.join("lib"), root.join("target/release"), self.out(root));
        let mut args: Vec<OsString> = match self.door {
            Door::Bundle | Door::Replace => {
                vec![
                    "bundle".into(),
                    target.join("app").into(),
                    target.join("tool").into(),
                    "-o".into(),
                    out.into(),
                ]
            }
            Door::Editable => {
                vec!["editable".into(), target.join("app").into(), "-o".into(), out.join("app").into()]
            }
            Door::Wheel => vec!["repair".into(), target.join(WHEEL).into(), "-w".into(), out.into()],
        };
        if self.door == Door::Editable {
            args.extend(["--linked-path".into(), lib.into()]);
        } else {
            args.extend(["--lib-dir".into(), lib.into(), "--jobs".into(), "1".into()]);
            args.extend((!self.sbom).then(|| "--no-sbom".into()));
        }
        args
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}{}", self.place, self.door, if self.sbom { " with its SBOM" } else { "" })
    }
}
