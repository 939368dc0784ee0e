//! Which fields name a DLL, and which of them change.

use std::ops::Range;

use spokeshave_core::{Edit, Error, Result};

use crate::change::Changes;
use crate::image::{DelayDescriptor, Image, ImportDescriptor};

/// A field that names a DLL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// The file range of the descriptor that it belongs to.
    pub descriptor: Range<u64>,
    /// Where the field stands in the file.
    pub field: u64,
    /// Where `TimeDateStamp` stands in the file.
    pub stamp: u64,
    /// What an RVA gets added to become the field's value: `ImageBase` in delay import descriptors of the first version.
    pub base: u64,
    /// The name.
    pub name: &'a str,
    /// The file range of the name, without its NUL.
    pub text: Range<u64>,
    /// The RVA of the name.
    pub rva: u32,
}

impl Reference<'_> {
    /// The field's value for a name that stands at `rva`.
    ///
    /// # Errors
    /// When the address has more than 32 bits.
    pub fn value(&self, rva: u32) -> Result<u32> {
        let value = self.base.checked_add(rva.into()).and_then(|address| u32::try_from(address).ok());
        value.ok_or_else(|| {
            let what = format!("delay import descriptor can't hold address {:#x}+{rva:#x}", self.base);
            Error::new(what).offset(self.field).into()
        })
    }
}

/// The references of both tables, in file order.
///
/// # Errors
/// When a table or a name lies outside of the file.
pub(super) fn of<'a>(image: &Image<'a>) -> Result<Vec<Reference<'a>>> {
    let mut references = Vec::new();
    for descriptor in image.imports()? {
        let (name, text) = image.name_at(descriptor.name, "name of an import")?;
        references.push(Reference {
            descriptor: descriptor.offset..descriptor.offset.saturating_add(ImportDescriptor::SIZE),
            field: descriptor.offset.saturating_add(ImportDescriptor::NAME),
            stamp: descriptor.offset.saturating_add(ImportDescriptor::TIME_DATE_STAMP),
            base: 0,
            name,
            text,
            rva: descriptor.name,
        });
    }
    for descriptor in image.delay_imports()? {
        let (name, text) = image.name_at(descriptor.name, "name of a delay import")?;
        references.push(Reference {
            descriptor: descriptor.offset..descriptor.offset.saturating_add(DelayDescriptor::SIZE),
            field: descriptor.offset.saturating_add(DelayDescriptor::NAME),
            stamp: descriptor.offset.saturating_add(DelayDescriptor::TIME_DATE_STAMP),
            base: if descriptor.rva_based { 0 } else { image.header.image_base },
            name,
            text,
            rva: descriptor.name,
        });
    }
    Ok(references)
}

/// The new name of each reference that changes.
///
/// # Errors
/// When a new name is no file name.
pub(super) fn goal<'c>(references: &[Reference<'_>], changes: &'c Changes) -> Result<Vec<Option<&'c str>>> {
    let goal: Vec<_> = references.iter().map(|reference| changes.renamed(reference.name)).collect();
    let is_wrong =
        |name: &&&str| name.is_empty() || name.len() > MAX_NEW_NAME || name.chars().any(char::is_control);
    match goal.iter().flatten().find(is_wrong) {
        Some(name) => Err(Error::new(format!("an import can't be named \"{}\"", name.escape_debug())).into()),
        None => Ok(goal),
    }
}

/// The longest new name in bytes: what a file name may have on Windows.
const MAX_NEW_NAME: usize = 255;

/// Checks that the edits change nothing of the import tables but what they should: where tables overlap, one's file
/// offset may be another's name.
///
/// # Errors
/// When they do.
pub(super) fn check(references: &[Reference<'_>], edits: &[Edit]) -> Result<()> {
    for reference in references {
        let text = reference.text.start..reference.text.end.saturating_add(1);
        for part in [&text, &reference.descriptor] {
            let first = edits.partition_point(|edit| edit.range.end < part.start);
            for edit in
                edits.get(first..).unwrap_or_default().iter().take_while(|edit| edit.range.start < part.end)
            {
                let own = edit.range == reference.text
                    || edit.range.start == reference.field
                    || edit.range.start == reference.stamp;
                let touches =
                    edit.range.end > part.start || edit.range.is_empty() && edit.range.start > part.start;
                if touches && !own {
                    let what = "tables of the file overlap each other";
                    return Err(Error::new(what).offset(edit.range.start).into());
                }
            }
        }
    }
    Ok(())
}
