//! The one planner: what is to change in a binary. Prediction and patch both call it on the same facts.

use std::sync::Arc;

use spokeshave_core::{
    AuditResult, Error, GraftedLib, Need, PackagePath, PatchKind, Result, Status, Subject, Target, Which,
};

use crate::change::{Changes, SliceChanges};
use crate::edit::budget;
use crate::facts::{MachoFacts, Slice};
use crate::search::leads_inside;
use crate::target::CARRIED_ID;

/// What the Mach-O backend keeps in [`AuditResult::detail`].
pub struct Detail {
    /// What was read from the file.
    pub facts: Arc<MachoFacts>,
    /// For each of the needs the slice that has it, and whether dyld finds it by itself once the package is installed.
    pub needs: Vec<(usize, bool)>,
    /// For each slice whether the package is for it. Others stay as they are.
    pub targets: Vec<bool>,
    /// `--no-sanitize-rpaths`.
    pub keep_rpaths: bool,
}

/// What `kind` asks for in `subject`.
///
/// # Errors
/// When the audit is not this backend's, or no path can lead to what the file needs.
pub fn plan(subject: Subject<'_>, kind: &PatchKind<'_>) -> Result<Changes> {
    let result = subject.result();
    let detail = detail(result)?;
    if result.status != Status::Active {
        return Ok(Changes::default());
    }
    let mut slices = Vec::with_capacity(detail.facts.slices.len());
    for (index, (slice, target)) in detail.facts.slices.iter().zip(&detail.targets).enumerate() {
        slices.push(match kind {
            _ if !target => SliceChanges::default(),
            PatchKind::Repair { grafted, .. } => {
                SlicePlan { subject, detail, index, slice, grafted }.repair()?
            }
            PatchKind::Editable => editable(subject, slice),
        });
    }
    Ok(Changes { slices, file_name: subject.path().file_name().to_owned() })
}

fn detail(result: &AuditResult) -> Result<&Detail> {
    let detail = result.detail.downcast_ref::<Detail>();
    detail.ok_or_else(|| Error::new("this audit was not made by the macho backend").into())
}

/// Whether a repair will change the file at `path`, as far as its audit tells: a reference or a search path.
pub fn will_change(result: &AuditResult, path: &PackagePath, carries: impl Fn(usize) -> bool) -> bool {
    let Ok(detail) = detail(result) else { return false };
    let leads = |(need, (_, stays)): (&Need, &(usize, bool))| match need.target {
        Target::Library(index) => carries(index),
        Target::Artifact(_) => !stays,
        Target::Missing | Target::Removed => false,
    };
    let rpaths = |(index, slice): (usize, &Slice)| {
        detail.targets.get(index) == Some(&true)
            && !detail.keep_rpaths
            && !asks_outside(result, detail, index, &carries)
            && slice.rpaths.iter().any(|rpath| !goes_along(rpath, path))
    };
    result.needs.iter().zip(&detail.needs).any(leads) || detail.facts.slices.iter().enumerate().any(rpaths)
}

/// Whether a slice asks for a library by `@rpath` that stays outside: its search path is how the target finds it.
fn asks_outside(
    result: &AuditResult,
    detail: &Detail,
    slice: usize,
    carries: impl Fn(usize) -> bool,
) -> bool {
    let own = result.needs.iter().zip(&detail.needs).filter(|(_, (at, _))| *at == slice);
    let mut outside = own.filter(|(need, _)| match need.target {
        Target::Library(index) => !carries(index),
        Target::Missing => true,
        Target::Artifact(_) | Target::Removed => false,
    });
    outside.any(|(need, _)| need.name.starts_with("@rpath/"))
}

/// Whether an `LC_RPATH` of the file at `path` means the same wherever the package is installed.
fn goes_along(rpath: &str, path: &PackagePath) -> bool {
    leads_inside(rpath, path).is_some() || rpath.starts_with("@executable_path")
}

/// One slice and what is asked of it.
struct SlicePlan<'a> {
    subject: Subject<'a>,
    detail: &'a Detail,
    index: usize,
    slice: &'a Slice,
    grafted: &'a [GraftedLib],
}

/// A reference that gets a new name.
struct Reference<'a> {
    old: &'a str,
    to: &'a PackagePath,
    /// Whether it leads to a carried library whose name no other file has.
    hashed: bool,
}

impl<'a> SlicePlan<'a> {
    fn repair(&self) -> Result<SliceChanges> {
        let references = self.references()?;
        let explicit = self.changes(&references, false);
        let fits = |changes: &SliceChanges| budget(self.slice, changes).missing() == 0;
        if explicit.is_empty() || fits(&explicit) {
            return Ok(explicit);
        }
        // One search path and short names take less room than a path in each name.
        let mut shorter = self.changes(&references, true);
        if !fits(&shorter) && self.slice.id.is_some() {
            // Nothing finds a carried library by its own name.
            shorter.id = None;
        }
        let less = |changes: &SliceChanges| budget(self.slice, changes).missing();
        Ok(if less(&shorter) < less(&explicit) { shorter } else { explicit })
    }

