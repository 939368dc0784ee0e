//! What becomes of each file.

use std::collections::{BTreeMap, BTreeSet};

use spokeshave_core::{Error, Missing, Role};

use super::links::Link;
use super::survey::{Load, Survey};
use super::{NodeRole, requested};
use crate::closure::{Closure, Edge, Node};
use crate::policy::is_libpython;
use crate::target::{Architecture, Target, architecture, libc_of};

/// The role of a binary of the package; libraries are dealt with later.
pub fn of_binary(node: &Node, target: &Target) -> NodeRole {
    if node.artifact.is_none() {
        return NodeRole::Unused;
    }
    if target.accepts(&node.facts) {
        return NodeRole::Artifact;
    }
    let found = architecture(&node.facts);
    NodeRole::Foreign(if found == target.architecture {
        let libc = libc_of(&node.facts).map_or("another C library", requested::family);
        format!("built for {libc}, the package is for {}", requested::family(target.libc))
    } else {
        let name = |a: Option<Architecture>| a.map_or("an unknown architecture", Architecture::name);
        format!("built for {}, the package is for {}", name(found), name(target.architecture))
    })
}

/// The refusal of a package whose binaries are all for another target, or its Python extensions at least: a tag would
/// promise what nothing in it keeps.
pub fn not_for_target(closure: &Closure, roles: &[NodeRole], target: &Target) -> Option<Error> {
    let loaded = || roles.iter().zip(&closure.nodes).filter(|(_, node)| node.facts.inert.is_none());
    let foreign = || loaded().filter(|(role, _)| matches!(role, NodeRole::Foreign(_))).map(|(_, node)| node);
    let own = || loaded().filter(|(role, _)| **role == NodeRole::Artifact).map(|(_, node)| node);
    let extension = |node: &Node| node.facts.is_extension_in(&node.location.file_name());
    let speaks = if foreign().any(extension) { own().any(extension) } else { own().next().is_some() };
    let first = foreign().find(|node| extension(node)).or_else(|| foreign().next())?;
    let architecture = target.architecture.map_or("an unknown architecture", Architecture::name);
    (!speaks).then(|| {
        let libc = requested::family(target.libc);
        Error::new(format!("the package has no binary for {architecture} and {libc}"))
            .at(&first.location)
            .hint("build it for this platform, or correct the platform tag of the wheel or `--plat`")
    })
}

/// The warning about a foreign binary.
pub fn foreign(role: &NodeRole, node: &Node) -> Option<String> {
    match role {
        NodeRole::Foreign(why) => Some(format!("{}: {why}; copied as it is", node.location)),
        _ => None,
    }
}

/// Gives the libraries their roles: carried, promised, excluded (each with what lies below it), unused.
pub fn library_roles(closure: &Closure, survey: &Survey, policy: usize, roles: &mut [NodeRole]) {
    let load = survey.load(policy);
    let mut promised = Vec::new();
    let mut excluded = Vec::new();
    for index in survey.counted(load) {
        for link in survey.links.get(index).into_iter().flatten() {
            match *link {
                Link::Library { to: Some(to), promised_from } if promised_from <= policy => promised.push(to),
                Link::Excluded(Some(to)) => excluded.push(to),
                _ => {}
            }
        }
    }
    for index in &load.nodes {
        if let Some(role) = roles.get_mut(*index) {
            *role = NodeRole::Library(Role::External);
        }
    }
    for (mut queue, role) in [(promised, Role::Promised), (excluded, Role::Excluded)] {
        while let Some(index) = queue.pop() {
            let Some(slot) = roles.get_mut(index).filter(|slot| **slot == NodeRole::Unused) else { continue };
            *slot = NodeRole::Library(role);
            let below = closure.nodes.get(index).into_iter().flat_map(|node| &node.needs);
            queue.extend(below.filter_map(|edge| edge.to));
        }
    }
}

/// The references to take out.
pub fn removed(survey: &Survey, load: &Load) -> BTreeSet<(usize, usize)> {
    let links = survey.counted(load).flat_map(|node| {
        survey
            .links
            .get(node)
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(need, link)| ((node, need), *link))
    });
    links.filter(|(_, link)| *link == Link::Python).map(|(place, _)| place).collect()
}

/// What must be carried and was found nowhere, with all that ask for it.
pub fn missing(closure: &Closure, survey: &Survey, policy: usize) -> Vec<Missing> {
    let load = survey.load(policy);
    let mut missing: BTreeMap<&str, (BTreeSet<String>, &Edge)> = BTreeMap::new();
    for node in survey.counted(load).filter_map(|index| closure.nodes.get(index)) {
        for edge in node.needs.iter().filter(|edge| edge.to.is_none() && load.missing.contains(&edge.name)) {
            let (needed_by, _) = missing.entry(&edge.name).or_insert_with(|| (BTreeSet::new(), edge));
            needed_by.insert(node.location.to_string());
        }
    }
    let missing = missing.into_iter().map(|(name, (needed_by, edge))| Missing {
        name: name.to_owned(),
        needed_by: needed_by.into_iter().collect(),
        tried: edge.tried.clone(),
    });
    missing.collect()
}

/// The warning about a program that needs libpython.
pub fn embedded_python(closure: &Closure, load: &Load) -> Option<String> {
    let nodes = load.nodes.iter().filter_map(|index| closure.nodes.get(*index));
    let name = nodes.map(|node| &node.name).chain(&load.missing).find(|name| is_libpython(name))?;
    Some(format!(
        "a program of the package embeds Python and needs {name}, which is carried like any library"
    ))
}
