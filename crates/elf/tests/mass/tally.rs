//! What came out.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::corpus::Library;

/// Counts and names.
#[derive(Default)]
pub struct Tally {
    /// What must not be.
    pub faults: Vec<String>,
    /// What should be known.
    pub notes: Vec<String>,
    /// Growth in bytes of a second change.
    pub second_growth: Vec<i64>,
    growth: Vec<i64>,
    edited: usize,
    bytes: usize,
    took: Duration,
    loaded: BTreeMap<String, usize>,
    unloadable: BTreeMap<&'static str, usize>,
    refused: Vec<String>,
    skipped: BTreeMap<String, usize>,
    moved: Vec<String>,
}

impl Tally {
    pub fn fault(&mut self, library: &Library, what: String) {
        self.faults.push(format!("{}: {what}", library.path.display()));
    }

    pub fn skipped(&mut self, why: &str) {
        *self.skipped.entry(why.to_owned()).or_default() += 1;
    }

    pub fn refused(&mut self, library: &Library, why: &str) {
        let line = format!("{}: {why}", library.path.display());
        // Only the loaders may be refused.
        if why.contains("dynamic loader") || why.contains("static program") {
            self.refused.push(line);
        } else {
            self.faults.push(line);
        }
    }

    pub fn edited(&mut self, old: usize, new: usize, took: Duration) {
        self.edited += 1;
        self.bytes += old;
        self.took += took;
        self.growth.push(new as i64 - old as i64);
    }

    pub fn moved(&mut self, library: &Library) {
        self.moved.push(library.path.display().to_string());
    }

    pub fn unloadable(&mut self, why: &str) {
        let kinds =
            ["undefined symbol", "cannot open shared object file", "static TLS", "initialization routine"];
        let kind = kinds.into_iter().find(|kind| why.contains(kind)).unwrap_or("other reasons");
        *self.unloadable.entry(kind).or_default() += 1;
    }

    pub fn loaded(&mut self, what: &str) {
        *self.loaded.entry(what.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: Tally) {
        self.faults.extend(other.faults);
        self.notes.extend(other.notes);
        self.second_growth.extend(other.second_growth);
        self.growth.extend(other.growth);
        self.edited += other.edited;
        self.bytes += other.bytes;
        self.took += other.took;
        self.refused.extend(other.refused);
        self.moved.extend(other.moved);
        other.loaded.into_iter().for_each(|(what, count)| *self.loaded.entry(what).or_default() += count);
        other
            .unloadable
            .into_iter()
            .for_each(|(why, count)| *self.unloadable.entry(why).or_default() += count);
        other.skipped.into_iter().for_each(|(what, count)| *self.skipped.entry(what).or_default() += count);
    }

    pub fn sorted(mut self) -> Self {
        for list in [&mut self.faults, &mut self.refused, &mut self.moved] {
            list.sort();
        }
        self.growth.sort_unstable();
        self.second_growth.sort_unstable();
        self
    }
}

/// Median, ninth decile, maximum.
fn spread(sorted: &[i64]) -> String {
    let at =
        |part: f64| sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1)));
    match (at(0.5), at(0.9), sorted.last()) {
        (Some(median), Some(decile), Some(max)) => format!("median {median}, p90 {decile}, max {max}"),
        _ => "none".into(),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.bytes as f64 / 1e6;
        writeln!(f, "edited: {} files, {megabytes:.1} MB", self.edited)?;
        writeln!(f, "time of edit and check: {:.3} ms per MB", self.took.as_secs_f64() * 1e3 / megabytes)?;
        writeln!(f, "growth in bytes: {}", spread(&self.growth))?;
        let still = self.growth.iter().filter(|growth| **growth <= 0).count();
        writeln!(f, "edited without growth: {still}")?;
        writeln!(f, "growth of a second change: {}", spread(&self.second_growth))?;
        for (why, count) in &self.unloadable {
            writeln!(f, "untouched copy does not load, {why}: {count}")?;
        }
        for (what, count) in &self.loaded {
            writeln!(f, "loads, {what}: {count}")?;
        }
        for (why, count) in &self.skipped {
            writeln!(f, "left out, {why}: {count}")?;
        }
        writeln!(f, "refused: {}", self.refused.len())?;
        self.refused.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "program headers moved: {}", self.moved.len())?;
        self.moved.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        self.notes.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "faults: {}", self.faults.len())?;
        self.faults.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
