//! What becomes of each file: what the wheels have in common stays, binaries that differ are joined.

use std::collections::{BTreeMap, BTreeSet};

use super::PartialReport;
use super::parts::{Part, Parts};
use crate::sbom::SBOM_FILE;
use crate::wheel::{Kind, Member, WheelFile};
use crate::{Error, PackagePath, Result};

/// The output's members but for RECORD and the bill of materials, in the order of the first wheel; what it lacks
/// follows.
pub struct Members {
    pub all: Vec<Merging>,
    /// The bill of materials of an earlier repair: each wheel's that has one.
    pub bills: Vec<(usize, usize)>,
}

/// One of the output's members.
pub struct Merging {
    /// Its name.
    pub name: String,
    /// The same as a path.
    pub path: PackagePath,
    /// Those of the wheels that have it, each with the member's index.
    pub sources: Vec<(usize, usize)>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is the same wherever it is.
    Kept,
    /// The binaries become one.
    Joined,
    /// `WHEEL`, whose tags change.
    Wheel,
}

impl Members {
    /// Compares the wheels.
    ///
    /// # Errors
    /// When files that are no binaries differ; all of them are named. Also when a member can't be read.
    pub fn compare(parts: &Parts) -> Result<Self> {
        let mut order: Vec<Merging> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut bills = Vec::new();
        for (wheel, part) in parts.wheels.iter().enumerate() {
            let dist_info = &part.package.dist_info;
            let bill = format!("{}/{SBOM_FILE}", dist_info.dir);
            for (index, member) in part.package.archive.members().iter().enumerate() {
                if index == dist_info.record || dist_info.signatures.contains(&index) {
                    continue;
                }
                if member.name == bill {
                    bills.push((wheel, index));
                    continue;
                }
                let at = *places.entry(member.name.clone()).or_insert_with(|| {
                    let (name, path) = (member.name.clone(), member.path.clone());
                    order.push(Merging { name, path, sources: Vec::new(), fate: Fate::Kept });
                    order.len() - 1
                });
                if let Some(merging) = order.get_mut(at) {
                    merging.sources.push((wheel, index));
                }
            }
        }
        let mut conflicts = clashes(&order, parts);
        for merging in &mut order {
            match fate(parts, merging)? {
                Ok(fate) => merging.fate = fate,
                Err(why) => conflicts.push((merging.name.clone(), why)),
            }
        }
        if !conflicts.is_empty() {
            return Err(differ(conflicts).into());
        }
        Ok(Members { all: order, bills })
    }

    /// The binaries that become one.
    pub fn joined(&self) -> impl Iterator<Item = &Merging> {
        self.all.iter().filter(|merging| merging.fate == Fate::Joined)
    }

    /// What not all wheels have, sorted.
    pub fn partial(&self, parts: &Parts) -> Vec<PartialReport> {
        let some = |merging: &&Merging| {
            let first = merging.sources.first().map(|at| member(parts, *at));
            merging.sources.len() < parts.wheels.len() && first.is_some_and(|m| m.kind != Kind::Dir)
        };
        let report = |merging: &Merging| PartialReport {
            path: merging.name.clone(),
            inputs: merging.sources.iter().map(|(wheel, _)| *wheel).collect(),
            binary: merging.sources.iter().all(|at| is_binary(parts, *at)),
        };
        let mut partial: Vec<PartialReport> = self.all.iter().filter(some).map(report).collect();
        partial.sort();
        partial
    }
}

/// The member at an index of a wheel.
pub fn member(parts: &Parts, (wheel, index): (usize, usize)) -> &Member {
    &parts.wheels[wheel].package.archive.members()[index]
}

fn is_binary(parts: &Parts, (wheel, index): (usize, usize)) -> bool {
    parts.wheels[wheel].binaries.members.iter().any(|(at, _)| *at == index)
}

/// What becomes of it; else how its sources differ, in words.
fn fate(parts: &Parts, merging: &Merging) -> Result<Result<Fate, &'static str>> {
    let Some((first, others)) = merging.sources.split_first() else { return Ok(Ok(Fate::Kept)) };
    let Part { package, .. } = &parts.wheels[first.0];
    let kind = member(parts, *first).kind;
    if others.iter().any(|other| member(parts, *other).kind != kind) {
        return Ok(Err("a link in one wheel, a file in another"));
    }
    if kind == Kind::File && first.1 == package.dist_info.wheel {
        let own = words(&package.wheel_file);
        let same = others.iter().all(|other| words(&parts.wheels[other.0].package.wheel_file) == own);
        return Ok(if same { Ok(Fate::Wheel) } else { Err("differs in more than tags") });
    }
    let mut same = true;
    for (wheel, index) in others {
        let archive = &parts.wheels[*wheel].package.archive;
        same = same && (kind == Kind::Dir || package.archive.same_contents(first.1, archive, *index)?);
    }
    Ok(match same {
        true => Ok(Fate::Kept),
        false if merging.sources.iter().all(|at| is_binary(parts, *at)) => Ok(Fate::Joined),
        false => Err(""),
    })
}

/// The headers of `WHEEL` that must be the same: all but the tags, and the program that wrote it.
fn words(file: &WheelFile) -> Vec<String> {
    let text = String::from_utf8_lossy(&file.with_tags(&[], None)).into_owned();
    let counts = |line: &&str| !line.to_ascii_lowercase().starts_with("generator:");
    text.lines().filter(counts).map(str::to_owned).collect()
}

/// Names that one wheel has as a file and another as a directory, or that differ only in case, which are one file on the
/// disks of many who will install it.
fn clashes(members: &[Merging], parts: &Parts) -> Vec<(String, &'static str)> {
    let is_file =
        |merging: &&Merging| merging.sources.first().is_some_and(|at| member(parts, *at).kind != Kind::Dir);
    let files: BTreeSet<&PackagePath> = members.iter().filter(is_file).map(|merging| &merging.path).collect();
    let mut found = Vec::new();
    let mut folded: BTreeMap<String, &Merging> = BTreeMap::new();
    for merging in members {
        let mut dir = if is_file(&merging) { merging.path.parent() } else { merging.path.clone() };
        while dir != PackagePath::root() {
            if files.contains(&dir) {
                found.push((dir.to_string(), "a file in one wheel, a directory in another"));
            }
            dir = dir.parent();
        }
        if let Some(other) = folded.insert(merging.name.to_lowercase(), merging)
            && !other.sources.iter().any(|(wheel, _)| merging.sources.iter().any(|(own, _)| own == wheel))
        {
            found.push((merging.name.clone(), "has a name that differs only in case in another wheel"));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn differ(conflicts: Vec<(String, &'static str)>) -> Error {
    let mut what = match conflicts.as_slice() {
        [_] => "a file that is no binary is not the same in the wheels".to_owned(),
        several => format!("{} files that are no binaries are not the same in the wheels", several.len()),
    };
    for (name, why) in conflicts {
        what.push_str(&format!("\n  {}", name.escape_debug()));
        if !why.is_empty() {
            what.push_str(&format!(" ({why})"));
        }
    }
    Error::new(what).hint("one wheel can hold one of them only; let the builds write the same")
}
