//! What a backend found out about a package.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;

use crate::{Artifact, ByteSource, Error, Location};

/// What is to be done with a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is audited, and patched where needed.
    Active,
    /// Its format is known but nothing loads it (an object file, a debug file, a static program): copied as it is.
    Inert(String),
    /// It belongs to another target (machine, libc): copied as it is, with a warning.
    Foreign(String),
}

/// Where a need leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Another artifact of the package: index into [`Audit::artifacts`].
    Artifact(usize),
    /// A library outside the package: index into [`Audit::libraries`].
    Library(usize),
    /// Nowhere.
    Missing,
    /// The reference itself is to be taken out (libpython of an extension).
    Removed,
}

/// One place that was looked at without success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The file that would have been it.
    pub path: String,
    /// The rule that led there.
    pub rule: String,
    /// Why it was not taken: `no such file`, `other machine (aarch64)`.
    pub why: String,
}

/// One reference of one importer (and slice) to a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The name as the importer writes it.
    pub name: String,
    /// The slice of a fat file that has it.
    pub slice: Option<String>,
    /// Where it leads.
    pub target: Target,
    /// The rule that found it: `RUNPATH of pkg/ext.so`, `--lib-dir`, `ld.so.conf`.
    pub rule: String,
    /// What was looked at before, or all places when it is missing.
    pub tried: Vec<Tried>,
}

/// A line for `show`: `ISA level`, `x86-64-v2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about.
    pub label: String,
    /// What is so.
    pub value: String,
}

/// What was found out about one binary, artifact or library.
#[derive(Clone)]
pub struct AuditResult {
    /// What is to be done with it.
    pub status: Status,
    /// Its references, in file order.
    pub needs: Vec<Need>,
    /// Lines for `show`.
    pub facts: Vec<Fact>,
    /// What the backend wants to find again when it plans the patch; only the backend that put it there reads it.
    pub detail: Arc<dyn Any + Send + Sync>,
}

/// An artifact and its audit, kept together so that they can't drift apart.
#[derive(Clone)]
pub struct AuditedArtifact {
    /// The artifact.
    pub artifact: Artifact,
    /// What was found out about it.
    pub result: AuditResult,
}

/// What becomes of a library outside the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An external library: the target does not promise it, so it is carried.
    External,
    /// The target promises it.
    Promised,
    /// `--exclude` keeps it out; the target must bring it.
    Excluded,
}

/// A library outside the package that an artifact needs, directly or not. With [`Role::External`] it is what the
/// field calls an external library.
#[derive(Clone)]
pub struct Library {
    /// The name that first asked for it.
    pub name: String,
    /// Every name under which it is needed, [`Library::name`] included, sorted.
    pub aliases: Vec<String>,
    /// Where the loader found it, links not followed.
    pub location: Location,
    /// Where it really is.
    pub real: Location,
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
    /// What becomes of it.
    pub role: Role,
    /// The `--include` that asked for it: index into [`crate::Options::include`].
    pub included: Option<usize>,
    /// Whether it is carried under the name by which it is asked for, whatever the options say.
    pub keep_name: bool,
    /// The version that it says of itself.
    pub version: Option<String>,
    /// Other builds of it for better processors, which stay behind.
    pub variants: Vec<Location>,
    /// What was found out about it.
    pub result: AuditResult,
}

/// Why a better tag is out of reach: one file, one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Obstacle {
    /// The artifact or library that asks for it.
    pub file: String,
    /// `memcpy@GLIBC_2.14`, `libssl.so.3`, `x86-64-v3`.
    pub what: String,
    /// The library that provides it.
    pub provider: Option<String>,
    /// The best tag that allows it; `None` when only the plain platform tag does.
    pub tag: Option<String>,
    /// Whether carrying libraries removes the obstacle.
    pub repairable: bool,
}

/// A library that is needed and was found nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The name that is asked for.
    pub name: String,
    /// Who asks for it, sorted.
    pub needed_by: Vec<String>,
    /// Where it was looked for.
    pub tried: Vec<Tried>,
}

/// What a backend found out about a whole package.
#[derive(Clone)]
pub struct Audit {
    /// The artifacts, in the order given.
    pub artifacts: Vec<AuditedArtifact>,
    /// The libraries outside the package, in the order the loader meets them.
    pub libraries: Vec<Library>,
    /// The platform tags that the package earns once the external libraries are carried, best first. Empty when the
    /// format has none for it.
    pub tags: Vec<String>,
    /// The platform tags that it earns as it is.
    pub tags_as_is: Vec<String>,
    /// Why no better tag.
    pub obstacles: Vec<Obstacle>,
    /// What was found nowhere.
    pub missing: Vec<Missing>,
    /// Why the platform asked for can't be had; the repair fails with it, `show` shows it.
    pub refusal: Option<Error>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Audit {
    /// The external libraries with their indices.
    pub fn external(&self) -> impl Iterator<Item = (usize, &Library)> {
        self.libraries.iter().enumerate().filter(|(_, lib)| lib.role == Role::External)
    }
}
