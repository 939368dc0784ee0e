//! `RECORD`: a CSV of every file, its hash and its size (PEP 376, PEP 427).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Archive, DistInfo, Kind, Written};
use crate::{Error, Result};

/// One line of RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordEntry {
    /// The file's name.
    pub name: String,
    /// `sha256=…`; empty for RECORD itself.
    pub hash: String,
    /// The size in bytes as text; may be empty.
    pub size: String,
}

impl From<&Written> for RecordEntry {
    fn from(written: &Written) -> Self {
        RecordEntry {
            name: written.name.clone(),
            hash: hash_field(&written.sha256),
            size: written.size.to_string(),
        }
    }
}

/// The file RECORD, with the lines of unchanged files kept byte for byte.
#[derive(Debug, Clone)]
pub struct Record {
    name: String,
    text: String,
    lines: Vec<(RecordEntry, Range<usize>)>,
    newline: &'static str,
}

impl Record {
    /// Reads it; `name` is its own name in the wheel.
    ///
    /// # Errors
    /// When it is not UTF-8, or a quote is not closed.
    pub fn parse(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let text = String::from_utf8(bytes).map_err(|error| {
            Error::new("is not UTF-8")
                .at(name)
                .offset(error.utf8_error().valid_up_to() as u64)
                .hint("build the wheel again")
        })?;
        let mut lines = Vec::new();
        let ranges = line_ranges(&text).map_err(|at| {
            Error::new("a quote is not closed").at(name).offset(at as u64).hint("build the wheel again")
        })?;
        let first = ranges.first().and_then(|range| text.get(range.clone())).unwrap_or_default();
        let newline = if first.ends_with("\r\n") { "\r\n" } else { "\n" };
        for range in ranges {
            let Some(line) = text.get(range.clone()) else { continue };
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
            let Some(Ok(fields)) = reader.records().next() else { continue };
            let field = |index: usize| fields.get(index).unwrap_or_default().to_owned();
            lines.push((RecordEntry { name: field(0), hash: field(1), size: field(2) }, range));
        }
        Ok(Record { name: name.to_owned(), text, lines, newline })
    }

    /// The lines, in order.
    pub fn entries(&self) -> impl Iterator<Item = &RecordEntry> {
        self.lines.iter().map(|(entry, _)| entry)
    }

    /// RECORD after a repair: lines of `changed` replaced where they stand, new ones added before RECORD's own
    /// line (at the end if that is not the last), lines of `removed` files dropped, all others kept as they are.
    pub fn rewrite(&self, changed: &[RecordEntry], removed: &[&str]) -> Vec<u8> {
        let mut pending: BTreeMap<&str, &RecordEntry> =
            changed.iter().map(|e| (e.name.as_str(), e)).collect();
        let removed: BTreeSet<&str> = removed.iter().copied().collect();
        let known: BTreeSet<&str> = self.entries().map(|entry| entry.name.as_str()).collect();
        let mut new: Vec<&RecordEntry> = Vec::new();
        for entry in changed.iter().filter(|entry| !known.contains(entry.name.as_str())) {
            if pending.remove(entry.name.as_str()).is_some() {
                new.push(entry);
            }
        }
        let replaced: BTreeSet<&str> = pending.keys().copied().collect();
        let own_is_last = self.lines.last().is_some_and(|(entry, _)| entry.name == self.name);
        let mut out = Vec::with_capacity(self.text.len());
        for (index, (entry, range)) in self.lines.iter().enumerate() {
            if own_is_last && index + 1 == self.lines.len() {
                new.drain(..).for_each(|entry| self.push(&mut out, entry));
            }
            let name = entry.name.as_str();
            if removed.contains(name) {
                continue;
            }
            if let Some(changed) = pending.remove(name) {
                self.push(&mut out, changed);
            } else if !replaced.contains(name) {
                self.end_line(&mut out);
                out.extend(self.text.get(range.clone()).unwrap_or_default().bytes());
            }
        }
        new.drain(..).for_each(|entry| self.push(&mut out, entry));
        if !known.contains(self.name.as_str()) {
            let own = RecordEntry { name: self.name.clone(), hash: String::new(), size: String::new() };
            self.push(&mut out, &own);
        }
        out
    }

    fn end_line(&self, out: &mut Vec<u8>) {
        if out.last().is_some_and(|&last| last != b'\n' && last != b'\r') {
            out.extend(self.newline.bytes());
        }
    }

