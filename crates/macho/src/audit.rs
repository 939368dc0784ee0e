//! From the closure and the tags to core's audit.

mod findings;
mod show;

use std::sync::Arc;

use spokeshave_core::{
    Artifact, Audit, AuditResult, AuditedArtifact, Context, Error, Library, Need, Result, Role, Status,
    Target as Leads,
};

use crate::closure::{Closure, Node, NodeKind, read_artifacts};
use crate::facts::MachoFacts;
use crate::plan::Detail;
use crate::search::Environment;
use crate::tags::{Evidence, Request, select};
use crate::target::{Machine, Target, minimum};

/// Audits a package.
///
/// # Errors
/// When a binary is damaged, or a library to include is not found.
pub fn audit(set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
    let facts = read_artifacts(set, cx)?;
    let plat = cx.options.plat.as_deref().filter(|plat| *plat != "auto");
    let target = Target::decide(cx.claimed_tags, plat, &facts);
    let environment = Environment::new(cx);
    let closure = Closure::build(set, &facts, cx, &environment, &target)?;
    let graph = Graph { set, closure: &closure, target: &target, cx };

    let machines = graph.machines();
    let request = Request {
        plat,
        claimed: cx.claimed_tags,
        deployment_target: cx.env.get("MACOSX_DEPLOYMENT_TARGET").map(String::as_str),
        machines: &machines,
    };
    let selection = select(&request, &graph.evidence());
    let mut audit = graph.audit();
    // Nothing runs elsewhere as long as a library is outside.
    let as_is = audit.external().next().is_none();
    audit.tags_as_is = if as_is { selection.tags.clone() } else { Vec::new() };
    audit.tags = selection.tags;
    audit.obstacles = selection.obstacles;
    audit.missing = findings::missing(&closure);
    audit.refusal = match graph.not_for_target() {
        Some(refusal) => Some(refusal),
        None => selection.refusal.or(findings::required_archs(&closure, &target, cx)?),
    };
    audit.warnings = selection.warnings;
    audit.warnings.extend(findings::foreign(&audit));
    audit.warnings.extend(findings::one_machine_short(&closure, &target));
    audit.warnings.extend(findings::weak(&closure));
    audit.warnings.extend(findings::python(&closure));
    audit.warnings.extend(findings::signatures(&audit));
    Ok(audit)
}

struct Graph<'a> {
    set: &'a [Artifact],
    closure: &'a Closure,
    target: &'a Target,
    cx: &'a Context<'a>,
}

impl Graph<'_> {
    /// The machines that the target and the artifacts have in common.
    fn machines(&self) -> std::collections::BTreeSet<Machine> {
        let artifacts = self.closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_)));
        artifacts.flat_map(|node| self.slices(&node.facts)).map(|(machine, _)| machine).collect()
    }

    /// The slices of a file that the package is for.
    fn slices<'b>(
        &'b self,
        facts: &'b MachoFacts,
    ) -> impl Iterator<Item = (Machine, &'b crate::facts::Slice)> {
        let active = facts.inert.is_none();
        let slices = facts.slices.iter().filter(move |slice| active && self.target.accepts(slice));
        slices.filter_map(|slice| Some((Machine::of(slice.arch)?, slice)))
    }

    /// What the artifacts and the libraries to carry ask of macOS.
    fn evidence(&self) -> Vec<Evidence> {
        let counts = |node: &&Node| matches!(node.kind, NodeKind::Artifact(_) | NodeKind::Library);
        let of_node = |node: &Node| {
            let slices = self.slices(&node.facts);
            let evidence = slices.filter_map(|(machine, slice)| {
                Some(Evidence { file: node.name.clone(), machine, version: minimum(slice)? })
            });
            evidence.collect::<Vec<_>>()
        };
        self.closure.nodes.iter().filter(counts).flat_map(of_node).collect()
    }

    /// The refusal of a package whose binaries are all for another target: a tag would promise what nothing keeps.
    fn not_for_target(&self) -> Option<Error> {
        let nodes = || self.closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_)));
        let loaded = || nodes().filter(|node| node.facts.inert.is_none());
        let first = loaded().next()?;
        let why = self.target.misfit(&first.facts)?;
        if loaded().any(|node| self.target.misfit(&node.facts).is_none()) {
            return None;
        }
        let what = match self.target.machines.is_empty() {
            true => format!("the package has no binary for macOS ({why})"),
            false => format!("the package has no binary for its platform ({why})"),
        };
        Some(
            Error::new(what)
                .at(&first.location)
                .hint("build it for this platform, or correct the platform tag of the wheel or `--plat`"),
        )
    }

    fn audit(&self) -> Audit {
        // Where each node of the closure stands in the audit.
        let mut places: Vec<Option<Leads>> = Vec::with_capacity(self.closure.nodes.len());
        let mut libraries = 0;
        for node in &self.closure.nodes {
            places.push(match node.kind {
                NodeKind::Artifact(index) => Some(Leads::Artifact(index)),
                NodeKind::Unused => None,
                NodeKind::Library | NodeKind::Promised | NodeKind::Excluded => {
                    libraries += 1;
                    Some(Leads::Library(libraries - 1))
                }
            });
        }
        let mut artifacts = Vec::with_capacity(self.set.len());
        let mut found = Vec::with_capacity(libraries);
        for node in &self.closure.nodes {
            let role = match node.kind {
                NodeKind::Artifact(index) => {
                    if let Some(artifact) = self.set.get(index).cloned() {
                        artifacts.push(AuditedArtifact { artifact, result: self.result(node, &places) });
                    }
                    continue;
                }
                NodeKind::Unused => continue,
                NodeKind::Library => Role::External,
                NodeKind::Promised => Role::Promised,
                NodeKind::Excluded => Role::Excluded,
            };
            found.push(library(node, role, self.result(node, &places)));
        }
        Audit {
            artifacts,
            libraries: found,
            tags: Vec::new(),
            tags_as_is: Vec::new(),
            obstacles: Vec::new(),
            missing: Vec::new(),
            refusal: None,
            warnings: Vec::new(),
        }
    }

    fn result(&self, node: &Node, places: &[Option<Leads>]) -> AuditResult {
        let misfit = self.target.misfit(&node.facts);
        let status = match (node.facts.inert, misfit, node.kind) {
            (Some(why), ..) => Status::Inert(why.to_owned()),
            (None, Some(why), NodeKind::Artifact(_)) => Status::Foreign(why),
            _ => Status::Active,
        };
        let fat = node.facts.slices.len() > 1;
        let mut needs = Vec::new();
        let mut details = Vec::new();
        for (index, (edges, slice)) in node.needs.iter().zip(&node.facts.slices).enumerate() {
            for edge in edges {
                needs.push(Need {
                    name: edge.name.clone(),
                    slice: fat.then(|| slice.arch.to_string()),
                    target: edge
                        .to
                        .and_then(|to| places.get(to).copied().flatten())
                        .unwrap_or(Leads::Missing),
                    rule: edge.rule.clone(),
                    tried: edge.tried.clone(),
                });
                details.push((index, edge.stays));
            }
        }
        AuditResult {
            status,
            needs,
            facts: show::facts(&node.facts),
            detail: Arc::new(Detail {
                facts: node.facts.clone(),
                needs: details,
                targets: node.facts.slices.iter().map(|slice| self.target.accepts(slice)).collect(),
                keep_rpaths: self.cx.options.backend.flag("no-sanitize-rpaths"),
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
        version: show::version(&node.facts),
        variants: Vec::new(),
        result,
    }
}
