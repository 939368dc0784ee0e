//! The doors: wheels and build outputs in; repaired wheels, bundles, copies or a report out.

mod audit;
mod bundle;
mod carried;
mod editable;
mod elect;
mod guard;
mod kept;
mod merge;
mod origins;
mod outputs;
mod package;
mod patch;
mod python;
mod read_back;
mod repair;
mod report;
mod shim;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{Event, EventSink, Options, Repairer, Result};

pub use merge::{MergeOptions, MergeReport, PartialReport};
pub use outputs::{BundleOptions, BundleReport, BundledReport, EditableReport, Mode, Origin};
pub use report::{
    AuditReport, CarriedReport, FileReport, FileRole, LeftAlone, Moved, NeedReport, Outcome, Refusal,
    RepairReport, Sizes,
};

/// What a run works with; nothing of it is global.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The backends to choose from.
    pub backends: &'a [&'static dyn Repairer],
    /// What the user asked for.
    pub options: &'a Options,
    /// The environment, as a value.
    pub env: &'a BTreeMap<String, String>,
    /// Takes events.
    pub events: &'a dyn EventSink,
}

/// What concerns only wheels.
#[derive(Debug, Clone)]
pub struct WheelOptions {
    /// `--wheel-dir`: where the output goes; made when it is not there.
    pub wheel_dir: PathBuf,
    /// `--lib-sdir`: the suffix of the libraries' directory; the backend's own when `None`.
    pub lib_sdir: Option<String>,
    /// `--no-update-tags` turns it off: the file name and `WHEEL` follow the evidence.
    pub update_tags: bool,
    /// `--compression-level`: 0 (stored) to 9.
    pub compression_level: u32,
    /// `--no-sbom` turns it off: write a bill of materials of what is carried.
    pub sbom: bool,
    /// `--dry-run`: make the plan, write nothing.
    pub dry_run: bool,
    /// `--jobs`: worker threads, at least 1.
    pub jobs: usize,
    /// Files that must not be replaced: what other wheels of the same run became.
    pub taken: BTreeSet<PathBuf>,
}

impl Engine<'_> {
    /// Repairs one wheel.
    ///
    /// # Errors
    /// When the input is damaged, a library is missing, the platform asked for can't be had or the output can't be
    /// written. The input is never changed and no partial output is left.
    pub fn repair_wheel(&self, input: &Path, wheel: &WheelOptions) -> Result<RepairReport> {
        self.told(&[input], || repair::repair_wheel(self, input, wheel))
    }

    /// Repairs plain build outputs into a directory that can be moved anywhere. Several share the carried libraries.
    ///
    /// # Errors
    /// As for a wheel; also when an origin changes meanwhile. The origins are never changed and no partial directory
    /// is left.
    pub fn bundle(&self, origins: &[Origin], options: &BundleOptions) -> Result<BundleReport> {
        let inputs: Vec<&Path> = origins.iter().map(|origin| origin.path.as_path()).collect();
        self.told(&inputs, || bundle::bundle(self, origins, options))
    }

    /// Makes `output`, a copy of a build output whose runtime search path also leads to its linked paths.
    ///
    /// # Errors
    /// When the origin is damaged or changes meanwhile, or the output can't be written. The origin is never changed.
    pub fn editable(&self, origin: &Origin, output: &Path) -> Result<EditableReport> {
        self.told(&[&origin.path], || editable::editable(self, origin, output))
    }

    /// Merges wheels of one release that are for different machines into one wheel for all of them.
    ///
    /// Binaries that differ are joined, what is the same stays, and so does what only some of the wheels have: a library
    /// that is carried for one machine has another name than that for the next.
    ///
    /// # Errors
    /// When files that are no binaries differ (all are named), the binaries of the platform can't be joined, the wheels
    /// don't belong together, or as for a repair. No partial output is left.
    pub fn merge(&self, inputs: &[&Path], options: &MergeOptions) -> Result<MergeReport> {
        self.told(inputs, || merge::merge_wheels(self, inputs, options))
    }

    /// Audits a wheel, a plain binary or a directory of binaries; writes nothing.
    ///
    /// # Errors
    /// When the input is damaged or holds a format that no backend knows.
    pub fn audit(&self, input: &Path) -> Result<AuditReport> {
        audit::audit(self, input)
    }

    /// Works on `inputs` and tells when that begins and ends.
    fn told<T>(&self, inputs: &[&Path], work: impl FnOnce() -> T) -> T {
        for input in inputs {
            self.events.event(Event::Started { input: input.to_path_buf() });
        }
        let result = work();
        for input in inputs {
            self.events.event(Event::Finished { input: input.to_path_buf() });
        }
        result
    }
}
