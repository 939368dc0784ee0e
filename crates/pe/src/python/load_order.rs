//! The list of libraries that interpreters load from which can't search the directory.

use std::collections::BTreeSet;

use spokeshave_core::{Audit, GraftedLib, Location, PyPackage, PyPatch, Result, Target};

use super::difference;
use super::version::oldest;

/// The first CPython of which every build knows `os.add_dll_directory`.
const SINCE: (u32, u32) = (3, 10);

/// The name of the list; `None` when no interpreter of the wheel needs it.
pub fn name(package: &PyPackage<'_>) -> Option<String> {
    let needed = oldest(package.claimed_pythons, package.requires_python).is_none_or(|oldest| oldest < SINCE);
    needed.then(|| format!(".load-order-{}-{}", package.dist, package.version))
}

/// The list, in the libraries' directory: a name a line, what a library needs before it. Names that are there already
/// stay.
///
/// # Errors
/// When the present list can't be read.
pub fn patch(audit: &Audit, grafted: &[GraftedLib], package: &PyPackage<'_>) -> Result<Option<PyPatch>> {
    let Some(name) = name(package) else { return Ok(None) };
    let path = package.libs_dir.join(&name)?;
    let present = package.files.read(&Location::Package(path.clone()))?;
    let old = present.as_deref().unwrap_or_default();
    let mut names: Vec<String> = String::from_utf8_lossy(old).lines().map(str::to_owned).collect();
    for lib in order(audit, grafted) {
        if lib.path.parent() == *package.libs_dir && !names.contains(&lib.name) {
            names.push(lib.name.clone());
        }
    }
    let new: String = names.iter().map(|name| format!("{name}\n")).collect();
    Ok(Some(PyPatch { path, edits: difference(old, new.as_bytes()) }))
}

/// What is needed before what needs it; in a circle, and else, by name.
fn order<'a>(audit: &Audit, grafted: &'a [GraftedLib]) -> Vec<&'a GraftedLib> {
    let needs = |index: usize| -> Vec<usize> {
        let libraries = grafted.get(index).map(|lib| lib.libraries.as_slice()).unwrap_or_default();
        let needs =
            libraries.iter().filter_map(|lib| audit.libraries.get(*lib)).flat_map(|lib| &lib.result.needs);
        let carried = needs.filter_map(|need| match need.target {
            Target::Library(to) => grafted.iter().position(|lib| lib.libraries.contains(&to)),
            _ => None,
        });
        by_name(carried.collect(), grafted)
    };
    let mut done = BTreeSet::new();
    let mut ordered = Vec::with_capacity(grafted.len());
    for root in by_name((0..grafted.len()).collect(), grafted) {
        // A stack of its own, so that a long chain of libraries is no danger.
        let mut stack = vec![(root, needs(root))];
        if !done.insert(root) {
            continue;
        }
        while let Some((index, open)) = stack.last_mut() {
            match open.pop() {
                Some(next) if done.insert(next) => stack.push((next, needs(next))),
                Some(_) => {}
                None => {
                    ordered.extend(grafted.get(*index));
                    stack.pop();
                }
            }
        }
    }
    ordered
}

fn by_name(mut indices: Vec<usize>, grafted: &[GraftedLib]) -> Vec<usize> {
    indices.sort_by_key(|index| grafted.get(*index).map(|lib| lib.name.to_lowercase()));
    indices
}
