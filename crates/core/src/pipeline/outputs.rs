//! What the doors for plain build outputs take and give back.

use std::path::PathBuf;

use serde::Serialize;

use super::{CarriedReport, LeftAlone};
use crate::staging::Hold;
use crate::{Obstacle, PackagePath};

/// A build's output, which is read and never changed.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where the build put it.
    pub path: PathBuf,
    /// The directories that the build linked it from.
    pub linked_paths: Vec<PathBuf>,
}

/// What is done with external libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are carried along.
    #[default]
    Repair,
    /// They are an error; nothing is staged and nothing is written.
    Check,
    /// The binaries are delivered as they are; nothing is audited.
    Skip,
}

/// What concerns only bundles.
#[derive(Debug, Clone)]
pub struct BundleOptions {
    /// `-o`: the directory that the bundle becomes.
    pub out: PathBuf,
    /// `--dist-name`: the name of the whole; the libraries' directory is named after it.
    pub dist_name: String,
    /// `--artifact-dir`: where in the bundle the binaries go; the root when empty.
    pub artifact_dir: PackagePath,
    /// `--libs-dir`: where in the bundle carried libraries go; the backend's choice when `None`.
    pub libs_dir: Option<PackagePath>,
    /// What is done with external libraries.
    pub mode: Mode,
    /// `--no-sbom` turns it off: write a bill of materials of what is carried.
    pub sbom: bool,
    /// `--dry-run`: make the plan, stage and write nothing.
    pub dry_run: bool,
    /// `--jobs`: worker threads, at least 1.
    pub jobs: usize,
}

/// What became of a bundle.
#[derive(Debug, Clone, Serialize)]
pub struct BundleReport {
    /// The directory.
    pub output: PathBuf,
    /// Whether only the plan was made.
    pub dry_run: bool,
    /// What was done with external libraries.
    pub mode: Mode,
    /// The binaries, in the order given.
    pub artifacts: Vec<BundledReport>,
    /// The platform tags that the bundle earns, best first; none where the formats have no such thing.
    pub tags: Vec<String>,
    /// The libraries that are carried now.
    pub carried: Vec<CarriedReport>,
    /// Binaries that stay as they are because nothing loads them.
    pub left_alone: Vec<LeftAlone>,
    /// Why no better tag.
    pub obstacles: Vec<Obstacle>,
    /// What the user should know; also sent as events.
    pub warnings: Vec<String>,
    /// The bill of materials that was written, by its path in the bundle.
    pub sbom: Option<String>,
}

/// What became of one binary of a bundle.
#[derive(Debug, Clone, Serialize)]
pub struct BundledReport {
    /// Where the build put it.
    pub origin: PathBuf,
    /// Where it lies in the bundle.
    pub path: String,
    /// The backend that worked on it; `None` when it was not audited.
    pub backend: Option<&'static str>,
    /// Whether its bytes differ from the origin's.
    pub patched: bool,
    /// How its bytes were held; `None` when nothing was staged.
    pub hold: Option<Hold>,
}

/// What became of a binary whose runtime search path was to be extended.
#[derive(Debug, Clone, Serialize)]
pub struct EditableReport {
    /// Where the build put it.
    pub origin: PathBuf,
    /// The new file.
    pub output: PathBuf,
    /// The backend that worked on it.
    pub backend: &'static str,
    /// The linked paths.
    pub linked_paths: Vec<PathBuf>,
    /// Whether its bytes differ from the origin's.
    pub patched: bool,
    /// What the user should know; also sent as events.
    pub warnings: Vec<String>,
}