    fn push(&self, out: &mut Vec<u8>, entry: &RecordEntry) {
        self.end_line(out);
        for (index, field) in [&entry.name, &entry.hash, &entry.size].into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if field.contains([',', '"', '\n', '\r']) {
                out.extend(format!("\"{}\"", field.replace('"', "\"\"")).bytes());
            } else {
                out.extend(field.bytes());
            }
        }
        out.extend(self.newline.bytes());
    }

    /// Where RECORD and the wheel's directory disagree, as warnings: files without a line, lines without a file,
    /// repeated lines, lines without a hash, sizes that differ.
    pub fn check(&self, archive: &Archive, dist_info: &DistInfo) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut seen = BTreeSet::new();
        let exempt = |name: &str| {
            name == self.name
                || dist_info
                    .signatures
                    .iter()
                    .any(|&i| archive.members().get(i).is_some_and(|m| m.name == name))
        };
        for entry in self.entries() {
            let shown = entry.name.escape_debug();
            if !seen.insert(entry.name.as_str()) {
                warnings.push(format!("RECORD lists `{shown}` twice"));
                continue;
            }
            let Some(member) = archive.find(&entry.name).and_then(|index| archive.members().get(index))
            else {
                warnings.push(format!("RECORD lists `{shown}`, which is not in the wheel"));
                continue;
            };
            if entry.hash.is_empty() && !exempt(&entry.name) && member.kind != Kind::Dir {
                warnings.push(format!("RECORD has no hash for `{shown}`"));
            }
            if !exempt(&entry.name) && entry.size.parse().is_ok_and(|size: u64| size != member.size) {
                warnings
                    .push(format!("RECORD says `{shown}` has {} bytes, it has {}", entry.size, member.size));
            }
        }
        for member in archive.members() {
            if member.kind != Kind::Dir && !seen.contains(member.name.as_str()) && !exempt(&member.name) {
                warnings.push(format!("RECORD does not list `{}`", member.name.escape_debug()));
            }
        }
        warnings
    }

    /// A warning when RECORD has another hash for a file than `contents` have. Hashes other than sha256, sha384
    /// and sha512 are not looked at.
    pub fn check_hash(&self, name: &str, contents: &[u8]) -> Option<String> {
        let entry = self.entries().find(|entry| entry.name == name)?;
        let (algorithm, expected) = entry.hash.split_once('=')?;
        let actual = match algorithm.to_ascii_lowercase().as_str() {
            "sha256" => base64(&Sha256::digest(contents)),
            "sha384" => base64(&Sha384::digest(contents)),
            "sha512" => base64(&Sha512::digest(contents)),
            _ => return None,
        };
        (actual != expected.trim_end_matches('='))
            .then(|| format!("`{}` has another {algorithm} than RECORD says", name.escape_debug()))
    }
}

/// The ranges of the lines, ends included; a line end inside quotes does not count, blank lines belong to the
/// line before them (the first ones to the first line). As in Python's `csv`, a quote opens only at the start of a field.
/// `Err` holds where a quote opens that is never closed.
fn line_ranges(text: &str) -> Result<Vec<Range<usize>>, usize> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut quoted, mut opened) = (0, false, 0);
    let mut before = b',';
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            // A doubled quote closes and opens again.
            b'"' if quoted || matches!(before, b',' | b'\n' | b'\r' | b'"') => {
                quoted = !quoted;
                opened = at;
            }
            b'\r' if text.as_bytes().get(at + 1) == Some(&b'\n') => {}
            b'\n' | b'\r' if !quoted => {
                push_line(text, &mut ranges, start..at + 1);
                start = at + 1;
            }
            _ => {}
        }
        before = byte;
    }
    if quoted {
        return Err(opened);
    }
    push_line(text, &mut ranges, start..text.len());
    Ok(ranges)
}

fn push_line(text: &str, ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    let blank = text.get(range.clone()).is_none_or(|line| line.trim_matches(['\r', '\n']).is_empty());
    match ranges.last_mut() {
        Some(last) if blank => last.end = range.end,
        Some(_) => ranges.push(range),
        None if blank => {}
        None => ranges.push(0..range.end),
    }
}

/// The hash of a file as RECORD writes it: `sha256=` and URL-safe base64 without padding.
pub fn hash_field(sha256: &[u8; 32]) -> String {
    format!("sha256={}", base64(sha256))
}

/// RFC 4648 section 5, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |group, byte| (group << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(group >> (18 - 6 * index) & 63) as usize]));
        }
    }
    out
}
