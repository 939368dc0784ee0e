//! What is to be said of a package: missing libraries, warnings.

use std::collections::BTreeSet;

use spokeshave_core::{Audit, AuditResult, Library, Missing, Role, Status, Target};

use crate::closure::{Closure, EdgeKind, NodeKind};
use crate::facts::{Hybrid, PeFacts};
use crate::plan::{Detail, detail};
use crate::system::is_runtime;

/// The oldest linker of Microsoft's whose toolset is told apart by its version: v140.
const V140: u8 = 14;

/// What was found nowhere, in the order in which it is met.
pub fn missing(closure: &Closure) -> Vec<Missing> {
    let mut found: Vec<Missing> = Vec::new();
    let inside =
        closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_) | NodeKind::Library));
    for node in inside {
        for edge in node.needs.iter().filter(|edge| edge.to.is_none() && edge.kind == EdgeKind::Import) {
            let known = found.iter().position(|missing| missing.name.eq_ignore_ascii_case(&edge.name));
            let known = known.unwrap_or_else(|| {
                found.push(Missing { name: edge.name.clone(), needed_by: Vec::new(), tried: Vec::new() });
                found.len() - 1
            });
            let Some(missing) = found.get_mut(known) else { continue };
            missing.needed_by.push(node.name.clone());
            for tried in &edge.tried {
                if !missing.tried.contains(tried) {
                    missing.tried.push(tried.clone());
                }
            }
        }
    }
    for missing in &mut found {
        missing.needed_by.sort();
        missing.needed_by.dedup();
    }
    found
}

/// Binaries for another target, which stay as they are.
pub fn foreign(audit: &Audit) -> Vec<String> {
    let warning = |artifact: &spokeshave_core::AuditedArtifact| match &artifact.result.status {
        Status::Foreign(why) => Some(format!("{}: {why}; copied as it is", artifact.artifact.path)),
        Status::Active | Status::Inert(_) => None,
    };
    audit.artifacts.iter().filter_map(warning).collect()
}

/// Each file that is, or will be, a binary of the package and is looked into.
fn inside(audit: &Audit) -> impl Iterator<Item = (String, &AuditResult, &Detail)> {
    let artifacts =
        audit.artifacts.iter().map(|audited| (audited.artifact.path.to_string(), &audited.result));
    let libraries = audit.external().map(|(_, lib)| (lib.name.clone(), &lib.result));
    let all = artifacts.chain(libraries).filter(|(_, result)| result.status == Status::Active);
    all.filter_map(|(name, result)| Some((name, result, detail(result).ok()?)))
}

/// Carried files that hold code for two machines: only what both import alike is read, and nothing is changed in them.
pub fn hybrids(audit: &Audit) -> Vec<String> {
    let hybrid = |lib: &Library| Some((lib.name.clone(), detail(&lib.result).ok()?.facts.hybrid?));
    let hybrids = audit.external().filter_map(|(_, lib)| hybrid(lib));
    let warning = |(name, hybrid): (String, Hybrid)| {
        format!("{name} is {}; it and what it imports keep their names", hybrid.name())
    };
    hybrids.map(warning).collect()
}

/// Microsoft's runtime, older than the toolset that a file was linked with: it may lack functions.
pub fn old_runtime(closure: &Closure) -> Vec<String> {
    let toolset = |facts: &PeFacts| (facts.linker.0, facts.linker.1 / 10);
    let mut warnings = BTreeSet::new();
    for node in closure.nodes.iter().filter(|node| node.reached && node.facts.linker.0 == V140) {
        for edge in &node.needs {
            let Some(runtime) = edge.to.and_then(|to| closure.nodes.get(to)) else { continue };
            let read = matches!(runtime.kind, NodeKind::Library | NodeKind::Artifact(_));
            if read && is_runtime(&edge.name) && toolset(&runtime.facts) < toolset(&node.facts) {
                warnings.insert(format!(
                    "{} was linked with toolset {}.{}, and {} is of {}.{}: carry one that is as new",
                    node.name,
                    node.facts.linker.0,
                    node.facts.linker.1,
                    edge.name,
                    runtime.facts.linker.0,
                    runtime.facts.linker.1,
                ));
            }
        }
    }
    warnings.into_iter().collect()
}

/// What files lose because they change: signatures and the like.
pub fn lost(audit: &Audit) -> Vec<String> {
    let renames = |result: &AuditResult| {
        result.needs.iter().any(|need| match need.target {
            Target::Library(index) => {
                audit.libraries.get(index).is_some_and(|lib| lib.role == Role::External && !lib.keep_name)
            }
            _ => false,
        })
    };
    let changed = inside(audit).filter(|(_, result, detail)| !detail.verbatim && renames(result));
    let warnings = changed.filter_map(|(name, _, detail)| {
        let lost = detail.facts.lost_by_edit();
        (!lost.is_empty()).then(|| format!("{name} changes and loses its {}", lost.join(", ")))
    });
    warnings.collect()
}
