//! The output: what stays is copied compressed, what was joined is packed, RECORD says so.

use std::path::Path;

use super::super::carried;
use super::members::{Fate, Members, Merging, member};
use super::package::Merged;
use super::parts::Parts;
use super::{Engine, MergeOptions};
use crate::sbom;
use crate::wheel::{
    Entry, Item, Kind, RecordEntry, WheelName, WriteOptions, Writer, Written, hash_field, pack, write_members,
};
use crate::{Bytes, Event, Result};

/// Writes the wheel.
///
/// # Errors
/// When a member can't be read, or the output can't be written; nothing is left then.
pub fn write(
    engine: &Engine<'_>,
    parts: &Parts,
    members: &Members,
    merged: &Merged,
    name: &WheelName,
    output: &Path,
    options: &MergeOptions,
) -> Result<()> {
    let mut writer = Writer::create(output)?;
    let (items, total) = items(parts, members, merged, name);
    let progress = |done| engine.events.event(Event::Progress { done, total });
    let how = WriteOptions { jobs: options.jobs, level: options.compression_level };
    let written = write_members(&mut writer, &how, items, &progress)?;
    let mut changed: Vec<RecordEntry> = written.iter().map(RecordEntry::from).collect();
    for merging in members.all.iter().filter(|merging| merging.fate == Fate::Kept) {
        changed.extend(entry(parts, merging)?);
    }

    if let Some(first) = members.bills.first() {
        let marks = member(parts, *first);
        let text = bill(engine, parts, members, name, &written)?;
        let packed = pack(Bytes::from(text), options.compression_level)?;
        changed.push(RecordEntry {
            name: marks.name.clone(),
            hash: hash_field(&packed.sha256),
            size: packed.size.to_string(),
        });
        writer.add(&Entry::like(marks), &packed)?;
    }
    let first = parts.first();
    let own = first.archive.members();
    let signatures: Vec<&str> =
        first.dist_info.signatures.iter().map(|index| own[*index].name.as_str()).collect();
    let record = first.record.rewrite(&changed, &signatures);
    let marks = Entry::like(&own[first.dist_info.record]);
    writer.add(&marks, &pack(Bytes::from(record), options.compression_level)?)?;
    writer.finish()
}

/// The members but for the bill of materials and RECORD, in the output's order, and the bytes of the new ones: what
/// stays, then what was joined (the largest first, so that the threads end together), then `.dist-info`.
fn items<'a>(
    parts: &'a Parts,
    members: &'a Members,
    merged: &'a Merged,
    name: &WheelName,
) -> (Vec<Item<'a>>, u64) {
    let (mut kept, mut joined, mut dist_info) = (Vec::new(), Vec::new(), Vec::new());
    for merging in &members.all {
        let Some((wheel, index)) = merging.sources.first().copied() else { continue };
        let marks = Entry::like(member(parts, (wheel, index)));
        let item = match (merging.fate, merged.source(merging)) {
            (Fate::Joined, Some(source)) => {
                let source = source.clone();
                let size = source.size();
                joined
                    .push((size, Item::New { entry: marks, size, produce: Box::new(move || source.open()) }));
                continue;
            }
            (Fate::Wheel, _) => {
                let text = parts.first().wheel_file.with_tags(&name.tags(), None);
                let size = text.len() as u64;
                Item::New { entry: marks, size, produce: Box::new(move || Ok(Bytes::from(text))) }
            }
            _ => Item::Raw { archive: &parts.wheels[wheel].package.archive, index },
        };
        let metadata = merging.path.is_below(&parts.first().dist_info.dir);
        if metadata { dist_info.push(item) } else { kept.push(item) }
    }
    joined.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let total = joined.iter().map(|(size, _)| *size).sum();
    kept.extend(joined.into_iter().map(|(_, item)| item));
    kept.extend(dist_info);
    (kept, total)
}

/// The line of RECORD for a file that the first wheel does not have.
fn entry(parts: &Parts, merging: &Merging) -> Result<Option<RecordEntry>> {
    let Some((wheel, index)) = merging.sources.first().copied().filter(|(wheel, _)| *wheel > 0) else {
        return Ok(None);
    };
    let package = &parts.wheels[wheel].package;
    if member(parts, (wheel, index)).kind == Kind::Dir {
        return Ok(None);
    }
    let known = package.record.entries().find(|entry| entry.name == merging.name && !entry.hash.is_empty());
    Ok(Some(match known {
        Some(entry) => entry.clone(),
        None => {
            let packed = pack(Bytes::from(package.archive.read(index)?), 0)?;
            RecordEntry {
                name: merging.name.clone(),
                hash: hash_field(&packed.sha256),
                size: packed.size.to_string(),
            }
        }
    }))
}

/// The bills of materials of earlier repairs, as one.
fn bill(
    engine: &Engine<'_>,
    parts: &Parts,
    members: &Members,
    name: &WheelName,
    written: &[Written],
) -> Result<Vec<u8>> {
    let read = |at: &(usize, usize)| parts.wheels[at.0].package.archive.read(at.1);
    let existing = members.bills.iter().map(read).collect::<Result<Vec<_>>>()?;
    let existing: Vec<&[u8]> = existing.iter().map(Vec::as_slice).collect();
    let wheel = sbom::Described::Wheel(sbom::WheelId {
        name: name.dist(),
        version: name.version(),
        file_name: &name.to_string(),
        timestamp: carried::epoch(engine),
    });
    let sha256 = |path: &str| written.iter().find(|written| written.name == path).map(|w| w.sha256);
    sbom::merge(&wheel, &existing, &sha256)
}
