//! The one planner: what is to change in a binary. Prediction and patch both call it on the same facts.

use std::path::Path;
use std::sync::Arc;

use spokeshave_core::{
    AuditResult, Error, GraftedLib, Library, PackagePath, PatchKind, Result, Status, Subject, Target, Which,
};

use crate::change::{Changes, PathTag, SearchPath};
use crate::facts::ElfFacts;
use crate::search::LINKED;

/// What the ELF backend keeps in [`AuditResult::detail`].
pub struct Detail {
    /// What was read from the file.
    pub facts: Arc<ElfFacts>,
    /// Android's loader knows `DT_RUNPATH` only.
    pub android: bool,
    /// Which of the needs the loader's rules did not find, though the package has the library: the file gets a
    /// search path to it.
    pub unreachable: Vec<bool>,
}

/// What `kind` asks for in `subject`.
///
/// # Errors
/// When the audit is not this backend's, or no search path can lead to what the file needs.
pub fn plan(subject: Subject<'_>, kind: &PatchKind<'_>) -> Result<Changes> {
    let result = subject.result();
    let detail = detail(result)?;
    if result.status != Status::Active {
        return Ok(Changes::default());
    }
    Ok(match kind {
        PatchKind::Repair { grafted, strip, .. } => repair(subject, detail, grafted, *strip)?,
        PatchKind::Editable => editable(subject, detail)?,
    })
}

fn detail(result: &AuditResult) -> Result<&Detail> {
    let detail = result.detail.downcast_ref::<Detail>();
    detail.ok_or_else(|| Error::new("this audit was not made by the elf backend").into())
}

fn repair(subject: Subject<'_>, detail: &Detail, grafted: &[GraftedLib], strip: bool) -> Result<Changes> {
    let facts = &detail.facts;
    let mut changes = Changes { strip: strip && facts.strippable, ..Changes::default() };
    let (carried, artifact) = match subject.which {
        Which::Artifact(index) => (None, subject.audit.artifacts.get(index).map(|a| &a.artifact)),
        Which::Grafted(lib) => (Some(lib), None),
    };
    let tree = artifact.map(|artifact| artifact.tree.clone()).unwrap_or_default();
    // Where the build put it, other files lie around it: only what was read of them counts.
    let moves = artifact.is_some_and(|artifact| artifact.origin.is_some());
    if let Some(lib) = carried.filter(|lib| lib.renamed && facts.soname.as_deref() != Some(&lib.name)) {
        changes.soname = Some(lib.name.clone());
    }

    let mut needed_dirs: Vec<PackagePath> = Vec::new();
    let mut not_found: Option<(&str, &PackagePath)> = None;
    for (need, unreachable) in subject.result().needs.iter().zip(&detail.unreachable) {
        let new_name = match need.target {
            Target::Missing => continue,
            Target::Removed => {
                changes.needed.push((need.name.clone(), None));
                continue;
            }
            Target::Library(index) => {
                let Some(lib) = grafted.iter().find(|lib| lib.libraries.contains(&index)) else { continue };
                needed_dirs.push(lib.path.parent());
                lib.name.clone()
            }
            Target::Artifact(index) => {
                let Some(other) = subject.audit.artifacts.get(index).map(|a| &a.artifact) else { continue };
                if carried.is_none() && !moves && !*unreachable && !need.name.contains('/') {
                    continue;
                }
                if other.tree != tree {
                    return Err(out_of_reach(subject.path(), &need.name, &other.path).into());
                }
                needed_dirs.push(other.path.parent());
                not_found = not_found.or((*unreachable && !moves).then_some((&need.name, &other.path)));
                // It may have been found by its DT_SONAME, and a search path leads to file names only.
                other.path.file_name().to_owned()
            }
        };
        if new_name != need.name {
            changes.needed.push((need.name.clone(), Some(new_name)));
        }
    }
    if carried.is_none() && tree == PackagePath::root() {
        needed_dirs.extend(grafted.iter().filter(|lib| lib.included).map(|lib| lib.path.parent()));
    }
    let artifacts = subject.audit.artifacts.iter().map(|audited| audited.artifact.path.parent());
    let there: Vec<PackagePath> =
        artifacts.chain(grafted.iter().map(|lib| lib.path.parent())).filter(|_| moves).collect();
    let keep = |dir: &PackagePath| carried.is_none() && (!moves || there.contains(dir));
    changes.search_path = search_path(subject.path(), detail, keep, needed_dirs);
    match not_found {
        // The search path leads there, and still the loader's rules did not find it.
        Some((need, other)) if changes.needed.is_empty() && changes.search_path.is_none() => {
            Err(out_of_reach(subject.path(), need, other).into())
        }
        _ => Ok(changes),
    }
}

