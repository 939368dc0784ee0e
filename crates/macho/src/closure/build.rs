//! Builds the graph: every artifact that no other reaches is the root of a load of its own, breadth first, slice by
//! slice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use object::macho;
use spokeshave_core::{
    Artifact, Bytes, Context, FileId, Found, Locate as _, Location, PackagePath, Result, parallel_map,
};

use super::locate::Search;
use super::roots::reachable;
use super::{Closure, Edge, Node, NodeKind};
use crate::facts::{Arch, MachoFacts};
use crate::search::{Around, Environment, Frame};
use crate::target::{Target, slice_for};

/// Reads the facts of every artifact, in order. Those of the package's members are kept in
/// [`Context::cache`]; the path of a build output says nothing of its bytes after the patch.
///
/// # Errors
/// When one can't be read or is damaged; the error names it.
pub fn read_artifacts(set: &[Artifact], cx: &Context<'_>) -> Result<Vec<Arc<MachoFacts>>> {
    let read = |artifact: &Artifact| -> Result<Arc<MachoFacts>> {
        let location = artifact.location();
        let member = cx.files.find(&location).filter(|_| artifact.origin.is_none()).map(|found| found.id);
        if let Some(facts) = member.as_ref().and_then(|id| cx.cache.get::<MachoFacts>(id)) {
            return Ok(facts);
        }
        let bytes = artifact.source.open().locate(&artifact.path)?;
        let facts = Arc::new(MachoFacts::read(&bytes).locate(&artifact.path)?);
        if let Some(id) = member {
            cx.cache.insert(id, facts.clone());
        }
        Ok(facts)
    };
    parallel_map(cx.jobs, set, read).into_iter().collect()
}

impl Closure {
    /// Builds the graph of `set`, whose facts are `facts` in the same order ([`read_artifacts`]), for the slices that
    /// `target` accepts. Artifacts that nothing loads or that are for another target are nodes without needs, and so
    /// are libraries that stay out. Libraries of `--include` are nodes.
    ///
    /// What is read of libraries is kept in [`Context::cache`].
    ///
    /// # Errors
    /// When a library can't be read or is damaged, or one to include is not found. A need that leads nowhere is data.
    pub fn build(
        set: &[Artifact],
        facts: &[Arc<MachoFacts>],
        cx: &Context<'_>,
        env: &Environment,
        target: &Target,
    ) -> Result<Closure> {
        let mut builder = Builder::new(set, facts, cx, env, target);
        for root in builder.roots() {
            builder.load_all(root)?;
        }
        builder.include()?;
        // What is carried is a binary of the package afterwards: all that it is for must be found.
        let mut done = HashSet::new();
        while let Some(next) = reachable(&builder.nodes).into_iter().find(|index| {
            let library = builder.nodes.get(*index).is_some_and(|node| node.kind == NodeKind::Library);
            library && done.insert(*index)
        }) {
            builder.load_all(next)?;
        }
        builder.finish()
    }
}

/// The graph while it is built.
pub(super) struct Builder<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) env: &'a Environment,
    pub(super) target: &'a Target,
    pub(super) nodes: Vec<Node>,
    pub(super) by_id: HashMap<FileId, usize>,
    /// Promised and excluded libraries by their place or name.
    pub(super) kept_out: BTreeMap<String, usize>,
    /// Artifacts that may be loaded, by file name.
    pub(super) siblings: BTreeMap<String, BTreeSet<usize>>,
    /// The trees of the package but for its root.
    pub(super) trees: Vec<PackagePath>,
    /// For each artifact, where its build linked from.
    pub(super) linked: Vec<Vec<PathBuf>>,
    aliases: Vec<BTreeSet<String>>,
    /// The slices (node, slice) that were part of a load.
    reached: HashSet<(usize, usize)>,
}

/// One load: a root and what it brings into the process.
pub(super) struct Load {
    /// The processor that the process is for.
    pub arch: Arch,
    /// The program's directory, if it is known.
    pub executable: Option<Location>,
    /// What the build of the root linked from.
    pub linked: Vec<PathBuf>,
    /// What is loaded, by its `LC_ID_DYLIB`.
    pub installed: HashMap<String, usize>,
    /// Who loaded a node; `None` for the root.
    pub(super) loader: HashMap<usize, Option<usize>>,
    /// Nodes whose needs are still to be looked at.
    pub(super) queue: VecDeque<usize>,
}

