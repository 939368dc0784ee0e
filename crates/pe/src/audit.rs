//! From the closure to core's audit.

mod findings;
mod show;

use std::collections::BTreeSet;
use std::sync::Arc;

use spokeshave_core::{
    Artifact, Audit, AuditResult, AuditedArtifact, Context, Error, Globs, Library, Location, Need, Result,
    Role, Status, Target as Leads,
};

use crate::closure::{Closure, EdgeKind, Node, NodeKind, read_artifacts};
use crate::plan::Detail;
use crate::system::is_runtime;
use crate::target::Target;

/// Audits a package.
///
/// # Errors
/// When a binary is damaged, an option can't be understood, or a library to include is not found.
pub fn audit(set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
    let facts = read_artifacts(set, cx)?;
    let plat = cx.options.plat.as_deref().filter(|plat| *plat != "auto");
    let target = Target::decide(cx.claimed_tags, plat, &facts);
    let closure = Closure::build(set, &facts, cx, &target)?;
    let verbatim = Verbatim::new(cx)?;
    let graph = Graph { set, closure: &closure, target: &target, cx, verbatim: &verbatim };

    let mut audit = graph.audit();
    audit.missing = findings::missing(&closure);
    audit.tags = match plat {
        Some(plat) => vec![plat.to_owned()],
        None => cx.claimed_tags.to_vec(),
    };
    // Nothing runs elsewhere as long as a library is outside.
    let complete = audit.external().next().is_none() && audit.missing.is_empty();
    audit.tags_as_is = if complete { audit.tags.clone() } else { Vec::new() };
    audit.refusal = graph.not_for_target();
    audit.warnings = findings::foreign(&audit);
    audit.warnings.extend(findings::hybrids(&audit));
    audit.warnings.extend(findings::old_runtime(&closure));
    audit.warnings.extend(findings::lost(&audit));
    if cx.options.backend.flag("ignore-existing") {
        audit
            .warnings
            .push("--ignore-existing changes nothing: what the package has is always used".to_owned());
    }
    Ok(audit)
}

/// Which files are carried byte for byte, under their own names.
struct Verbatim {
    never: Globs,
    modify_runtime: bool,
}

impl Verbatim {
    fn new(cx: &Context<'_>) -> Result<Self> {
        let options = &cx.options.backend;
        let never = Globs::new(options.many("never-modify").iter().flat_map(|globs| globs.split(';')))?;
        Ok(Verbatim { never, modify_runtime: options.flag("modify-runtime") })
    }

    fn holds(&self, node: &Node) -> bool {
        let names = || node.aliases.iter().cloned().chain([node.location.file_name(), node.real.file_name()]);
        let runtime = !self.modify_runtime && names().any(|name| is_runtime(&name));
        runtime || node.facts.hybrid.is_some() || names().any(|name| self.never.matches_folded(&name))
    }
}

struct Graph<'a> {
    set: &'a [Artifact],
    closure: &'a Closure,
    target: &'a Target,
    cx: &'a Context<'a>,
    verbatim: &'a Verbatim,
}

impl Graph<'_> {
    /// The refusal of a package whose binaries are all for another target: a tag would promise what nothing keeps.
    fn not_for_target(&self) -> Option<Error> {
        let nodes = || self.closure.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Artifact(_)));
        let loaded = || nodes().filter(|node| node.facts.inert.is_none());
        let first = loaded().next()?;
        let why = self.target.misfit(&first.facts)?;
        if loaded().any(|node| self.target.misfit(&node.facts).is_none()) {
            return None;
        }
        Some(
            Error::new(format!("the package has no binary for its platform ({why})"))
                .at(&first.location)
                .hint("build it for this platform, or correct the platform tag of the wheel or `--plat`"),
        )
    }

    /// The nodes that a file asks for that may not change, or whose functions others forward to: their names stay.
    fn keep_names(&self) -> BTreeSet<usize> {
        let mut keep = BTreeSet::new();
        for node in self.closure.nodes.iter().filter(|node| node.reached) {
            let stays = self.verbatim.holds(node);
            let needs = node.needs.iter().filter(|edge| stays || edge.kind == EdgeKind::Forward);
            keep.extend(needs.filter_map(|edge| edge.to));
        }
        keep
    }

    fn audit(&self) -> Audit {
        let keep = self.keep_names();
        // Where each node of the closure stands in the audit.
        let mut places: Vec<Leads> = Vec::with_capacity(self.closure.nodes.len());
        let mut libraries = 0;
        for node in &self.closure.nodes {
            places.push(match node.kind {
                NodeKind::Artifact(index) => Leads::Artifact(index),
                NodeKind::Library | NodeKind::Promised | NodeKind::Excluded => {
                    libraries += 1;
                    Leads::Library(libraries - 1)
                }
            });
        }
        let mut artifacts = Vec::with_capacity(self.set.len());
        let mut found = Vec::with_capacity(libraries);
        for (index, node) in self.closure.nodes.iter().enumerate() {
            let result = self.result(node, &places);
            let role = match node.kind {
                NodeKind::Artifact(index) => {
                    if let Some(artifact) = self.set.get(index).cloned() {
                        artifacts.push(AuditedArtifact { artifact, result });
                    }
                    continue;
                }
                NodeKind::Library => Role::External,
                NodeKind::Promised => Role::Promised,
                NodeKind::Excluded => Role::Excluded,
            };
            let keep_name = keep.contains(&index)
                || self.verbatim.holds(node)
                || self.cx.options.backend.flag("no-mangle-all");
            found.push(library(node, role, keep_name, result));
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

    fn result(&self, node: &Node, places: &[Leads]) -> AuditResult {
        let artifact = matches!(node.kind, NodeKind::Artifact(_));
        let status = match (node.facts.inert, artifact.then(|| self.target.misfit(&node.facts)).flatten()) {
            (Some(why), _) => Status::Inert(why.to_owned()),
            (None, Some(why)) => Status::Foreign(why),
            (None, None) if artifact && !node.reached => Status::Inert(not_looked_into(node)),
            _ => Status::Active,
        };
        let need = |edge: &crate::closure::Edge| Need {
            name: edge.name.clone(),
            slice: None,
            target: edge.to.and_then(|to| places.get(to).copied()).unwrap_or(Leads::Missing),
            rule: edge.rule.clone(),
            tried: edge.tried.clone(),
        };
        // What may be absent is no need as long as it is.
        let needs = node.needs.iter().filter(|edge| edge.kind == EdgeKind::Import || edge.to.is_some());
        AuditResult {
            status,
            needs: needs.map(need).collect(),
            facts: show::facts(&node.facts),
            detail: Arc::new(Detail { facts: node.facts.clone(), verbatim: self.verbatim.holds(node) }),
        }
    }
}

fn not_looked_into(node: &Node) -> String {
    let option = if node.facts.is_dll { "--analyze-existing" } else { "--analyze-existing-exes" };
    format!("no extension module imports it; {option} looks into it, too")
}

fn library(node: &Node, role: Role, keep_name: bool, result: AuditResult) -> Library {
    let version = node.facts.version.as_ref();
    let version = version.and_then(|v| v.file_version.clone().or_else(|| v.product_version.clone()));
    let known = matches!(node.location, Location::Host(_)) && role == Role::External;
    Library {
        name: node.name.clone(),
        aliases: node.aliases.clone(),
        location: node.location.clone(),
        real: node.real.clone(),
        source: node.source.clone(),
        mode: node.mode,
        role,
        included: node.included,
        keep_name,
        version: version.filter(|_| known),
        variants: Vec::new(),
        result,
    }
}
