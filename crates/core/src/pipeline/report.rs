//! What the doors give back: plain data for a person's report and for `--json`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{Audit, Fact, Library, Missing, Need, Obstacle, Role, Status, Target, Tried};

/// How a repair ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something changed: binaries, tags, or both.
    Repaired,
    /// Nothing was to change; the output has the input's bytes.
    Unchanged,
    /// It holds no binary of the backend's formats; the output has the input's bytes.
    Pure,
}

/// What became of one wheel.
#[derive(Debug, Clone, Serialize)]
pub struct RepairReport {
    /// The input wheel.
    pub input: PathBuf,
    /// The output wheel; with `dry_run` the one that would be written.
    pub output: PathBuf,
    /// Whether only the plan was made.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The backend that worked on it; `None` for a pure wheel.
    pub backend: Option<&'static str>,
    /// The output's platform tags.
    pub tags: Vec<String>,
    /// The libraries that are carried now.
    pub carried: Vec<CarriedReport>,
    /// The members that changed, by their path in the input, sorted.
    pub patched: Vec<String>,
    /// Programs that moved behind a shim.
    pub moved: Vec<Moved>,
    /// Binaries that stay as they are.
    pub left_alone: Vec<LeftAlone>,
    /// Why no better tag.
    pub obstacles: Vec<Obstacle>,
    /// What the user should know; also sent as events.
    pub warnings: Vec<String>,
    /// The bill of materials that was written.
    pub sbom: Option<String>,
    /// Sizes of input and output.
    pub bytes: Sizes,
}

/// A program that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Its member in the input.
    pub from: String,
    /// Its member in the output.
    pub to: String,
}

/// A binary that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    /// Its path in the package.
    pub path: String,
    /// Why: `object file`, `other machine (aarch64)`.
    pub reason: String,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The input's.
    pub input: u64,
    /// The output's; 0 when none was written.
    pub output: u64,
}

/// Why a platform can't be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What bars it.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A library that is carried.
#[derive(Debug, Clone, Serialize)]
pub struct CarriedReport {
    /// The file name that it had.
    pub original: String,
    /// Where it was found.
    pub source: String,
    /// Where it lies in the package.
    pub path: String,
    /// Size in bytes before the repair.
    pub size: u64,
    /// Who needs it, sorted.
    pub needed_by: Vec<String>,
}

/// What an audit found: a wheel's, a file's or a directory's.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// The input.
    pub input: PathBuf,
    /// The backend; `None` when no binary of a known format is in it.
    pub backend: Option<&'static str>,
    /// The platform tags that the input claims (a wheel's).
    pub claimed: Vec<String>,
    /// The platform tags that it earns once repaired, best first.
    pub tags: Vec<String>,
    /// The platform tags that it earns as it is.
    pub tags_as_is: Vec<String>,
    /// Why no better tag.
    pub obstacles: Vec<Obstacle>,
    /// The dependency graph: the artifacts first, then the libraries as the loader meets them.
    pub files: Vec<FileReport>,
    /// What was found nowhere.
    pub missing: Vec<Missing>,
    /// Why the platform asked for can't be had.
    pub refusal: Option<Refusal>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// One file of the dependency graph.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// The path in the package, or the name that first asked for it.
    pub name: String,
    /// Where it was found, for a library.
    pub path: Option<String>,
    /// `artifact`, `external`, `promised` or `excluded`.
    pub role: FileRole,
    /// Why it is left alone, if it is.
    pub left_alone: Option<String>,
    /// Facts: label, value.
    pub facts: Vec<Fact>,
    /// Its references, in file order.
    pub needs: Vec<NeedReport>,
    /// Other builds for better processors, which stay behind.
    pub variants: Vec<String>,
}

/// What a file of the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// A binary of the package.
    Artifact,
    /// To be carried.
    External,
    /// The target promises it.
    Promised,
    /// Kept out by `--exclude`.
    Excluded,
}

/// One reference.
#[derive(Debug, Clone, Serialize)]
pub struct NeedReport {
    /// The name as written.
    pub name: String,
    /// The slice that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Index into [`AuditReport::files`]; `None` when it is missing or is to be removed.
    pub file: Option<usize>,
    /// Whether the reference itself is to be taken out.
    pub removed: bool,
    /// The rule that found it.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
}

impl AuditReport {
    /// The report of `audit`; `backend` made it.
    pub fn new(input: PathBuf, backend: &'static str, claimed: Vec<String>, audit: &Audit) -> Self {
        let artifacts = audit.artifacts.iter().map(|a| FileReport {
            name: a.artifact.path.to_string(),
            path: a.artifact.origin.as_ref().map(|p| p.display().to_string()),
            role: FileRole::Artifact,
            left_alone: match &a.result.status {
                Status::Active => None,
                Status::Inert(why) | Status::Foreign(why) => Some(why.clone()),
            },
            facts: a.result.facts.clone(),
            needs: need_reports(audit, &a.result.needs),
            variants: Vec::new(),
        });
        let files = artifacts.chain(audit.libraries.iter().map(|lib| library_report(audit, lib))).collect();
        AuditReport {
            input,
            backend: Some(backend),
            claimed,
            tags: audit.tags.clone(),
            tags_as_is: audit.tags_as_is.clone(),
            obstacles: audit.obstacles.clone(),
            files,
            missing: audit.missing.clone(),
            refusal: audit.refusal.as_ref().map(|e| Refusal { what: e.what.clone(), hint: e.hint.clone() }),
            warnings: audit.warnings.clone(),
        }
    }

    /// The report of an input in which no backend's format was found.
    pub fn pure(input: PathBuf, claimed: Vec<String>) -> Self {
        AuditReport {
            input,
            backend: None,
            tags: claimed.clone(),
            tags_as_is: claimed.clone(),
            claimed,
            obstacles: Vec::new(),
            files: Vec::new(),
            missing: Vec::new(),
            refusal: None,
            warnings: Vec::new(),
        }
    }
}

fn library_report(audit: &Audit, lib: &Library) -> FileReport {
    FileReport {
        name: lib.name.clone(),
        path: Some(lib.location.to_string()),
        role: match lib.role {
            Role::External => FileRole::External,
            Role::Promised => FileRole::Promised,
            Role::Excluded => FileRole::Excluded,
        },
        left_alone: None,
        facts: lib.result.facts.clone(),
        needs: need_reports(audit, &lib.result.needs),
        variants: lib.variants.iter().map(ToString::to_string).collect(),
    }
}

fn need_reports(audit: &Audit, needs: &[Need]) -> Vec<NeedReport> {
    let report = |need: &Need| NeedReport {
        name: need.name.clone(),
        slice: need.slice.clone(),
        file: match need.target {
            Target::Artifact(index) => Some(index),
            Target::Library(index) => Some(audit.artifacts.len() + index),
            Target::Missing | Target::Removed => None,
        },
        removed: need.target == Target::Removed,
        rule: need.rule.clone(),
        tried: need.tried.clone(),
    };
    needs.iter().map(report).collect()
}