    fn carried(&self) -> Option<&'a GraftedLib> {
        match self.subject.which {
            Which::Artifact(_) => None,
            Which::Grafted(lib) => Some(lib),
        }
    }

    fn references(&self) -> Result<Vec<Reference<'a>>> {
        let mut references: Vec<Reference<'a>> = Vec::new();
        let audit = self.subject.audit;
        let artifact = match self.subject.which {
            Which::Artifact(index) => audit.artifacts.get(index).map(|audited| &audited.artifact),
            Which::Grafted(_) => None,
        };
        let tree = artifact.map(|artifact| artifact.tree.clone()).unwrap_or_default();
        let needs = self.subject.result().needs.iter().zip(&self.detail.needs);
        for (need, (_, stays)) in needs.filter(|(_, (slice, _))| *slice == self.index) {
            let (to, hashed) = match need.target {
                Target::Missing | Target::Removed => continue,
                Target::Library(index) => match self.carried_as(index) {
                    Some(lib) => (&lib.path, lib.renamed),
                    None => continue,
                },
                Target::Artifact(index) => {
                    let Some(other) = audit.artifacts.get(index).map(|audited| &audited.artifact) else {
                        continue;
                    };
                    let finds = match artifact {
                        Some(artifact) if artifact.origin.is_none() => *stays,
                        _ => self.finds(&need.name, &other.path),
                    };
                    if finds && self.carried().is_none() {
                        continue;
                    }
                    if other.tree != tree {
                        return Err(out_of_reach(self.subject.path(), &need.name, &other.path).into());
                    }
                    (&other.path, false)
                }
            };
            if !references.iter().any(|known| known.old == need.name) {
                references.push(Reference { old: &need.name, to, hashed });
            }
        }
        Ok(references)
    }

    fn carried_as(&self, library: usize) -> Option<&'a GraftedLib> {
        self.grafted.iter().find(|lib| lib.libraries.contains(&library))
    }

    /// Whether `name` leads to `other` from where the file will be, by what it says itself.
    fn finds(&self, name: &str, other: &PackagePath) -> bool {
        let path = self.subject.path();
        match name.strip_prefix("@rpath/") {
            None => leads_inside(name, path).as_ref() == Some(other),
            Some(rest) => {
                let mut inside = self.slice.rpaths.iter().filter_map(|rpath| leads_inside(rpath, path));
                inside.any(|dir| dir.resolve(rest).as_ref() == Some(other))
            }
        }
    }

    fn changes(&self, references: &[Reference<'_>], by_rpath: bool) -> SliceChanges {
        let here = self.subject.path().parent();
        let mut added: Vec<String> = Vec::new();
        let mut dylibs = Vec::new();
        for reference in references {
            let new = if by_rpath && reference.hashed {
                added.push(loader_path(&here, &reference.to.parent()));
                format!("@rpath/{}", reference.to.file_name())
            } else {
                format!("@loader_path/{}", reference.to.relative_from(&here))
            };
            if new != reference.old {
                dylibs.push((reference.old.to_owned(), new));
            }
        }
        if self.carried().is_none() {
            let included = self.grafted.iter().filter(|lib| lib.included);
            added.extend(included.map(|lib| loader_path(&here, &lib.path.parent())));
        }
        let id = self.carried().filter(|lib| lib.renamed).zip(self.slice.id.as_ref());
        let id = id.map(|(lib, old)| (format!("{CARRIED_ID}{}", lib.path), old));
        SliceChanges {
            id: id.filter(|(new, old)| *new != old.name).map(|(new, _)| new),
            dylibs,
            rpaths: self.rpaths(added),
        }
    }

    /// The search path without what means nothing on another machine, and with `added`; `None` when it stays.
    fn rpaths(&self, added: Vec<String>) -> Option<Vec<String>> {
        let carries = |library| self.carried_as(library).is_some();
        let all =
            self.detail.keep_rpaths || asks_outside(self.subject.result(), self.detail, self.index, carries);
        let stays =
            |rpath: &&String| all || (self.carried().is_none() && goes_along(rpath, self.subject.path()));
        let mut rpaths: Vec<String> = self.slice.rpaths.iter().filter(stays).cloned().collect();
        for rpath in added {
            if !rpaths.contains(&rpath) {
                rpaths.push(rpath);
            }
        }
        (rpaths != self.slice.rpaths).then_some(rpaths)
    }
}

/// How the directory `to` is written in an `LC_RPATH` of a file in `here`.
fn loader_path(here: &PackagePath, to: &PackagePath) -> String {
    match to.relative_from(here).as_str() {
        "." => "@loader_path".to_owned(),
        relative => format!("@loader_path/{relative}"),
    }
}

fn out_of_reach(path: &PackagePath, need: &str, other: &PackagePath) -> Error {
    Error::new(format!("needs {need}, and no path leads to {other} once both are installed"))
        .at(path)
        .hint("put both into one directory of the package (not into different directories of .data)")
}

/// `Editable`: the present search path and then the linked paths.
fn editable(subject: Subject<'_>, slice: &Slice) -> SliceChanges {
    let Which::Artifact(index) = subject.which else { return SliceChanges::default() };
    let linked =
        subject.audit.artifacts.get(index).map(|a| a.artifact.linked_paths.as_slice()).unwrap_or_default();
    let mut rpaths = slice.rpaths.clone();
    for dir in linked.iter().map(|dir| dir.display().to_string()) {
        if !rpaths.contains(&dir) {
            rpaths.push(dir);
        }
    }
    SliceChanges { rpaths: (rpaths != slice.rpaths).then_some(rpaths), ..SliceChanges::default() }
}
