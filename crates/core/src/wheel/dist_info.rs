//! The `.dist-info` directory: which it is and where its files lie.

use std::collections::BTreeSet;

use super::{Archive, Kind, Record, WheelFile, WheelName};
use crate::{Error, PackagePath, Result};

/// A wheel's one `.dist-info` directory.
#[derive(Debug, Clone)]
pub struct DistInfo {
    /// The directory.
    pub dir: PackagePath,
    /// Index of the member `WHEEL`.
    pub wheel: usize,
    /// Index of the member `METADATA`, if there is one.
    pub metadata: Option<usize>,
    /// Index of the member `RECORD`.
    pub record: usize,
    /// Indices of `RECORD.jws` and `RECORD.p7s`, which no longer hold once RECORD changes.
    pub signatures: Vec<usize>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

const HINT: &str = "no installer accepts such a wheel; build it again";

impl DistInfo {
    /// Finds it: exactly one at the root, for the distribution that the file name says.
    ///
    /// # Errors
    /// When there is none, or several, or it is another distribution's, or `WHEEL` or `RECORD` is missing.
    pub fn find(archive: &Archive, name: &WheelName) -> Result<Self> {
        let refuse = |what: String| Err(Error::new(what).at(archive.path().display()).hint(HINT).into());
        let dirs: BTreeSet<&str> = archive
            .members()
            .iter()
            .filter_map(|member| {
                let mut parts = member.path.components();
                let first = parts.next()?;
                (first.ends_with(".dist-info") && (member.kind == Kind::Dir || parts.next().is_some()))
                    .then_some(first)
            })
            .collect();
        let dir = match dirs.iter().collect::<Vec<_>>().as_slice() {
            [] => return refuse("has no .dist-info directory".to_owned()),
            [dir] => **dir,
            several => {
                let names: Vec<String> = several.iter().map(|dir| dir.escape_debug().to_string()).collect();
                return refuse(format!("has {} .dist-info directories: {}", several.len(), names.join(", ")));
            }
        };
        let stem = dir.strip_suffix(".dist-info").unwrap_or(dir);
        let (dist, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
        if normal(dist) != normal(name.dist()) {
            return refuse(format!("`{}` belongs to another distribution than `{name}`", dir.escape_debug()));
        }
        let mut warnings = Vec::new();
        if normal(version) != normal(name.version()) {
            warnings.push(format!("`{}` and `{name}` name different versions", dir.escape_debug()));
        }
        let file = |file: &str| {
            let index = archive.find(&format!("{dir}/{file}"));
            index
                .filter(|&index| archive.members().get(index).is_some_and(|member| member.kind == Kind::File))
        };
        let (Some(wheel), Some(record)) = (file("WHEEL"), file("RECORD")) else {
            let missing = if file("WHEEL").is_none() { "WHEEL" } else { "RECORD" };
            return refuse(format!("has no {}/{missing}", dir.escape_debug()));
        };
        Ok(DistInfo {
            dir: PackagePath::new(dir)?,
            wheel,
            metadata: file("METADATA"),
            record,
            signatures: ["RECORD.jws", "RECORD.p7s"].into_iter().filter_map(file).collect(),
            warnings,
        })
    }

    /// Reads `WHEEL`.
    ///
    /// # Errors
    /// When it is damaged, or of a version that is not understood.
    pub fn read_wheel(&self, archive: &Archive) -> Result<WheelFile> {
        WheelFile::parse(archive.read(self.wheel)?, &archive.member(self.wheel)?.name)
    }

    /// Reads `RECORD`.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read_record(&self, archive: &Archive) -> Result<Record> {
        Record::parse(archive.read(self.record)?, &archive.member(self.record)?.name)
    }
}

/// A name or version for comparison (PEP 503): lower case, runs of `-`, `_` and `.` alike.
fn normal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}
