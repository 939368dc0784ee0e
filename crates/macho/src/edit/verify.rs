//! Reads back what was written.

use std::collections::BTreeSet;
use std::ops::Range;

use object::Endianness;
use object::macho::{self, LoadCommandType};
use spokeshave_core::{Edit, Error, Result};

use super::goal::Goal;
use super::sketch::{is_kept, sketch};
use crate::change::{Changes, SliceChanges};
use crate::facts::{MachoFacts, Slice};
use crate::image::{Binary, Command, Content, Fat, Header, Image, LINKEDIT, View, dylib_kind};
use crate::sign;

/// Whether a range of the old file stands unchanged at a range of the new one.
type Kept<'a> = &'a dyn Fn(Range<u64>, Range<u64>) -> bool;

/// Checks that `new` is `old` with `changes` and nothing else: names and search paths, every other load command, every
/// byte that is neither load command nor signature.
///
/// # Errors
/// When it is not.
pub(crate) fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    let part = |bytes, range: Range<u64>| View { bytes, base: 0 }.slice(range);
    let kept =
        |was: Range<u64>, is: Range<u64>| part(old, was.clone()).is_some() && part(old, was) == part(new, is);
    compare(&Binary::parse(old)?, new, changes, &kept)
}

/// [`verify`] for edits that are not carried out yet.
///
/// # Errors
/// When the edited file would not be what was asked for.
pub(super) fn check(old: &[u8], edits: &[Edit], changes: &Changes) -> Result<()> {
    let before = Binary::parse(old)?;
    compare(&before, &sketch(&before, edits)?, changes, &|was, is| is_kept(edits, &was, &is))
}

fn compare(before: &Binary<'_>, new: &[u8], changes: &Changes, kept: Kept<'_>) -> Result<()> {
    let back = |error: anyhow::Error| error.context("the changed file can't be read back");
    let after = Binary::parse(new).map_err(back)?;
    let (was, is) = (MachoFacts::of(before)?, MachoFacts::of(&after).map_err(back)?);
    let identity = |file: &Binary<'_>| {
        let arches = |fat: &Fat| fat.arches.iter().map(|arch| (arch.arch, arch.align)).collect::<Vec<_>>();
        file.fat.as_ref().map(|fat| (fat.is_64, arches(fat)))
    };
    if identity(before) != identity(&after) || was.slices.len() != is.slices.len() {
        return Err(fault("the fat header changed", 0));
    }
    let slices = before.slices.iter().zip(&after.slices).zip(was.slices.iter().zip(&is.slices));
    for (((before, after), (was, is)), change) in slices.zip(&changes.slices) {
        match (before, after, Goal::of(was, change)) {
            (Content::Image(before), Content::Image(after), Some(goal)) => {
                names(was, is, &goal, change)?;
                commands(before, after)?;
                contents(before, after, kept)?;
            }
            _ if !kept(before.view().range(), after.view().range()) => {
                return Err(fault("a slice changed that should not have", is.offset));
            }
            _ => {}
        }
    }
    between(before, &after, kept)
}

/// The names are what was asked for.
fn names(was: &Slice, is: &Slice, goal: &Goal<'_>, change: &SliceChanges) -> Result<()> {
    let mut should = was.clone();
    if let (Some(id), Some(name)) = (&mut should.id, &change.id) {
        id.name.clone_from(name);
    }
    for ((_, dylib), name) in should.dylibs.iter_mut().zip(&goal.dylibs) {
        if let Some(name) = name {
            dylib.name = name.clone().into_owned();
        }
    }
    if let Some(rpaths) = &change.rpaths {
        should.rpaths.clone_from(rpaths);
    }
    let signed = is.layout.code_signature == (was.layout.code_signature || was.arch.must_be_signed());
    if (&should.id, &should.dylibs, &should.rpaths) != (&is.id, &is.dylibs, &is.rpaths) || !signed {
        return Err(fault("names or search paths are not what was asked for", is.offset));
    }
    Ok(())
}

/// The header and the other load commands are what they were; of those with names, what is not the name.
fn commands(before: &Image<'_>, after: &Image<'_>) -> Result<()> {
    let at = after.view.base;
    let counts = Header::COUNTS.start as u64..Header::COUNTS.end as u64;
    let same = |range: Range<u64>| before.slice(range.clone()) == after.slice(range);
    if !same(0..counts.start) || !same(counts.end..before.header.size()) {
        return Err(fault("the header changed", at));
    }
    if after.commands.last().map(|command| command.end()) != Some(after.header.commands_end()) {
        return Err(fault("the load commands end before sizeofcmds says so", at));
    }
    if kept_parts(before)? != kept_parts(after)? {
        return Err(fault("a load command changed that should not have", at));
    }
    let old: BTreeSet<&[u8]> =
        before.commands.iter().map(|command| bytes_of(before, command)).collect::<Result<_>>()?;
    for command in &after.commands {
        let bytes = bytes_of(after, command)?;
        let name = name_offset(after, command)?;
        let padding = name.and_then(|name| bytes.get(name as usize..)).unwrap_or_default();
        let padding = padding.iter().skip_while(|byte| **byte != 0);
        if !old.contains(bytes) && padding.copied().any(|byte| byte != 0) {
            return Err(fault("the padding behind a name is not zero", at.saturating_add(command.offset)));
        }
    }
    Ok(())
}

