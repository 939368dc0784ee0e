//! Builds the graph, breadth first from what is looked into.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use spokeshave_core::{
    Artifact, Bytes, Context, Error, FileId, Found, Locate as _, Location, Result, parallel_map,
};

use super::seeds::is_seed;
use super::{Closure, Edge, EdgeKind, Node, NodeKind};
use crate::facts::PeFacts;
use crate::search::Search;
use crate::system::{is_api_set, is_python, is_windows};
use crate::target::{Machine, Target};

/// Reads the facts of every artifact, in order. Those of the package's members are kept in [`Context::cache`].
///
/// # Errors
/// When one can't be read or is damaged; the error names it.
pub fn read_artifacts(set: &[Artifact], cx: &Context<'_>) -> Result<Vec<Arc<PeFacts>>> {
    let read = |artifact: &Artifact| -> Result<Arc<PeFacts>> {
        let member = cx.files.find(&artifact.location()).filter(|_| artifact.origin.is_none());
        let member = member.map(|found| found.id);
        if let Some(facts) = member.as_ref().and_then(|id| cx.cache.get::<PeFacts>(id)) {
            return Ok(facts);
        }
        let bytes = artifact.source.open().locate(&artifact.path)?;
        let facts = Arc::new(PeFacts::read(&bytes).locate(&artifact.path)?);
        if let Some(id) = member {
            cx.cache.insert(id, facts.clone());
        }
        Ok(facts)
    };
    parallel_map(cx.jobs, set, read).into_iter().collect()
}

impl Closure {
    /// Builds the graph of `set`, whose facts are `facts` in the same order ([`read_artifacts`]). Libraries of `--include`
    /// are nodes.
    ///
    /// # Errors
    /// When a library can't be read or is damaged, or one to include is not found. A need that leads nowhere is data.
    pub fn build(
        set: &[Artifact],
        facts: &[Arc<PeFacts>],
        cx: &Context<'_>,
        target: &Target,
    ) -> Result<Closure> {
        let mut builder = Builder::new(set, facts, cx);
        let seeds = set.iter().zip(facts).enumerate();
        let seeds = seeds
            .filter(|(_, (artifact, facts))| target.misfit(facts).is_none() && is_seed(artifact, facts, cx));
        for (index, _) in seeds {
            builder.reach(index);
        }
        builder.walk()?;
        builder.include(target)?;
        builder.walk()?;
        Ok(builder.finish())
    }
}

/// The graph while it is built.
pub(super) struct Builder<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) search: Search<'a>,
    pub(super) set: &'a [Artifact],
    pub(super) nodes: Vec<Node>,
    pub(super) by_id: HashMap<FileId, usize>,
    /// Promised and excluded libraries by their name without case, or their place.
    kept_out: BTreeMap<String, usize>,
    /// Artifacts that may be loaded, by file name without case, sorted by path.
    pub(super) siblings: BTreeMap<String, Vec<usize>>,
    aliases: Vec<BTreeSet<String>>,
    queue: VecDeque<usize>,
}

