//! Reads back what was written.

use std::ops::Range;

use object::macho;
use spokeshave_core::{Error, Result};

use crate::change::{Changes, SliceChanges};
use crate::facts::{MachoFacts, Slice};
use crate::image::{Content, Fat, File, Image, LINKEDIT, dylib_kind};
use crate::sign;

/// Checks that `new` is `old` with `changes` and nothing else: names and search paths, every other load command, every
/// byte that is neither load command nor signature.
///
/// # Errors
/// When it is not.
pub(crate) fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    let back = |error: anyhow::Error| error.context("the changed file can't be read back");
    let (before, after) = (File::parse(old)?, File::parse(new).map_err(back)?);
    let (was, is) = (MachoFacts::of(&before)?, MachoFacts::of(&after).map_err(back)?);
    let identity = |file: &File<'_>| {
        let arches = file.fat.as_ref().map(|fat| fat.arches.iter().map(|a| (a.arch, a.align)).collect());
        (file.fat.as_ref().map(|fat| fat.is_64), arches.unwrap_or_else(Vec::new))
    };
    if identity(&before) != identity(&after) || was.slices.len() != is.slices.len() {
        return Err(fault("the fat header changed", 0));
    }
    let slices = before.slices.iter().zip(&after.slices).zip(was.slices.iter().zip(&is.slices));
    for (((before, after), (was, is)), change) in slices.zip(&changes.slices) {
        match (before, after) {
            _ if before.view().bytes == after.view().bytes => {
                if super::goal::Goal::of(was, change).is_some() {
                    return Err(fault("a slice did not change", is.offset));
                }
            }
            (Content::Image(before), Content::Image(after)) => {
                names(was, is, change)?;
                commands(before, after)?;
                contents(before, after)?;
            }
            _ => return Err(fault("a slice changed its kind", is.offset)),
        }
    }
    between(&before, &after)
}

/// The names are what was asked for.
fn names(was: &Slice, is: &Slice, change: &SliceChanges) -> Result<()> {
    let mut should = was.clone();
    if let (Some(id), Some(name)) = (&mut should.id, &change.id) {
        id.name.clone_from(name);
    }
    for (_, dylib) in &mut should.dylibs {
        if let Some((_, name)) = change.dylibs.iter().find(|(old, _)| *old == dylib.name) {
            dylib.name.clone_from(name);
        }
    }
    if let Some(rpaths) = &change.rpaths {
        should.rpaths.clone_from(rpaths);
    }
    let signed = is.layout.code_signature == (was.layout.code_signature || was.arch.must_be_signed());
    if (&should.id, &should.dylibs, &should.rpaths) != (&is.id, &is.dylibs, &is.rpaths) || !signed {
        return Err(fault("names or search paths are not what was asked for", is.offset));
    }
    let kept = |slice: &Slice| (slice.arch, slice.filetype, slice.flags, slice.uuid, slice.min_os.clone());
    if kept(was) != kept(is) {
        return Err(fault("the header changed", is.offset));
    }
    Ok(())
}

/// The other load commands are what and where they were; of those with names, what is not the name.
fn commands(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let (was, is) = (fixed_parts(before)?, fixed_parts(after)?);
    if was != is {
        return Err(fault("a load command changed that should not have", after.view.base));
    }
    Ok(())
}

/// What may not change of each load command, those left out that may come and go.
fn fixed_parts<'a>(image: &Image<'a>) -> Result<Vec<(macho::LoadCommandType, Vec<&'a [u8]>)>> {
    let linkedit = image.segment(&LINKEDIT).map(|segment| segment.command);
    let mut parts = Vec::new();
    for command in &image.commands {
        let bytes = image.part_of(command)?.bytes;
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        if command.kind == macho::LC_RPATH || command.kind == macho::LC_CODE_SIGNATURE {
            continue;
        }
        let kept = if command.kind == macho::LC_ID_DYLIB || dylib_kind(image, command)?.is_some() {
            let raw: &macho::DylibCommand<object::Endianness> = image.typed(command)?;
            vec![part(8..raw.dylib.name.offset.get(image.endian()) as usize)]
        } else if Some(*command) == linkedit && image.header.is_64 {
            vec![part(0..32), part(40..48), part(56..bytes.len())]
        } else if Some(*command) == linkedit {
            vec![part(0..28), part(32..36), part(40..bytes.len())]
        } else {
            vec![bytes]
        };
        parts.push((command.kind, kept));
    }
    Ok(parts)
}

