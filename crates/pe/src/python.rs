//! What makes Python find the carried libraries: code at the head of a package's `__init__.py`.
//!
//! - `home`: which modules need it, and which file is theirs
//! - `scan`: as much of Python's grammar as it takes to find the end of docstring and `__future__` imports
//! - `insert`: the code in a source file, and at marks
//! - `code`: the code itself
//! - `version`: the oldest interpreter of a wheel
//! - `load_order`: the list that old interpreters and conda's load from
//! - `companions`: `.pdb` and `.lib` files

mod code;
mod companions;
mod home;
mod insert;
mod load_order;
mod scan;
mod version;

use std::collections::BTreeSet;

use spokeshave_core::{
    Audit, Edit, Error, Files, GraftedLib, Locate as _, Location, OptionValues, PackagePath, PyPackage,
    PyPatch, Result, Role, Status, Target,
};

use code::Code;
use home::{Home, home, namespaces};

/// The directory that carried libraries must go to because a module has no start-up code that could lead elsewhere:
/// top-level modules, modules of namespace packages, programs. `None` when there is none such.
///
/// # Errors
/// When they lie in several directories.
pub fn beside(audit: &Audit, files: &Files, options: &OptionValues) -> Result<Option<PackagePath>> {
    let carried = |index: usize| audit.libraries.get(index).is_some_and(|lib| lib.role == Role::External);
    let namespaces = namespaces(options)?;
    let mut bare: BTreeSet<PackagePath> = BTreeSet::new();
    for index in home::needing(audit, carried) {
        if let Some(Home::Bare(dir)) = home(audit, index, files, &namespaces) {
            bare.insert(dir);
        }
    }
    let mut bare = bare.into_iter();
    match (bare.next(), bare.next()) {
        (first, None) => Ok(first),
        (Some(first), Some(second)) => {
            let name = |dir: &PackagePath| match dir.as_str() {
                "" => "the root".to_owned(),
                dir => dir.to_owned(),
            };
            Err(Error::new(format!(
                "modules in {} and in {} need carried libraries, and neither has an __init__.py that could lead to them",
                name(&first),
                name(&second)
            ))
            .hint("give one of them an __init__.py, or put the modules into one directory")
            .into())
        }
        (None, Some(_)) => Ok(None),
    }
}

/// The changes to a package's Python code, the load-order file, and what is carried along with libraries.
///
/// # Errors
/// When a source file can't be understood, or no mark is there where `--custom-patch` asks for one.
pub fn patches(audit: &Audit, grafted: &[GraftedLib], package: &PyPackage<'_>) -> Result<Vec<PyPatch>> {
    if grafted.is_empty() {
        return Ok(Vec::new());
    }
    let mut dirs: Vec<PackagePath> = vec![package.libs_dir.clone()];
    for lib in grafted {
        let dir = lib.path.parent();
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    let code = Code { dirs: &dirs, load_order: load_order::name(package) };
    let mut patches = Vec::new();
    if package.options.flag("custom-patch") {
        patches.extend(at_marks(package, &code)?);
    } else {
        for init in inits(audit, grafted, package)? {
            let source =
                package.files.read(&Location::Package(init.clone()))?.unwrap_or_else(|| Vec::new().into());
            let edits = insert::at_head(&source, &|newline, indent| code.block(&init, newline, indent))
                .locate(&init)?;
            patches.push(PyPatch { path: init, edits });
        }
    }
    if !patches.is_empty() {
        patches.extend(load_order::patch(audit, grafted, package)?);
    }
    patches.extend(companions::patches(audit, grafted, package)?);
    patches.retain(|patch: &PyPatch| !patch.edits.is_empty());
    Ok(patches)
}

/// The `__init__.py` files that get the code: of the packages whose modules need what is carried; of all with a module
/// when a library is opened by its name (`--include`).
fn inits(audit: &Audit, grafted: &[GraftedLib], package: &PyPackage<'_>) -> Result<BTreeSet<PackagePath>> {
    let namespaces = namespaces(package.options)?;
    let carried = |index: usize| grafted.iter().any(|lib| lib.libraries.contains(&index));
    let mut needing = home::needing(audit, carried);
    if grafted.iter().any(|lib| lib.included) {
        let active = |index: &usize| {
            audit.artifacts.get(*index).is_some_and(|audited| audited.result.status == Status::Active)
        };
        needing.extend((0..audit.artifacts.len()).filter(active));
    }
    let mut inits = BTreeSet::new();
    for index in needing {
        let Some(Home::Init(init)) = home(audit, index, package.files, &namespaces) else { continue };
        // What lies in one directory finds each other.
        let apart = direct_dirs(audit, index, grafted);
        let own = audit.artifacts.get(index).map(|audited| audited.artifact.path.parent());
        if apart.iter().any(|dir| Some(dir) != own.as_ref()) || grafted.iter().any(|lib| lib.included) {
            inits.insert(init);
        }
    }
    Ok(inits)
}

/// The directories of the carried libraries that a binary, or one of the package below it, asks for.
fn direct_dirs(audit: &Audit, index: usize, grafted: &[GraftedLib]) -> Vec<PackagePath> {
    let mut dirs = Vec::new();
    for subject in home::below(audit, index) {
        let Some(audited) = audit.artifacts.get(subject) else { continue };
        for need in &audited.result.needs {
            let Target::Library(library) = need.target else { continue };
            dirs.extend(
                grafted.iter().filter(|lib| lib.libraries.contains(&library)).map(|lib| lib.path.parent()),
            );
        }
    }
    dirs
}

/// The code at each mark of a source file.
fn at_marks(package: &PyPackage<'_>, code: &Code<'_>) -> Result<Vec<PyPatch>> {
    let mut patches = Vec::new();
    let sources = package.files.members().filter(|path| path.as_str().ends_with(".py"));
    for path in sources {
        let Some(source) = package.files.read(&Location::Package(path.clone()))? else { continue };
        let block = |newline: &str, indent: &str| code.block(path, newline, indent);
        if let Some(edits) = insert::at_marks(&source, &block).locate(path)? {
            patches.push(PyPatch { path: path.clone(), edits });
        }
    }
    if patches.is_empty() {
        return Err(Error::new(
            "no Python file of the wheel has a comment `# spokeshave: patch` or `# delvewheel: patch`",
        )
        .at("--custom-patch")
        .hint("write it where the libraries' directory is to be made known")
        .into());
    }
    Ok(patches)
}

/// Edits that make `old` into `new`, which has what `old` has at its beginning and end.
fn difference(old: &[u8], new: &[u8]) -> Vec<Edit> {
    if old == new { Vec::new() } else { vec![Edit::new(0..old.len() as u64, new)] }
}

#[cfg(test)]
mod tests;