fn out_of_reach(path: &PackagePath, need: &str, other: &PackagePath) -> Error {
    Error::new(format!("needs {need}, and no search path leads to {other} once both are installed"))
        .at(path)
        .hint("put both into one directory of the package (not into different directories of .data)")
}

/// The search path that leads to `needed_dirs`; `None` when the present one does and leads nowhere else but to
/// directories of the package that are to be kept.
fn search_path(
    path: &PackagePath,
    detail: &Detail,
    keep: impl Fn(&PackagePath) -> bool,
    needed_dirs: Vec<PackagePath>,
) -> Option<SearchPath> {
    let facts = &detail.facts;
    let (tag, old) = present_path(facts);
    let here = path.parent();
    let inside = |entry: &str| origin_relative(entry).and_then(|relative| here.resolve(relative));

    let mut entries: Vec<String> = Vec::new();
    let mut reached: Vec<PackagePath> = Vec::new();
    for entry in &old {
        if let Some(dir) = inside(entry).filter(&keep) {
            reached.push(dir);
            entries.push((*entry).to_owned());
        }
    }
    let kept = entries.len();
    // Android's loader does not read DT_RPATH.
    let ignored = detail.android && tag == PathTag::Rpath && !needed_dirs.is_empty();
    for dir in needed_dirs {
        if !reached.contains(&dir) {
            entries.push(match dir.relative_from(&here).as_str() {
                "." => "$ORIGIN".to_owned(),
                relative => format!("$ORIGIN/{relative}"),
            });
            reached.push(dir);
        }
    }
    if entries == old && !ignored {
        return None;
    }
    let tag = match (detail.android, entries.len() > kept) {
        (true, _) => PathTag::Runpath,
        (false, true) => PathTag::Rpath,
        (false, false) => tag,
    };
    Some(SearchPath { tag, entries })
}

/// The search path that the loader takes: `DT_RUNPATH` if there is one, and of several entries the last.
fn present_path(facts: &ElfFacts) -> (PathTag, Vec<&str>) {
    let (tag, list) = match facts.runpath.last() {
        Some(list) => (PathTag::Runpath, Some(list)),
        None => (PathTag::Rpath, facts.rpath.last()),
    };
    (tag, list.map(|list| list.split(':').collect()).unwrap_or_default())
}

/// What follows `$ORIGIN` or `${ORIGIN}` in a search path entry; `None` when it does not begin with it.
fn origin_relative(entry: &str) -> Option<&str> {
    let rest = entry.strip_prefix("$ORIGIN").or_else(|| entry.strip_prefix("${ORIGIN}"))?;
    match rest {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// `Editable`: the present search path and then the linked paths.
fn editable(subject: Subject<'_>, detail: &Detail) -> Result<Changes> {
    let Which::Artifact(index) = subject.which else { return Ok(Changes::default()) };
    let (tag, old) = present_path(&detail.facts);
    let mut entries: Vec<String> = old.into_iter().map(str::to_owned).collect();
    // DT_RUNPATH lets LD_LIBRARY_PATH go first, but says nothing to the libraries that the file needs.
    let linked_below = |lib: &Library| lib.result.needs.iter().any(|need| need.rule.starts_with(LINKED));
    let tag = match (detail.android, subject.audit.libraries.iter().any(linked_below)) {
        (true, _) => PathTag::Runpath,
        (false, true) => PathTag::Rpath,
        (false, false) if entries.is_empty() => PathTag::Runpath,
        (false, false) => tag,
    };
    let linked =
        subject.audit.artifacts.get(index).map(|a| a.artifact.linked_paths.as_slice()).unwrap_or_default();
    let before = entries.len();
    for dir in linked {
        let dir = search_path_entry(dir)?;
        if !entries.iter().any(|entry| entry == dir) {
            entries.push(dir.to_owned());
        }
    }
    let search_path = (entries.len() > before).then_some(SearchPath { tag, entries });
    Ok(Changes { search_path, ..Changes::default() })
}

/// The entry that leads to `dir`.
fn search_path_entry(dir: &Path) -> Result<&str> {
    let text = dir.to_str().filter(|text| !text.contains([':', '$', '\n']));
    text.ok_or_else(|| {
        Error::new("can't stand in a search path, where `:` separates entries and `$` begins a token")
            .at(dir.display())
            .hint("link from a directory with another name")
            .into()
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
