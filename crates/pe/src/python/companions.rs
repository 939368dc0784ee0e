//! Files that belong to carried libraries: debug symbols (`--include-symbols`), import libraries (`--include-imports`).

use spokeshave_core::{Audit, Edit, GraftedLib, Location, PyPackage, PyPatch, Result};

/// What lies beside the carried libraries on this host under the same name with another extension.
///
/// # Errors
/// When one can't be read.
pub fn patches(audit: &Audit, grafted: &[GraftedLib], package: &PyPackage<'_>) -> Result<Vec<PyPatch>> {
    let wanted = [("include-symbols", "pdb"), ("include-imports", "lib")];
    let mut patches: Vec<PyPatch> = Vec::new();
    for (option, extension) in wanted {
        if !package.options.flag(option) {
            continue;
        }
        for lib in grafted {
            let library = lib.libraries.first().and_then(|index| audit.libraries.get(*index));
            let Some(Location::Host(real)) = library.map(|library| &library.real) else { continue };
            let beside = real.with_extension(extension);
            let Some(bytes) = package.files.read(&Location::Host(beside.clone()))? else { continue };
            let name = beside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let path = lib.path.parent().join(&name)?;
            let there = package.files.find(&Location::Package(path.clone())).is_some();
            if !there && !patches.iter().any(|patch| patch.path == path) {
                patches.push(PyPatch { path, edits: vec![Edit::new(0..0, bytes.to_vec())] });
            }
        }
    }
    Ok(patches)
}
