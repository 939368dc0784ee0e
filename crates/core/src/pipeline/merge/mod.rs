//! The fourth door: wheels of one release, each for other machines, in; one wheel for all of these machines out.
//!
//! - [`parts`]: the wheels, and whether they belong together
//! - [`members`]: what becomes of each file
//! - [`package`]: the merged package, which the backend audits for its tags
//! - [`write`]: the output

mod members;
mod package;
mod parts;
mod write;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Engine;
use super::guard::guarded;
use crate::{Event, Result};
use members::Members;
use package::Merged;
use parts::Parts;

/// What concerns only the merging of wheels.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// `--wheel-dir`: where the output goes; made when it is not there.
    pub wheel_dir: PathBuf,
    /// `--compression-level`: 0 (stored) to 9.
    pub compression_level: u32,
    /// `--dry-run`: make the plan, write nothing.
    pub dry_run: bool,
    /// `--jobs`: worker threads, at least 1.
    pub jobs: usize,
}

/// What became of the wheels.
#[derive(Debug, Clone, Serialize)]
pub struct MergeReport {
    /// The wheels, in the order given.
    pub inputs: Vec<PathBuf>,
    /// The output wheel; with `dry_run` the one that would be written.
    pub output: PathBuf,
    /// Whether only the plan was made.
    pub dry_run: bool,
    /// The backend that joined the binaries.
    pub backend: &'static str,
    /// The output's platform tags.
    pub tags: Vec<String>,
    /// The binaries that were joined, sorted.
    pub joined: Vec<String>,
    /// The files that not all wheels have, sorted by name; the output has them as they are.
    pub partial: Vec<PartialReport>,
    /// What the user should know; also sent as events.
    pub warnings: Vec<String>,
    /// The output's size in bytes; 0 when none was written.
    pub size: u64,
}

/// A file that not all wheels have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PartialReport {
    /// The file.
    pub path: String,
    /// Those of the wheels that have it, as indices into [`MergeReport::inputs`].
    pub inputs: Vec<usize>,
    /// Whether it is a binary of the backend's formats.
    pub binary: bool,
}

pub fn merge_wheels(engine: &Engine<'_>, inputs: &[&Path], options: &MergeOptions) -> Result<MergeReport> {
    let parts = Parts::open(engine, inputs, options.jobs)?;
    let members = Members::compare(&parts)?;
    let merged = Merged::new(&parts, &members, options.jobs)?;
    let audit = merged.audit(engine, &parts, options.jobs)?;
    let claimed = parts.tags();
    let tags = if audit.tags.is_empty() { claimed.clone() } else { audit.tags.clone() };
    let name = parts.first().name.with_platforms(&tags);

    let mut report = MergeReport {
        inputs: inputs.iter().map(|path| path.to_path_buf()).collect(),
        output: options.wheel_dir.join(name.to_string()),
        dry_run: options.dry_run,
        backend: parts.backend.about().name,
        tags: name.platforms().to_vec(),
        joined: members.joined().map(|member| member.name.clone()).collect(),
        partial: members.partial(&parts),
        warnings: parts.warnings(),
        size: 0,
    };
    report.joined.sort();
    report.warnings.extend(merged.unneeded(&audit, &parts, &report.partial));
    if tags != claimed {
        let files: Vec<String> =
            audit.obstacles.iter().map(|o| format!("{} asks for {}", o.file, o.what)).collect();
        report.warnings.push(format!(
            "the wheels promise {} and the binaries in them earn {}{}{}",
            claimed.join("."),
            tags.join("."),
            if files.is_empty() { "" } else { ": " },
            files.join(", ")
        ));
    }
    for warning in &report.warnings {
        engine.events.event(Event::Warning(warning.clone()));
    }
    parts.refuse_own(&report.output)?;
    if !options.dry_run {
        fs_err::create_dir_all(&options.wheel_dir)?;
        write::write(engine, &parts, &members, &merged, &name, &report.output, options)?;
        // It stands there, and that its size can't be asked for changes nothing about it.
        report.size = fs_err::metadata(&report.output).map_or(0, |meta| meta.len());
    }
    Ok(report)
}
