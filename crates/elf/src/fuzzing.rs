//! A door for the fuzz targets and the mass test, which are crates of their own. No part of the API.

use spokeshave_core::{Edit, Result};

pub use crate::change::{Changes, PathTag, SearchPath};
use crate::image::Image;

/// What a test asks of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_NEEDED`.
    pub needed: Vec<String>,
    /// The entries of `DT_RPATH` or `DT_RUNPATH`.
    pub paths: Vec<String>,
    /// Where the program headers stand.
    pub phoff: u64,
    /// `PT_INTERP`.
    pub interp: Option<String>,
    /// Whether it has a `PT_DYNAMIC`.
    pub dynamic: bool,
}

/// Reads everything that the reader can, and returns a little of it.
///
/// # Errors
/// When a table is broken.
pub fn read(bytes: &[u8]) -> Result<Facts> {
    use object::elf;
    let image = Image::parse(bytes)?;
    let mut facts = Facts { phoff: image.header.phoff, dynamic: image.dynamic.is_some(), ..Facts::default() };
    facts.interp = image.interp()?.map(str::to_owned);
    for entry in image.dynamic.iter().flat_map(|dynamic| &dynamic.entries) {
        match entry.tag {
            elf::DT_NEEDED => facts.needed.push(image.text(entry.value)?.to_owned()),
            elf::DT_SONAME => facts.soname = Some(image.text(entry.value)?.to_owned()),
            elf::DT_RPATH | elf::DT_RUNPATH => {
                facts.paths = image.text(entry.value)?.split(':').map(str::to_owned).collect();
            }
            _ => {}
        }
    }
    image.notes()?;
    image.gnu_properties()?;
    for need in image.version_needs()? {
        image.string(need.file.into())?;
        need.aux.iter().try_for_each(|aux| image.string(aux.name.into()).map(drop))?;
    }
    for def in image.version_defs()? {
        def.names.iter().try_for_each(|name| image.string((*name).into()).map(drop))?;
    }
    image.sections();
    for symbol in image.symbols()?.iter() {
        image.string(symbol.name.into())?;
    }
    Ok(facts)
}

/// The checked edits for `changes`.
///
/// # Errors
/// When they can't be carried out.
pub fn patch(old: &[u8], changes: &Changes) -> Result<Vec<Edit>> {
    crate::edit::patch(old, changes)
}

/// Compares the edited file with the old one.
///
/// # Errors
/// When it is not the old one with the changes.
pub fn verify(old: &[u8], new: &[u8], changes: &Changes) -> Result<()> {
    crate::edit::verify(old, new, changes)
}
