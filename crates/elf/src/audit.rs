//! From the closure and the selection to core's audit.

use std::sync::Arc;

use spokeshave_core::{
    Artifact, Audit, AuditResult, AuditedArtifact, Context, Fact, Library, Location, Need, Result, Role,
    Status, Target as Leads,
};

use crate::closure::{Closure, Node, read_artifacts};
use crate::plan::Detail;
use crate::policy::is_libpython;
use crate::search::{Environment, SIBLING};
use crate::select::{NodeRole, Request, Selection, select};
use crate::target::{Libc, Target};

/// Audits a package.
///
/// # Errors
/// When a binary is damaged, or the data of the policies are.
pub fn audit(set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
    let facts = read_artifacts(set, cx)?;
    let plat = cx.options.plat.as_deref();
    let target = Target::decide(set, &facts, cx.claimed_tags, plat);
    let environment = Environment::new(target, cx);
    let closure = Closure::build(set, &facts, cx, &environment)?;
    let request = Request {
        plat,
        only_plat: cx.options.backend.flag("only-plat"),
        ignore_isa: cx.options.backend.flag("disable-isa-ext-check"),
        exclude: &cx.options.exclude,
        claimed: cx.claimed_tags,
    };
    let name_symbol = |node: usize, file: &str, version: &str| {
        let asked = (file.to_owned(), version.to_owned());
        closure.nodes.get(node)?.facts.version_symbols.get(&asked).cloned()
    };
    let selection = select(&closure, &target, &request, &name_symbol)?;
    let obstacles = selection.obstacles(&name_symbol);
    Ok(Graph { set, closure: &closure, selection: &selection, target }.audit(obstacles))
}

struct Graph<'a> {
    set: &'a [Artifact],
    closure: &'a Closure,
    selection: &'a Selection,
    target: Target,
}

impl Graph<'_> {
    fn audit(&self, obstacles: Vec<spokeshave_core::Obstacle>) -> Audit {
        // Where each node of the closure stands in the audit.
        let mut places: Vec<Option<Leads>> = Vec::with_capacity(self.closure.nodes.len());
        let mut libraries = 0;
        for (node, role) in self.closure.nodes.iter().zip(&self.selection.roles) {
            places.push(match (node.artifact, role) {
                (Some(index), _) => Some(Leads::Artifact(index)),
                (None, NodeRole::Library(_)) => {
                    libraries += 1;
                    Some(Leads::Library(libraries - 1))
                }
                (None, _) => None,
            });
        }
        let mut artifacts = Vec::with_capacity(self.set.len());
        let mut found = Vec::with_capacity(libraries);
        for (index, (node, role)) in self.closure.nodes.iter().zip(&self.selection.roles).enumerate() {
            let result = self.result(index, node, role, &places);
            match (node.artifact.and_then(|at| self.set.get(at)), role) {
                (Some(artifact), _) => artifacts.push(AuditedArtifact { artifact: artifact.clone(), result }),
                (None, NodeRole::Library(role)) => found.push(library(node, *role, result)),
                (None, _) => {}
            }
        }
        Audit {
            artifacts,
            libraries: found,
            tags: self.selection.tags.clone(),
            tags_as_is: self.selection.tags_as_is.clone(),
            obstacles,
            missing: self.selection.missing.clone(),
            refusal: self.selection.refusal.clone(),
            warnings: self.selection.warnings.clone(),
        }
    }

    fn result(&self, index: usize, node: &Node, role: &NodeRole, places: &[Option<Leads>]) -> AuditResult {
        let status = match (node.facts.inert, role) {
            (Some(why), _) => Status::Inert(why.to_owned()),
            (None, NodeRole::Foreign(why)) => Status::Foreign(why.clone()),
            (None, _) => Status::Active,
        };
        let target = |at: usize, to: Option<usize>| {
            if self.selection.removed.contains(&(index, at)) {
                return Leads::Removed;
            }
            to.and_then(|to| places.get(to).copied().flatten()).unwrap_or(Leads::Missing)
        };
        let needs = node.needs.iter().enumerate().map(|(at, edge)| Need {
            name: edge.name.clone(),
            slice: None,
            target: target(at, edge.to),
            rule: edge.rule.clone(),
            tried: edge.tried.clone(),
        });
        AuditResult {
            status,
            needs: needs.collect(),
            facts: facts(node),
            detail: Arc::new(Detail {
                facts: node.facts.clone(),
                android: self.target.libc == Libc::Android,
                unreachable: node.needs.iter().map(|edge| edge.rule == SIBLING).collect(),
            }),
        }
    }
}

fn library(node: &Node, role: Role, result: AuditResult) -> Library {
    Library {
        name: node.name.clone(),
        aliases: node.aliases.clone(),
        location: node.location.clone(),
        real: node.real.clone(),
        source: node.source.clone(),
        mode: node.mode,
        role,
        included: node.included,
        keep_name: false,
        version: None,
        variants: node.variants.iter().cloned().map(Location::Host).collect(),
        result,
    }
}

/// Lines for `show`.
fn facts(node: &Node) -> Vec<Fact> {
    let facts = &node.facts;
    let fact = |label: &str, value: String| Fact { label: label.to_owned(), value };
    let mut lines = Vec::new();
    lines.extend(crate::target::architecture(facts).map(|a| fact("architecture", a.to_string())));
    lines.extend(crate::target::libc_of(facts).map(|libc| fact("libc", libc.to_string())));
    lines.extend(facts.x86_level().map(|level| fact("ISA level", level)));
    lines.extend(
        facts.needed.iter().filter(|name| is_libpython(name)).map(|name| fact("libpython", name.clone())),
    );
    lines.extend(facts.soname.iter().map(|name| fact("SONAME", name.clone())));
    lines.extend(facts.rpath.last().map(|path| fact("RPATH", path.clone())));
    lines.extend(facts.runpath.last().map(|path| fact("RUNPATH", path.clone())));
    lines
}
