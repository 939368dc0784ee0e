//! Which modules need carried libraries, and which `__init__.py` runs before they are imported.

use std::collections::BTreeSet;

use spokeshave_core::{Audit, Error, Files, Location, OptionValues, PackagePath, Result, Status, Target};

use crate::plan::detail;

/// What runs before a module is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// This `__init__.py`, that of the outermost package that has one.
    Init(PackagePath),
    /// Nothing: its libraries must lie in its own directory, which this is.
    Bare(PackagePath),
}

/// Packages that several distributions share (`--namespace-pkg a.b;c`), as directories.
///
/// # Errors
/// When a name is none of a package.
pub fn namespaces(options: &OptionValues) -> Result<BTreeSet<PackagePath>> {
    let mut dirs = BTreeSet::new();
    for name in
        options.many("namespace-pkg").iter().flat_map(|names| names.split(';')).filter(|n| !n.is_empty())
    {
        let dir = PackagePath::new(&name.replace('.', "/")).map_err(|_| {
            Error::new(format!("`{name}` is no name of a package"))
                .at("--namespace-pkg")
                .hint("write it as Python does: a.b")
        })?;
        dirs.insert(dir.clone());
        let mut above = dir.parent();
        while above != PackagePath::root() {
            dirs.insert(above.clone());
            above = above.parent();
        }
    }
    Ok(dirs)
}

/// The artifacts from which a `carried` library is reached, sorted.
pub fn needing(audit: &Audit, carried: impl Fn(usize) -> bool) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for index in 0..audit.artifacts.len() {
        let leads = |subject: usize| {
            let needs = audit
                .artifacts
                .get(subject)
                .map(|audited| audited.result.needs.as_slice())
                .unwrap_or_default();
            needs.iter().any(|need| matches!(need.target, Target::Library(library) if carried(library)))
        };
        if below(audit, index).into_iter().any(leads) {
            found.insert(index);
        }
    }
    found
}

/// An artifact and the artifacts that it needs, directly or not; none for one that is not looked into.
pub fn below(audit: &Audit, index: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut pending = vec![index];
    while let Some(next) = pending.pop() {
        let Some(audited) = audit.artifacts.get(next) else { continue };
        if audited.result.status != Status::Active || !found.insert(next) {
            continue;
        }
        let needs = audited.result.needs.iter().filter_map(|need| match need.target {
            Target::Artifact(to) => Some(to),
            _ => None,
        });
        pending.extend(needs);
    }
    found
}

/// What runs before the artifact at `index` is loaded; `None` for one that others of the package load.
pub fn home(audit: &Audit, index: usize, files: &Files, namespaces: &BTreeSet<PackagePath>) -> Option<Home> {
    let audited = audit.artifacts.get(index)?;
    let path = &audited.artifact.path;
    let program = detail(&audited.result).is_ok_and(|detail| !detail.facts.is_dll);
    if program {
        return Some(Home::Bare(path.parent()));
    }
    let mut dirs = Vec::new();
    let mut dir = path.parent();
    while dir != PackagePath::root() {
        dirs.push(dir.clone());
        dir = dir.parent();
    }
    let inits = dirs.iter().rev().filter(|dir| !namespaces.contains(*dir));
    let mut inits = inits.filter_map(|dir| dir.join("__init__.py").ok());
    let init = inits.find(|init| files.find(&Location::Package(init.clone())).is_some());
    if let Some(init) = init {
        return Some(Home::Init(init));
    }
    let needed = audit.artifacts.iter().any(|other| {
        other.result.status == Status::Active
            && other.result.needs.iter().any(|need| need.target == Target::Artifact(index))
    });
    let module = path.file_name().to_ascii_lowercase().ends_with(".pyd");
    (module || !needed).then(|| Home::Bare(path.parent()))
}
