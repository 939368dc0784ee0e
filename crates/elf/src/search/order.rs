//! In which order a name is looked for.

use std::borrow::Cow;

use object::elf;
use spokeshave_core::Location;

use super::environment::Environment;
use super::places::{self, Around, Paths, Place};
use crate::facts::ElfFacts;
use crate::target::Libc;

/// The places for `name`, in the loader's order. `chain` holds the search paths of the file that needs it, of the file
/// that loaded that one, and so on to the root of the load; `loader` are the facts of the first.
///
/// What the package's own search paths find inside the package stays first: it goes where the package goes, and
/// `--lib-dir` and the variables of this host do not. `--lib-dir` comes next, then the loader's order: of glibc
/// (`_dl_map_object`) RPATH of the chain, `LD_LIBRARY_PATH`, RUNPATH, the cache, the default directories; of musl
/// (`load_library`) `LD_LIBRARY_PATH`, RUNPATH or RPATH of the chain, the path file; of Android RUNPATH alone. What the
/// build linked from stands before the system's directories, as it did for the linker.
pub(crate) fn order<'a>(
    name: &'a str,
    chain: &[&'a Paths],
    loader: Option<&ElfFacts>,
    env: &'a Environment,
) -> impl Iterator<Item = Cow<'a, Place>> {
    let own = chain.first().copied();
    let runpath = own.map_or(&[][..], |paths| &paths.runpath);
    let mut before: Vec<&Place> = Vec::new();
    let mut after: Vec<&Place> = Vec::new();
    match env.target.libc {
        Libc::Glibc => {
            if own.is_none_or(|paths| !paths.has_runpath) {
                before.extend(chain.iter().flat_map(|paths| &paths.rpath));
            }
            after.extend(runpath);
        }
        Libc::Musl => after.extend(chain.iter().flat_map(|paths| paths.runpath.iter().chain(&paths.rpath))),
        Libc::Android => after.extend(runpath),
    }
    let inside: Vec<&Place> =
        before.iter().chain(&after).copied().filter(|place| place.in_package()).collect();
    let outside =
        |places: Vec<&'a Place>| places.into_iter().filter(|place| !place.in_package()).map(Cow::Borrowed);

    let no_defaults = loader.is_some_and(|facts| facts.flags_1 & elf::DF_1_NODEFLIB.0 != 0);
    let system = env.system.iter().filter(move |dir| {
        // ldconfig's cache holds `lib*.so*` and `ld-*.so*` only.
        let kept =
            !dir.cached || ((name.starts_with("lib") || name.starts_with("ld")) && name.contains(".so"));
        kept && !(no_defaults && dir.default && env.target.libc == Libc::Glibc)
    });
    let lib_dirs =
        env.lib_dirs.iter().map(|dir| Cow::Owned(Place::new(Location::Host(dir.clone()), "--lib-dir")));
    let linked: Vec<_> = chain.iter().flat_map(|paths| &paths.linked).map(Cow::Borrowed).collect();
    inside
        .into_iter()
        .map(Cow::Borrowed)
        .chain(lib_dirs)
        .chain(outside(before))
        .chain(env.library_path.iter().map(|dir| Cow::Owned(Place::of_system(dir))))
        .chain(outside(after))
        .chain(linked)
        .chain(system.map(|dir| Cow::Owned(Place::of_system(dir))))
}

/// Where a need that has a slash leads from the file at `location`: the file itself, no directory.
pub(crate) fn path_of_need(
    name: &str,
    location: &Location,
    around: Around<'_>,
) -> Result<Location, (String, &'static str)> {
    places::directory(name, location, around)
        .unwrap_or_else(|| Err((name.to_owned(), "a token without a value")))
}