/// A load command's kind and what of it may not change.
type KeptParts<'a> = (LoadCommandType, Vec<&'a [u8]>);

/// What may not change of each load command, those left out that may come and go.
fn kept_parts<'a>(image: &Image<'a>) -> Result<Vec<KeptParts<'a>>> {
    let linkedit = image.segment(&LINKEDIT).map(|segment| segment.command);
    let mut parts = Vec::new();
    for command in &image.commands {
        let bytes = bytes_of(image, command)?;
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        let kept = match name_offset(image, command)? {
            _ if command.kind == macho::LC_RPATH || command.kind == macho::LC_CODE_SIGNATURE => continue,
            Some(name) => vec![part(8..name as usize)],
            // `vmsize` and `filesize`
            None if Some(*command) == linkedit && image.header.is_64 => {
                vec![part(0..32), part(40..48), part(56..bytes.len())]
            }
            None if Some(*command) == linkedit => vec![part(0..28), part(32..36), part(40..bytes.len())],
            None => vec![bytes],
        };
        parts.push((command.kind, kept));
    }
    Ok(parts)
}

fn bytes_of<'a>(image: &Image<'a>, command: &Command) -> Result<&'a [u8]> {
    Ok(image.part_of(command)?.bytes)
}

/// Where in a command the name begins that may change.
fn name_offset(image: &Image<'_>, command: &Command) -> Result<Option<u32>> {
    let endian = image.endian();
    if command.kind == macho::LC_RPATH {
        let raw: &macho::RpathCommand<Endianness> = image.typed(command)?;
        return Ok(Some(raw.path.offset.get(endian)));
    }
    if command.kind != macho::LC_ID_DYLIB && dylib_kind(image, command)?.is_none() {
        return Ok(None);
    }
    let raw: &macho::DylibCommand<Endianness> = image.typed(command)?;
    Ok(Some(raw.dylib.name.offset.get(endian)))
}

/// Everything between load commands and signature is what and where it was, and what was behind the signature still is.
fn contents(before: &Image<'_>, after: &Image<'_>, kept: Kept<'_>) -> Result<()> {
    let signed = after.signature()?.is_some();
    let (was, is) = (Parts::of(before, signed)?, Parts::of(after, signed)?);
    let start = before.header.commands_end().max(after.header.commands_end());
    let absolute = |image: &Image<'_>, range: Range<u64>| {
        let base = image.view.base;
        base.saturating_add(range.start)..base.saturating_add(range.end)
    };
    let same = start..was.contents_end;
    if !kept(absolute(before, same.clone()), absolute(after, same)) {
        return Err(fault("a byte changed that is neither load command nor signature", after.view.base));
    }
    let payload = absolute(before, was.payload..before.size());
    if !kept(payload, absolute(after, is.payload..after.size())) {
        return Err(fault("what follows __LINKEDIT changed", after.view.base.saturating_add(is.payload)));
    }
    let freed = after.slice(after.header.commands_end()..start);
    if freed.is_none_or(|bytes| bytes.iter().any(|byte| *byte != 0)) {
        return Err(fault("freed bytes of the header are not zero", after.view.base));
    }
    if signed { linkedit(before, after, was.contents_end..is.contents_end) } else { Ok(()) }
}

/// `__LINKEDIT` ends with the signature and takes no more memory than it must; between `padding` there is nothing.
fn linkedit(before: &Image<'_>, after: &Image<'_>, padding: Range<u64>) -> Result<()> {
    let aligned = padding.start.next_multiple_of(sign::ALIGNMENT.into());
    let zeros = after.slice(padding.clone()).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let ends = after.signature()?.zip(after.segment(&LINKEDIT));
    let ends = ends.is_some_and(|(signature, linkedit)| signature.end == linkedit.file_range().end);
    let memory = before.segment(&LINKEDIT).zip(after.segment(&LINKEDIT)).is_some_and(|(was, is)| {
        let grown = is.filesize > was.vmsize && is.vmsize.saturating_sub(is.filesize) < 0x4000;
        is.vmsize == was.vmsize || grown
    });
    if padding.end != aligned || !zeros || !ends || !memory {
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
fn between(before: &Binary<'_>, after: &Binary<'_>, kept: Kept<'_>) -> Result<()> {
    let (Some(was), Some(is)) = (&before.fat, &after.fat) else { return Ok(()) };
    if was.by_offset() != is.by_offset() {
        return Err(fault("the slices changed their order", 0));
    }
    let (old, new) = (outside(before.bytes, was), outside(after.bytes, is));
    let zero = |part: &View<'_>| part.bytes.iter().all(|byte| *byte == 0);
    let gaps = old.len().saturating_sub(1);
    let mut parts = old.iter().zip(&new).enumerate();
    if old.len() != new.len()
        || parts.any(|(at, (old, new))| {
            !kept(old.range(), new.range()) && (at == gaps || !zero(old) || !zero(new))
        })
    {
        return Err(fault("bytes changed that belong to no slice", 0));
    }
    Ok(())
}

/// What lies before, between and behind the slices.
fn outside<'a>(bytes: &'a [u8], fat: &Fat) -> Vec<View<'a>> {
    let whole = View { bytes, base: 0 };
    let mut parts = Vec::new();
    let mut at = fat.table_end();
    let mut part = |at: u64, end: u64| {
        parts.extend(whole.slice(at..end).map(|bytes| View { bytes, base: at }));
    };
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
