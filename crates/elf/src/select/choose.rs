//! The choice of a policy and of the tags.

use std::collections::BTreeSet;

use spokeshave_core::{Error, Missing, Result, Role};

use super::links::Link;
use super::requested::{self, Requested};
use super::survey::{Load, Survey};
use super::{NodeRole, Request, Selection, SymbolNamer, android, explain};
use crate::closure::{Closure, Node};
use crate::policy::{Policies, is_libpython};
use crate::target::{Architecture, Libc, Target, architecture, libc_of};

/// The policy whose list decides what is carried, and what follows for the tags.
pub struct Choice {
    /// The policy; [`Policies::len`] is the plain tag.
    pub policy: usize,
    /// What it earns once the libraries are carried.
    pub tags: Vec<String>,
    /// What it earns as it is.
    pub tags_as_is: Vec<String>,
    /// Why the platform asked for can't be had.
    pub refusal: Option<Error>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// See [`super::select`].
pub fn select(
    closure: &Closure,
    target: &Target,
    request: &Request<'_>,
    name_symbol: &SymbolNamer<'_>,
) -> Result<Selection> {
    let policies = Policies::load(target)?;
    let mut roles: Vec<NodeRole> = closure.nodes.iter().map(|node| first_role(node, target)).collect();
    let indices =
        |role: NodeRole| roles.iter().enumerate().filter(move |(_, r)| **r == role).map(|(index, _)| index);
    let artifacts: Vec<usize> = indices(NodeRole::Artifact).collect();
    let survey = Survey::new(closure, artifacts, &policies, request.exclude, request.ignore_isa);

    let names = explain::Names { closure, policies: &policies, survey: &survey, name_symbol };
    let mut choice = match target.libc {
        Libc::Android => android::choose(closure, &policies, &survey, request),
        Libc::Glibc | Libc::Musl => choose(&policies, &survey, request, &names),
    };
    if let Some(refusal) = not_for_target(closure, &roles, target) {
        choice.tags = Vec::new();
        choice.tags_as_is = Vec::new();
        choice.refusal = Some(refusal);
    }
    library_roles(closure, &survey, choice.policy, &mut roles);
    let mut warnings: Vec<String> =
        roles.iter().zip(&closure.nodes).filter_map(|(r, node)| foreign(r, node)).collect();
    warnings.append(&mut choice.warnings);
    warnings.extend(embedded_python(closure, survey.load(choice.policy)));

    Ok(Selection {
        tags: choice.tags,
        tags_as_is: choice.tags_as_is,
        removed: removed(&survey, survey.load(choice.policy)),
        missing: missing(closure, &survey, choice.policy),
        refusal: choice.refusal,
        warnings,
        reasons: explain::reasons(&names, choice.policy),
        roles,
    })
}

/// What glibc and musl have in common.
fn choose(policies: &Policies, survey: &Survey, request: &Request<'_>, names: &explain::Names<'_>) -> Choice {
    let plain = policies.len();
    let strictest = strictest_to_consider(policies, request);
    let auto = best(policies, survey, strictest);
    let mut choice = Choice {
        policy: auto,
        tags: Vec::new(),
        tags_as_is: Vec::new(),
        refusal: None,
        warnings: Vec::new(),
    };

    let mut chosen = vec![auto];
    match requested::parse(request.plat, policies) {
        Err(error) => choice.refusal = Some(error),
        Ok(Requested::Linux) => chosen = vec![plain],
        Ok(Requested::Policy(asked)) => {
            chosen = vec![asked];
            let load = survey.load(asked);
            if !survey.allows(asked, load) {
                choice.refusal = Some(names.refuse_policy(asked, auto));
                chosen = vec![auto];
            } else if !request.only_plat {
                // A better name holds only if the policy asked for carries all that the better one needs.
                chosen.extend((strictest..asked).find(|better| survey.qualifies(*better, load)));
            }
        }
        Ok(Requested::Auto | Requested::Api(_)) if auto == plain => choice.refusal = Some(names.refuse_all()),
        Ok(Requested::Auto | Requested::Api(_)) => {}
    }
    choice.policy = chosen.first().copied().unwrap_or(plain);
    let load = survey.load(choice.policy);
    (choice.tags, choice.warnings) = tags(policies, survey, &chosen, load, request);

    let nothing = Load::default();
    let fits_as_is = |policy: &usize| removes_nothing(survey) && survey.qualifies(*policy, &nothing);
    if !chosen.iter().all(fits_as_is) {
        chosen = vec![(strictest..plain).find(fits_as_is).unwrap_or(plain)];
    }
    choice.tags_as_is = tags(policies, survey, &chosen, &nothing, request).0;
    choice
}

/// The first policy that the search for the best one may take. Nothing in a file tells which musl it was built for,
/// so the best that it claims is believed, and nothing better; without a claim it is the laxest.
fn strictest_to_consider(policies: &Policies, request: &Request<'_>) -> usize {
    match policies.target().libc {
        Libc::Glibc | Libc::Android => 0,
        Libc::Musl => {
            let claimed = request.claimed.iter().filter_map(|tag| policies.find(tag)).min();
            claimed.unwrap_or_else(|| policies.len().saturating_sub(1))
        }
    }
}

/// Of the policies that nothing bars, those that carry least, and of them the strictest; else the plain tag.
fn best(policies: &Policies, survey: &Survey, strictest: usize) -> usize {
    let fitting = (strictest..policies.len()).filter(|policy| survey.allows(*policy, survey.load(*policy)));
    fitting.min_by_key(|policy| (survey.load(*policy).len(), *policy)).unwrap_or(policies.len())
}

/// The tags of the chosen policies, and the claimed ones that the package keeps when it carries `load`; best first.
/// Then a warning for each claim that does not hold.
fn tags(
    policies: &Policies,
    survey: &Survey,
    chosen: &[usize],
    load: &Load,
    request: &Request<'_>,
) -> (Vec<String>, Vec<String>) {
    let mut ranked: Vec<(usize, String)> = chosen
        .iter()
        .flat_map(|policy| policies.tags(*policy).into_iter().map(|tag| (*policy, tag)))
        .collect();
    let mut warnings = Vec::new();
    let plain = chosen.contains(&policies.len());
    for tag in request.claimed {
        if ranked.iter().any(|(_, known)| known == tag) || tag.starts_with("linux_") || tag == "any" {
            continue;
        }
        match policies.promise_of(tag) {
            Some(policy) if survey.qualifies(policy, load) => {
                if !request.only_plat && !plain {
                    ranked.push((policy, tag.clone()));
                }
            }
            _ => warnings.push(format!("the package claims {tag}, which does not hold; the tag is dropped")),
        }
    }
    ranked.sort_by_key(|(policy, _)| *policy);
    (ranked.into_iter().map(|(_, tag)| tag).collect(), warnings)
}

fn first_role(node: &Node, target: &Target) -> NodeRole {
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
fn not_for_target(closure: &Closure, roles: &[NodeRole], target: &Target) -> Option<Error> {
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

fn foreign(role: &NodeRole, node: &Node) -> Option<String> {
    match role {
        NodeRole::Foreign(why) => Some(format!("{}: {why}; copied as it is", node.location)),
        _ => None,
    }
}

/// Gives the libraries their roles: carried, promised, excluded (each with what lies below it), unused.
fn library_roles(closure: &Closure, survey: &Survey, policy: usize, roles: &mut [NodeRole]) {
    let load = survey.load(policy);
    let mut promised = Vec::new();
    let mut excluded = Vec::new();
    for index in survey.artifacts.iter().chain(&load.nodes) {
        for link in survey.links.get(*index).into_iter().flatten() {
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

fn removed(survey: &Survey, load: &Load) -> BTreeSet<(usize, usize)> {
    let nodes = survey.artifacts.iter().chain(&load.nodes);
    let links = nodes.flat_map(|node| {
        survey.links.get(*node).into_iter().flatten().enumerate().map(|(need, link)| ((*node, need), *link))
    });
    links.filter(|(_, link)| *link == Link::Python).map(|(place, _)| place).collect()
}

fn removes_nothing(survey: &Survey) -> bool {
    removed(survey, &Load::default()).is_empty()
}

fn missing(closure: &Closure, survey: &Survey, policy: usize) -> Vec<Missing> {
    let load = survey.load(policy);
    let counted = || survey.artifacts.iter().chain(&load.nodes).filter_map(|index| closure.nodes.get(*index));
    let asks = |name: &str| {
        let name = name.to_owned();
        counted().filter_map(move |node| {
            let edge = node.needs.iter().find(|edge| edge.name == name && edge.to.is_none())?;
            Some((node.location.to_string(), edge))
        })
    };
    let missing = load.missing.iter().map(|name| {
        let needed_by: BTreeSet<String> = asks(name).map(|(file, _)| file).collect();
        Missing {
            name: name.clone(),
            needed_by: needed_by.into_iter().collect(),
            tried: asks(name).next().map(|(_, edge)| edge.tried.clone()).unwrap_or_default(),
        }
    });
    missing.collect()
}

fn embedded_python(closure: &Closure, load: &Load) -> Option<String> {
    let nodes = load.nodes.iter().filter_map(|index| closure.nodes.get(*index));
    let name = nodes.map(|node| &node.name).chain(&load.missing).find(|name| is_libpython(name))?;
    Some(format!(
        "a program of the package embeds Python and needs {name}, which is carried like any library"
    ))
}
