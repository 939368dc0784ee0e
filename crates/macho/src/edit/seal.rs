//! The signature's place: at the end of `__LINKEDIT`, with only an appended payload behind it.

use std::ops::Range;

use object::macho;
use spokeshave_core::{Error, Result};

use super::slice::Tail;
use crate::facts::Slice;
use crate::image::{Command, Image, LINKEDIT, Segment, View, read_commands};
use crate::sign::{self, Signature, Signing};

/// Where the new signature comes.
struct Place {
    /// What it replaces: the old signature and zeros behind it that belong to `__LINKEDIT`, or nothing.
    old: Range<u64>,
    /// Where it begins: `dataoff`.
    dataoff: u32,
}

/// Fills in `LC_CODE_SIGNATURE` and `__LINKEDIT` in the new load commands `head`, then signs.
///
/// # Errors
/// When there is no `__LINKEDIT`, or something else lies where the signature must come.
pub(super) fn seal(
    image: &Image<'_>,
    facts: &Slice,
    mut head: Vec<u8>,
    file_name: &str,
) -> Result<(Vec<u8>, Tail)> {
    let place = Place::of(image, facts)?;
    let old = image.signature()?.and_then(|range| image.slice(range));
    let old = old.and_then(|bytes| Signature::read(bytes, image.view.base).ok());
    let signing = Signing::new(&image.code(file_name)?, old.as_ref());
    // A size that did not shrink leaves `__LINKEDIT` and whatever lies behind the slice where they are.
    let reserved = u32::try_from(place.old.end.saturating_sub(place.dataoff.into())).unwrap_or(u32::MAX);
    let datasize = signing.size(place.dataoff.into())?.max(reserved);
    patch_commands(image, &mut head, place.dataoff, datasize)?;

    let dataoff = place.dataoff as usize;
    let kept_end = dataoff.min(place.old.start as usize);
    let rest =
        image.view.bytes.get(head.len()..kept_end).ok_or_else(|| {
            image.view.fault(place.old.start, "the signature would lie in the load commands")
        })?;
    let padding = vec![0; dataoff - kept_end];
    let superblob = signing.superblob(&[&head, rest, &padding], datasize)?;
    Ok((head, Tail { range: place.old, bytes: [padding, superblob].concat() }))
}

impl Place {
    fn of(image: &Image<'_>, facts: &Slice) -> Result<Place> {
        let arch = facts.arch;
        let fault = |at: u64, what: String| image.view.fault(at, format!("{arch}: {what}"));
        let Some(linkedit) = image.segment(&LINKEDIT) else {
            let what = "there is no __LINKEDIT segment to hold a signature".to_owned();
            return Err(fault(0, what).into());
        };
        let linkedit = linkedit.file_range();
        let signature = image.signature()?;
        let old = signature.clone().unwrap_or(linkedit.end..linkedit.end);
        if let Some(signature) = &signature {
            image.slice(signature.clone()).ok_or_else(|| {
                fault(signature.start, "the signature ends past the end".to_owned())
                    .hint("the file looks truncated; build or fetch it again")
            })?;
        }
        let contents = image.contents_end()?;
        if contents > old.start || old.start < linkedit.start {
            let what = format!("contents up to {contents:#x} lie behind the place of the signature");
            return Err(fault(old.start, what).into());
        }
        let behind = image.slice(old.end..linkedit.end.max(old.end)).unwrap_or_default();
        if behind.iter().any(|byte| *byte != 0) {
            let what = "__LINKEDIT goes on behind the signature".to_owned();
            return Err(fault(old.end, what).into());
        }
        let dataoff = old.start.checked_next_multiple_of(sign::ALIGNMENT.into());
        let dataoff = dataoff.and_then(|dataoff| u32::try_from(dataoff).ok());
        match dataoff {
            Some(dataoff) => Ok(Place { old: old.start..old.end.max(linkedit.end), dataoff }),
            None => Err(fault(old.start, "a signature can't begin beyond 4 GiB".to_owned()).into()),
        }
    }
}

/// Writes the place of the signature into the new load commands.
fn patch_commands(image: &Image<'_>, head: &mut [u8], dataoff: u32, datasize: u32) -> Result<()> {
    let header = &image.header;
    let end = u64::from(dataoff) + u64::from(datasize);
    let commands = read_commands(&View { bytes: head, base: image.view.base })?;
    let linkedit = image.segment(&LINKEDIT);
    let segments = commands.iter().filter(|command| command.is_segment());
    // The segments kept their order.
    let index = image.segments.iter().position(|segment| Some(segment) == linkedit);
    let segment = index.and_then(|index| segments.clone().nth(index));
    let signature = commands.iter().find(|command| command.kind == macho::LC_CODE_SIGNATURE);
    let (Some(linkedit), Some(segment), Some(signature)) = (linkedit, segment, signature) else {
        return Err(Error::new("the new load commands have no place for a signature").into());
    };
    let filesize = end.saturating_sub(linkedit.fileoff);
    let vmsize = vmsize(image, linkedit, filesize)?;
    let (vmsize_at, filesize_at) = if header.is_64 { (32, 48) } else { (28, 36) };
    let word = |value: u64| match u32::try_from(value) {
        _ if header.is_64 => Ok(header.long(value).to_vec()),
        Ok(value) => Ok(header.word(value).to_vec()),
        Err(_) => Err(image.view.fault(linkedit.command.offset, "__LINKEDIT grows beyond 4 GiB")),
    };
    write(head, segment, vmsize_at, &word(vmsize)?);
    write(head, segment, filesize_at, &word(filesize)?);
    write(head, signature, 8, &[header.word(dataoff), header.word(datasize)].concat());
    Ok(())
}

fn write(head: &mut [u8], command: &Command, at: u64, bytes: &[u8]) {
    let place = usize::try_from(command.offset.saturating_add(at)).ok();
    if let Some(place) = place.and_then(|at| head.get_mut(at..)?.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

/// The memory that `__LINKEDIT` takes, in whole pages once it must grow.
fn vmsize(image: &Image<'_>, linkedit: &Segment, filesize: u64) -> Result<u64> {
    if filesize <= linkedit.vmsize {
        return Ok(linkedit.vmsize);
    }
    let page = if image.header.arch.must_be_signed() { 0x4000 } else { 0x1000 };
    let size = filesize.checked_next_multiple_of(page);
    let end = size.and_then(|size| linkedit.vmaddr.checked_add(size));
    let limit = if image.header.is_64 { u64::MAX } else { 1 << 32 };
    let next = image.segments.iter().map(|segment| segment.vmaddr).filter(|at| *at > linkedit.vmaddr).min();
    match (size, end) {
        (Some(size), Some(end)) if end <= limit.min(next.unwrap_or(limit)) => Ok(size),
        _ => {
            let what = format!("{}: __LINKEDIT can't grow in memory", image.header.arch);
            Err(image.view.fault(linkedit.command.offset, what).into())
        }
    }
}