impl<'a> Builder<'a> {
    fn new(set: &'a [Artifact], facts: &[Arc<PeFacts>], cx: &'a Context<'a>) -> Self {
        let mut builder = Builder {
            cx,
            search: Search::new(cx),
            set,
            nodes: Vec::new(),
            by_id: HashMap::new(),
            kept_out: BTreeMap::new(),
            siblings: BTreeMap::new(),
            aliases: Vec::new(),
            queue: VecDeque::new(),
        };
        let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, (artifact, facts)) in set.iter().zip(facts).enumerate() {
            let location = artifact.location();
            let found = cx.files.find(&location);
            let id = found.as_ref().map(|found| found.id.clone());
            let found = Found {
                id: id.unwrap_or_else(|| FileId::Package(artifact.path.clone(), 0)),
                real: found.map_or_else(|| location.clone(), |found| found.real),
                source: artifact.source.clone(),
                mode: artifact.mode,
            };
            builder.push(
                NodeKind::Artifact(index),
                artifact.path.to_string(),
                location,
                found,
                facts.clone(),
            );
            if facts.inert.is_none() {
                paths.insert(artifact.path.as_str(), index);
            }
        }
        for (path, index) in paths {
            let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
            builder.siblings.entry(name).or_default().push(index);
        }
        builder
    }

    /// Adds a node and returns its index.
    pub(super) fn push(
        &mut self,
        kind: NodeKind,
        name: String,
        location: Location,
        found: Found,
        facts: Arc<PeFacts>,
    ) -> usize {
        let index = self.nodes.len();
        self.aliases.push(BTreeSet::new());
        self.by_id.entry(found.id).or_insert(index);
        self.nodes.push(Node {
            kind,
            name,
            aliases: Vec::new(),
            location,
            real: found.real,
            source: found.source,
            mode: found.mode,
            facts,
            needs: Vec::new(),
            included: None,
            reached: false,
        });
        index
    }

    /// The node of a library that stays out and is known by name only.
    pub(super) fn kept_out(&mut self, kind: NodeKind, name: &str) -> usize {
        let key = name.to_lowercase();
        if let Some(known) = self.kept_out.get(&key) {
            return *known;
        }
        let location = Location::Host(PathBuf::from(name));
        let found = Found {
            // No file has this identity: what stays out is not looked at as a file.
            id: FileId::Path(PathBuf::from(format!("\0{key}"))),
            real: location.clone(),
            source: Arc::new(Bytes::from(Vec::new())),
            mode: 0,
        };
        let index = self.push(kind, name.to_owned(), location, found, Arc::default());
        self.kept_out.insert(key, index);
        index
    }

    /// Looks into `node`, if that has not been done.
    pub(super) fn reach(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if !std::mem::replace(&mut node.reached, true)
            && matches!(node.kind, NodeKind::Artifact(_) | NodeKind::Library)
        {
            self.queue.push_back(index);
        }
    }

    fn walk(&mut self) -> Result<()> {
        while let Some(index) = self.queue.pop_front() {
            let Some(node) = self.nodes.get(index) else { continue };
            let facts = node.facts.clone();
            let Some(machine) = Machine::of(&facts) else { continue };
            let mut names: Vec<(String, EdgeKind)> = Vec::new();
            let imports = facts.imports.iter().map(|import| (import.name.clone(), EdgeKind::Import));
            // A forwarder names a library without its extension, unless that is another than `.dll`.
            let forwards = facts.forwards.iter().map(|name| (format!("{name}.dll"), EdgeKind::Forward));
            let forwards = forwards
                .filter(|(name, _)| !is_api_set(name) && !is_python(name) && !is_windows(name, machine));
            for (name, kind) in imports.chain(forwards) {
                if !names.iter().any(|(known, _)| known.to_lowercase() == name.to_lowercase()) {
                    names.push((name, kind));
                }
            }
            let mut needs = Vec::with_capacity(names.len());
            for (name, kind) in names {
                let found = self.locate(&name, index, machine)?;
                if let Some(to) = found.to {
                    self.aliases.get_mut(to).map(|aliases| aliases.insert(name.clone()));
                    self.reach(to);
                }
                needs.push(Edge { name, kind, to: found.to, rule: found.rule, tried: found.tried });
            }
            if let Some(node) = self.nodes.get_mut(index) {
                node.needs = needs;
            }
        }
        Ok(())
    }

    /// Adds the libraries of `--include`.
    fn include(&mut self, target: &Target) -> Result<()> {
        let mut missing = Vec::new();
        for (index, include) in self.cx.options.include.iter().enumerate() {
            let found = self.locate_included(&include.lib, target.any())?;
            match found.to {
                Some(to) => {
                    if let Some(node) = self.nodes.get_mut(to).filter(|node| node.kind == NodeKind::Library) {
                        node.included.get_or_insert(index);
                        self.reach(to);
                    }
                }
                None => {
                    let tried: Vec<String> =
                        found.tried.iter().map(|tried| format!("{}: {}", tried.path, tried.why)).collect();
                    missing.push(format!("{} (looked at: {})", include.lib, tried.join(", ")));
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("library to include is nowhere: {}", missing.join("; ")))
            .at("--include")
            .hint("name its directory with --lib-dir, or give its path")
            .into())
    }

    fn finish(self) -> Closure {
        let mut nodes = self.nodes;
        for (node, aliases) in nodes.iter_mut().zip(self.aliases) {
            node.aliases = aliases.into_iter().collect();
            if node.aliases.is_empty() {
                node.aliases.push(node.name.clone());
            }
        }
        Closure { nodes }
    }
}
