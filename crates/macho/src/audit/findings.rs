//! What is to be said of a package: missing libraries, refusals, warnings.

use std::collections::{BTreeMap, BTreeSet};

use spokeshave_core::{Audit, Context, Error, Missing, Result, Role, Status};

use crate::closure::{Closure, Edge, Node, NodeKind};
use crate::facts::{DylibKind, MachoFacts};
use crate::plan::{Detail, will_change};
use crate::search::is_python;
use crate::target::{Machine, Target, archs};

/// The nodes that are, or will be, binaries of the package.
fn inside(closure: &Closure) -> impl Iterator<Item = &Node> {
    closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_) | NodeKind::Library))
}

/// The references of these nodes that lead nowhere.
fn unfound(closure: &Closure) -> impl Iterator<Item = (&Node, &Edge)> {
    let edges = inside(closure).flat_map(|node| node.needs.iter().flatten().map(move |edge| (node, edge)));
    edges.filter(|(_, edge)| edge.to.is_none())
}

/// What was found nowhere, in the order in which it is met.
pub fn missing(closure: &Closure) -> Vec<Missing> {
    let mut found: Vec<Missing> = Vec::new();
    for (node, edge) in unfound(closure).filter(|(_, edge)| edge.kind != DylibKind::Weak) {
        let known = match found.iter_mut().position(|missing| missing.name == edge.name) {
            Some(known) => known,
            None => {
                found.push(Missing { name: edge.name.clone(), needed_by: Vec::new(), tried: Vec::new() });
                found.len() - 1
            }
        };
        let Some(missing) = found.get_mut(known) else { continue };
        missing.needed_by.push(node.name.clone());
        for tried in &edge.tried {
            if !missing.tried.contains(tried) {
                missing.tried.push(tried.clone());
            }
        }
    }
    for missing in &mut found {
        missing.needed_by.sort();
        missing.needed_by.dedup();
    }
    found
}

/// Weak references that lead nowhere: dyld goes on without them.
pub fn weak(closure: &Closure) -> Vec<String> {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (node, edge) in unfound(closure).filter(|(_, edge)| edge.kind == DylibKind::Weak) {
        by_name.entry(&edge.name).or_default().insert(&node.name);
    }
    let strong: BTreeSet<String> = missing(closure).into_iter().map(|missing| missing.name).collect();
    by_name.retain(|name, _| !strong.contains(*name));
    let warning = |(name, files): (&str, BTreeSet<&str>)| {
        let files: Vec<&str> = files.into_iter().collect();
        format!("{name} was found nowhere; {} can do without it (weak)", files.join(", "))
    };
    by_name.into_iter().map(warning).collect()
}

/// Files that need Python's own library: they load only where that is.
pub fn python(closure: &Closure) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    for node in inside(closure) {
        for edge in node.needs.iter().flatten() {
            let out =
                edge.to.and_then(|to| closure.nodes.get(to)).is_some_and(|to| to.kind == NodeKind::Promised);
            if out && is_python(&edge.name) {
                warnings.insert(format!(
                    "{} is linked against Python itself ({}) and loads only where Python is there; \
                     extensions are linked with -undefined dynamic_lookup",
                    node.name, edge.name
                ));
            }
        }
    }
    warnings.into_iter().collect()
}

/// Binaries for another target, which stay as they are.
pub fn foreign(audit: &Audit) -> Vec<String> {
    let warning = |artifact: &spokeshave_core::AuditedArtifact| match &artifact.result.status {
        Status::Foreign(why) => Some(format!("{}: {why}; copied as it is", artifact.artifact.path)),
        Status::Active | Status::Inert(_) => None,
    };
    audit.artifacts.iter().filter_map(warning).collect()
}

/// Binaries that some of the package's machines can't load.
pub fn one_machine_short(closure: &Closure, target: &Target) -> Vec<String> {
    let artifacts = closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_)));
    let warning = |node: &Node| {
        let here = machines(&node.facts, target);
        let absent: Vec<&str> = target.machines.difference(&here).map(|machine| machine.name()).collect();
        (!here.is_empty() && !absent.is_empty())
            .then(|| format!("{} has no {} slice ({})", node.name, absent.join(" or "), archs(&node.facts)))
    };
    artifacts.filter(|node| node.facts.inert.is_none()).filter_map(warning).collect()
}

fn machines(facts: &MachoFacts, target: &Target) -> BTreeSet<Machine> {
    let slices = facts.slices.iter().filter(|slice| target.accepts(slice));
    slices.filter_map(|slice| Machine::of(slice.arch)).collect()
}

/// Signatures that a change invalidates and an ad-hoc one can't replace.
pub fn signatures(audit: &Audit) -> Vec<String> {
    let carries = |index: usize| audit.libraries.get(index).is_some_and(|lib| lib.role == Role::External);
    let artifacts = audit.artifacts.iter().filter_map(|audited| {
        let path = &audited.artifact.path;
        (audited.result.status == Status::Active && will_change(&audited.result, path, carries))
            .then(|| (path.to_string(), &audited.result))
    });
    let libraries = audit.external().map(|(_, lib)| (lib.name.clone(), &lib.result));
    let mut warnings = Vec::new();
    for (name, result) in artifacts.chain(libraries) {
        let Some(detail) = result.detail.downcast_ref::<Detail>() else { continue };
        let signatures = detail.facts.slices.iter().filter_map(|slice| slice.signature.as_ref());
        let lost: BTreeSet<String> =
            signatures.flat_map(|signature| &signature.lost).map(ToString::to_string).collect();
        if !lost.is_empty() {
            let lost: Vec<String> = lost.into_iter().collect();
            warnings.push(format!("{name} changes and is signed ad hoc, which loses {}", lost.join(", ")));
        }
    }
    warnings
}

/// `--require-archs`: every carried library, and every file that needs one, must be for all of them.
///
/// # Errors
/// When the option names no processor.
pub fn required_archs(closure: &Closure, target: &Target, cx: &Context<'_>) -> Result<Option<Error>> {
    let Some(text) = cx.options.backend.one("require-archs") else { return Ok(None) };
    let mut required: BTreeSet<Machine> = BTreeSet::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        required.extend(Machine::group(name).ok_or_else(|| {
            Error::new(format!("`{name}` is no processor of a Mac"))
                .at("--require-archs")
                .hint("for example universal2, intel or x86_64,arm64")
        })?);
    }
    let library = |to: usize| closure.nodes.get(to).is_some_and(|to| to.kind == NodeKind::Library);
    let concerned = inside(closure).filter(|node| {
        node.kind == NodeKind::Library || node.needs.iter().flatten().any(|edge| edge.to.is_some_and(library))
    });
    let all = Target { machines: required.union(&target.machines).copied().collect() };
    let mut lines = Vec::new();
    for node in concerned {
        let here = machines(&node.facts, &all);
        let absent: Vec<&str> = required.difference(&here).map(|machine| machine.name()).collect();
        if !absent.is_empty() {
            lines.push(format!(
                "\n  {}: no {} slice ({})",
                node.name,
                absent.join(", no "),
                archs(&node.facts)
            ));
        }
    }
    Ok((!lines.is_empty()).then(|| {
        Error::new(format!(
            "these are not for all the processors that --require-archs names{}",
            lines.concat()
        ))
        .hint("build or fetch them for all of them; thin libraries of several --lib-dir are joined")
    }))
}