impl<'a> Builder<'a> {
    fn new(
        set: &[Artifact],
        facts: &[Arc<MachoFacts>],
        cx: &'a Context<'a>,
        env: &'a Environment,
        target: &'a Target,
    ) -> Self {
        let trees: BTreeSet<PackagePath> = set
            .iter()
            .map(|artifact| artifact.tree.clone())
            .filter(|tree| *tree != PackagePath::root())
            .collect();
        let mut builder = Builder {
            cx,
            env,
            target,
            nodes: Vec::new(),
            by_id: HashMap::new(),
            kept_out: BTreeMap::new(),
            siblings: BTreeMap::new(),
            trees: trees.into_iter().collect(),
            linked: set.iter().map(|artifact| artifact.linked_paths.clone()).collect(),
            aliases: Vec::new(),
            reached: HashSet::new(),
        };
        for (index, (artifact, facts)) in set.iter().zip(facts).enumerate() {
            let location = artifact.location();
            let found = cx.files.find(&location);
            let found = Found {
                id: found
                    .as_ref()
                    .map_or_else(|| FileId::Package(artifact.path.clone(), 0), |f| f.id.clone()),
                real: found.map_or_else(|| location.clone(), |f| f.real),
                source: artifact.source.clone(),
                mode: artifact.mode,
            };
            let kind = NodeKind::Artifact(index);
            let node = builder.push(kind, artifact.path.to_string(), location, found, facts.clone());
            if builder.is_loadable(node) {
                builder.siblings.entry(artifact.path.file_name().to_owned()).or_default().insert(node);
            }
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
        facts: Arc<MachoFacts>,
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
            needs: vec![Vec::new(); facts.slices.len()],
            facts,
            included: None,
        });
        index
    }

    /// The node of a library that stays out, at `location` or known by name only.
    pub(super) fn push_kept_out(&mut self, kind: NodeKind, location: Location) -> usize {
        let key = location.to_string();
        if let Some(known) = self.kept_out.get(&key) {
            return *known;
        }
        let found = Found {
            // No file has this identity: what stays out is not looked at as a file.
            id: FileId::Path(PathBuf::from(format!("\0{key}"))),
            real: location.clone(),
            source: Arc::new(Bytes::from(Vec::new())),
            mode: 0,
        };
        let index = self.push(kind, location.file_name(), location, found, Arc::default());
        self.kept_out.insert(key, index);
        index
    }

    /// The slices of a node that take part in loads of the package.
    pub(super) fn slices(&self, node: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get(node).filter(|node| node.facts.inert.is_none()) else {
            return Vec::new();
        };
        let slices = node.facts.slices.iter().enumerate();
        slices.filter(|(_, slice)| self.target.accepts(slice)).map(|(at, _)| at).collect()
    }

    pub(super) fn is_loadable(&self, node: usize) -> bool {
        !self.slices(node).is_empty()
    }

    pub(super) fn is_artifact(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| matches!(node.kind, NodeKind::Artifact(_)))
    }

    /// Loads the slices of `root` that no load has reached.
    pub(super) fn load_all(&mut self, root: usize) -> Result<()> {
        for slice in self.slices(root) {
            if !self.reached.contains(&(root, slice)) {
                self.load(root, slice)?;
            }
        }
        Ok(())
    }

    /// Loads one slice of `root` and everything below it.
    fn load(&mut self, root: usize, slice: usize) -> Result<()> {
        let Some(node) = self.nodes.get(root) else { return Ok(()) };
        let Some(facts) = node.facts.slices.get(slice) else { return Ok(()) };
        let program = facts.filetype == macho::MH_EXECUTE.0;
        let mut load = Load {
            arch: facts.arch,
            executable: match &self.env.executable_path {
                _ if program => Some(node.real.parent()),
                path => path.clone().map(Location::Host),
            },
            linked: self.linked.get(root).cloned().unwrap_or_default(),
            installed: HashMap::new(),
            loader: HashMap::new(),
            queue: VecDeque::new(),
        };
        self.enter(&mut load, root, None);
        while let Some(node) = load.queue.pop_front() {
            if let Some(slice) = self.slice_in(&load, node) {
                self.reached.insert((node, slice));
                self.walk(&mut load, node, slice)?;
            }
        }
        Ok(())
    }

    /// The slice of `node` that a process has.
    pub(super) fn slice_in(&self, load: &Load, node: usize) -> Option<usize> {
        slice_for(load.arch, &self.nodes.get(node)?.facts)
    }

    /// Brings `node` into the process, if it is not there.
    fn enter(&self, load: &mut Load, node: usize, loader: Option<usize>) {
        if load.loader.contains_key(&node) {
            return;
        }
        load.loader.insert(node, loader);
        let slice = self.slice_in(load, node);
        let id =
            self.nodes.get(node).zip(slice).and_then(|(n, slice)| n.facts.slices.get(slice)?.id.as_ref());
        if let Some(id) = id {
            load.installed.entry(id.name.clone()).or_insert(node);
        }
        load.queue.push_back(node);
    }

    /// Resolves the needs of a slice that no load before found, and brings what they lead to into the process.
    fn walk(&mut self, load: &mut Load, node: usize, slice: usize) -> Result<()> {
        let stays_out = |node: &Node| matches!(node.kind, NodeKind::Promised | NodeKind::Excluded);
        let Some(own) = self.nodes.get(node).filter(|node| !stays_out(node)) else { return Ok(()) };
        let Some(facts) = own.facts.slices.get(slice) else { return Ok(()) };
        let known = own.needs.get(slice).filter(|needs| !needs.is_empty()).cloned();
        let again = known.is_some();
        let mut needs = known.unwrap_or_else(|| {
            let edge = |(kind, dylib): &(_, crate::facts::Dylib)| Edge {
                name: dylib.name.clone(),
                kind: *kind,
                to: None,
                rule: String::new(),
                tried: Vec::new(),
                stays: false,
                by_load: true,
            };
            facts.dylibs.iter().map(edge).collect()
        });
        for edge in &mut needs {
            if !again || (edge.by_load && (edge.to.is_none() || edge.stays)) {
                let found = self.search(&edge.name, node, load)?;
                self.settle(edge, found, again);
            }
            if let Some(to) = edge.to {
                self.aliases.get_mut(to).map(|names| names.insert(leaf(&edge.name).to_owned()));
                self.enter(load, to, Some(node));
            }
        }
        if let Some(slot) = self.nodes.get_mut(node).and_then(|node| node.needs.get_mut(slice)) {
            *slot = needs;
        }
        Ok(())
    }

    /// Notes what a search found. What one load finds and another does not, or elsewhere, gets a path of its own.
    fn settle(&self, edge: &mut Edge, found: Search, again: bool) {
        let first = !again || edge.to.is_none();
        edge.stays = if again { edge.stays && edge.to == found.to && found.stays } else { found.stays };
        edge.by_load = found.by_load;
        if first && (found.to.is_some() || edge.tried.is_empty()) {
            (edge.to, edge.rule, edge.tried) = (found.to, found.rule, found.tried);
        }
    }

    /// The importer, the file that loaded it, and so on to the root, with the search paths of each.
    pub(super) fn chain(&self, load: &Load, node: usize) -> Vec<Frame<'_>> {
        let mut chain = Vec::new();
        let mut at = Some(node);
        while let Some(index) = at {
            let slice = self.slice_in(load, index);
            if let Some((node, slice)) =
                self.nodes.get(index).and_then(|node| Some((node, node.facts.slices.get(slice?)?)))
            {
                chain.push(Frame { real: &node.real, rpaths: &slice.rpaths });
            }
            at = load.loader.get(&index).copied().flatten();
        }
        chain
    }

    /// What paths are followed in.
    pub(super) fn around<'b>(&'b self, load: &'b Load) -> Around<'b> {
        Around { files: self.cx.files, trees: &self.trees, executable: load.executable.as_ref() }
    }

    fn finish(self) -> Result<Closure> {
        let mut nodes = self.nodes;
        for (node, aliases) in nodes.iter_mut().zip(self.aliases) {
            node.aliases = aliases.into_iter().collect();
            if node.aliases.is_empty() {
                node.aliases.push(node.name.clone());
            }
        }
        super::join::join(&mut nodes)?;
        let used = reachable(&nodes);
        for (index, node) in nodes.iter_mut().enumerate() {
            if !used.contains(&index) {
                node.kind = NodeKind::Unused;
            }
        }
        Ok(Closure { nodes })
    }
}

/// The file name of a path.
pub(super) fn leaf(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