/// Everything between load commands and signature is what and where it was, and what was behind the signature still is.
fn contents(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let signed = after.signature()?.is_some();
    let (was, is) = (Parts::of(before, signed)?, Parts::of(after, signed)?);
    let start = before.header.commands_end().max(after.header.commands_end());
    let old = before.slice(start..was.contents_end);
    if old.is_none() || old != after.slice(start..was.contents_end) {
        return Err(fault("a byte changed that is neither load command nor signature", after.view.base));
    }
    let old = before.slice(was.payload..before.size());
    if old.is_none() || old != after.slice(is.payload..after.size()) {
        return Err(fault("what follows __LINKEDIT changed", after.view.base.saturating_add(is.payload)));
    }
    let freed = after.slice(after.header.commands_end()..start);
    if freed.is_none_or(|bytes| bytes.iter().any(|byte| *byte != 0)) {
        return Err(fault("freed bytes of the header are not zero", after.view.base));
    }
    if signed && is.contents_end.saturating_sub(was.contents_end) >= sign::ALIGNMENT.into() {
        return Err(fault("the signature is not where it should be", after.view.base));
    }
    Ok(())
}

/// Where the parts of a slice are.
struct Parts {
    /// The end of everything before the signature.
    contents_end: u64,
    /// The beginning of what follows `__LINKEDIT`.
    payload: u64,
}

impl Parts {
    /// `signed`: whether it has a signature, or is to have one.
    fn of(image: &Image<'_>, signed: bool) -> Result<Parts> {
        let linkedit = image.segment(&LINKEDIT).map(|segment| segment.file_range().end);
        Ok(match (image.signature()?, linkedit) {
            (Some(signature), linkedit) => {
                Parts { contents_end: signature.start, payload: signature.end.max(linkedit.unwrap_or(0)) }
            }
            (None, Some(end)) if signed => Parts { contents_end: end, payload: end },
            (None, _) => Parts { contents_end: image.size(), payload: image.size() },
        })
    }
}

/// Outside of the slices there is what there was; only gaps may have another size.
fn between(before: &File<'_>, after: &File<'_>) -> Result<()> {
    let (Some(was), Some(is)) = (&before.fat, &after.fat) else { return Ok(()) };
    if was.by_offset() != is.by_offset() {
        return Err(fault("the slices changed their order", 0));
    }
    let (old, new) = (outside(before.bytes, was), outside(after.bytes, is));
    let kept = |(old, new): (&&[u8], &&[u8])| {
        let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        old == new || (zero(old) && zero(new))
    };
    let last = (old.last(), new.last());
    if old.len() != new.len() || last.0 != last.1 || !old.iter().zip(&new).all(kept) {
        return Err(fault("bytes changed that belong to no slice", 0));
    }
    Ok(())
}

/// What lies before, between and behind the slices.
fn outside<'a>(bytes: &'a [u8], fat: &Fat) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut at = fat.table_end();
    let mut part = |at: u64, end: u64| parts.extend(bytes.get(at as usize..end as usize));
    for arch in fat.by_offset().into_iter().filter_map(|index| fat.arches.get(index)) {
        part(at, arch.offset);
        at = arch.offset.saturating_add(arch.size);
    }
    part(at, bytes.len() as u64);
    parts
}

fn fault(what: &str, offset: u64) -> anyhow::Error {
    Error::new(format!("read back: {what}"))
        .offset(offset)
        .hint("this is a fault of the editor; please report it")
        .into()
}
