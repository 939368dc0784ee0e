//! What a loader sees of a file: made from the old file and the changes in one way, from the new file in another, and
//! compared.

use object::elf;
use spokeshave_core::Result;

use crate::change::{Changes, PathTag};
use crate::image::Image;

/// A version need: the file, then index, flags and name of each version.
type Need = (Vec<u8>, Vec<(u16, u16, Vec<u8>)>);

/// The loader's view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    needed: Vec<Vec<u8>>,
    soname: Vec<Vec<u8>>,
    paths: Vec<(elf::DynamicTag, Vec<u8>)>,
    needs: Vec<Need>,
    defs: Vec<(u16, u16, Vec<Vec<u8>>)>,
    others: Vec<(elf::DynamicTag, u64)>,
    strings: Vec<(elf::DynamicTag, Vec<u8>)>,
}

/// Entries whose value is a place that may move, or counts what may go.
const PLACES: [elf::DynamicTag; 6] = [
    elf::DT_STRTAB,
    elf::DT_STRSZ,
    elf::DT_VERNEED,
    elf::DT_VERNEEDNUM,
    elf::DT_VERSYM,
    elf::DT_MIPS_RLD_MAP_REL,
];

impl View {
    /// Reads it.
    pub fn of(image: &Image<'_>) -> Result<Self> {
        let mut view = View::default();
        for entry in image.dynamic.iter().flat_map(|dynamic| &dynamic.entries) {
            match entry.tag {
                elf::DT_NEEDED => view.needed.push(image.string(entry.value)?.to_vec()),
                elf::DT_SONAME => view.soname.push(image.string(entry.value)?.to_vec()),
                elf::DT_RPATH | elf::DT_RUNPATH => {
                    view.paths.push((entry.tag, image.string(entry.value)?.to_vec()));
                }
                elf::DT_AUXILIARY | elf::DT_FILTER | elf::DT_AUDIT | elf::DT_DEPAUDIT | elf::DT_CONFIG => {
                    let text = image.string(entry.value).unwrap_or_default();
                    view.strings.push((entry.tag, text.to_vec()));
                }
                tag if PLACES.contains(&tag) => {}
                tag => view.others.push((tag, entry.value)),
            }
        }
        for need in image.version_needs()? {
            let mut versions = Vec::with_capacity(need.aux.len());
            for aux in &need.aux {
                versions.push((aux.index, aux.flags, image.string(aux.name.into())?.to_vec()));
            }
            view.needs.push((image.string(need.file.into())?.to_vec(), versions));
        }
        for def in image.version_defs()? {
            let names: Result<Vec<_>> =
                def.names.iter().map(|name| Ok(image.string((*name).into())?.to_vec())).collect();
            view.defs.push((def.index, def.flags, names?));
        }
        Ok(view)
    }

    /// The first thing in which another view differs, for a message.
    pub fn difference(&self, other: &Self) -> &'static str {
        match () {
            () if self.needed != other.needed => "DT_NEEDED",
            () if self.soname != other.soname => "DT_SONAME",
            () if self.paths != other.paths => "the search path",
            () if self.needs != other.needs => "the version needs",
            () if self.defs != other.defs => "the version definitions",
            () => "the dynamic section",
        }
    }
}

/// The view that `changes` ask of a file.
pub(super) fn expected(image: &Image<'_>, changes: &Changes) -> Result<View> {
    let mut view = View::of(image)?;
    let renamed = |name: Vec<u8>| match changes.needed.iter().find(|(old, _)| old.as_bytes() == name) {
        Some((_, Some(new))) => Some(new.as_bytes().to_vec()),
        Some((_, None)) => None,
        None => Some(name),
    };
    view.needed = view.needed.into_iter().filter_map(&renamed).collect();
    view.needs =
        view.needs.into_iter().filter_map(|(file, versions)| Some((renamed(file)?, versions))).collect();
    if image.dynamic.is_none() {
        return Ok(view);
    }
    if let Some(soname) = &changes.soname {
        view.soname.pop();
        view.soname.push(soname.as_bytes().to_vec());
    }
    if let Some(path) = &changes.search_path {
        let tag = match path.tag {
            PathTag::Rpath => elf::DT_RPATH,
            PathTag::Runpath => elf::DT_RUNPATH,
        };
        view.paths.clear();
        if !path.entries.is_empty() {
            view.paths.push((tag, path.entries.join(":").into_bytes()));
        }
    }
    Ok(view)
}
