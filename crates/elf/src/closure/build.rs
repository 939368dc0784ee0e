//! Builds the graph: every artifact that no other reaches is the root of a load of its own, breadth first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use spokeshave_core::{
    Artifact, Context, Error, FileId, Found, Locate as _, Location, PackagePath, Result, parallel_map,
};

use super::locate::Search;
use super::{Closure, Edge, Node};
use crate::facts::ElfFacts;
use crate::search::{Around, Environment, LOADED, Paths, SIBLING};
use crate::target::Libc;

/// Reads the facts of every artifact, in order. Those of the package's members are kept in [`Context::cache`].
///
/// # Errors
/// When one can't be read or is damaged; the error names it.
pub fn read_artifacts(set: &[Artifact], cx: &Context<'_>) -> Result<Vec<Arc<ElfFacts>>> {
    let read = |artifact: &Artifact| -> Result<Arc<ElfFacts>> {
        let member = cx.files.find(&Location::Package(artifact.path.clone())).map(|found| found.id);
        if let Some(facts) = member.as_ref().and_then(|id| cx.cache.get::<ElfFacts>(id)) {
            return Ok(facts);
        }
        let bytes = artifact.source.open().locate(&artifact.path)?;
        let facts = Arc::new(ElfFacts::read(&bytes).locate(&artifact.path)?);
        if let Some(id) = member {
            cx.cache.insert(id, facts.clone());
        }
        Ok(facts)
    };
    parallel_map(cx.jobs, set, read).into_iter().collect()
}

impl Closure {
    /// Builds the graph of `set`, whose facts are `facts` in the same order ([`read_artifacts`]), as the loader of
    /// `env` would. Artifacts that nothing loads or that are for another target are nodes without needs. What
    /// `--exclude` names is a node without needs too, if it is there. Libraries of `--include` are nodes.
    ///
    /// What is read of libraries is kept in [`Context::cache`].
    ///
    /// # Errors
    /// When a library can't be read or is damaged, or one to include is not found. A need that leads nowhere is data.
    pub fn build(
        set: &[Artifact],
        facts: &[Arc<ElfFacts>],
        cx: &Context<'_>,
        env: &Environment,
    ) -> Result<Closure> {
        let mut builder = Builder::new(set, facts, cx, env);
        for root in builder.roots() {
            if !builder.reached.contains(&root) {
                builder.load(root, None)?;
            }
        }
        builder.include()?;
        Ok(builder.finish())
    }
}

/// The graph while it is built.
pub(super) struct Builder<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) env: &'a Environment,
    pub(super) nodes: Vec<Node>,
    pub(super) by_id: HashMap<FileId, usize>,
    /// Artifacts that may be loaded, by file name and by `DT_SONAME`.
    pub(super) siblings: BTreeMap<String, BTreeSet<usize>>,
    /// The names in `glibc-hwcaps` of a directory; `None` when the directory does not exist.
    pub(super) directories: HashMap<Location, Option<Vec<String>>>,
    /// The trees of the package but for its root.
    trees: Vec<PackagePath>,
    aliases: Vec<BTreeSet<String>>,
    paths: Vec<Arc<Paths>>,
    /// The artifacts that were part of a load.
    reached: HashSet<usize>,
    artifacts: usize,
    /// [`Closure::outputs`].
    pub(super) outputs: bool,
}

/// One load: a root and what it brings into the process.
struct Load {
    /// What a name leads to without a search.
    by_name: HashMap<String, usize>,
    /// Who loaded a node; `None` for the root.
    loader: HashMap<usize, Option<usize>>,
    /// Nodes whose needs are still to be looked at.
    queue: VecDeque<usize>,
    queued: HashSet<usize>,
}

impl<'a> Builder<'a> {
    fn new(set: &[Artifact], facts: &[Arc<ElfFacts>], cx: &'a Context<'a>, env: &'a Environment) -> Self {
        let trees: BTreeSet<PackagePath> = set
            .iter()
            .map(|artifact| artifact.tree.clone())
            .filter(|tree| *tree != PackagePath::root())
            .collect();
        let mut builder = Builder {
            cx,
            env,
            nodes: Vec::new(),
            by_id: HashMap::new(),
            siblings: BTreeMap::new(),
            directories: HashMap::new(),
            trees: trees.into_iter().collect(),
            aliases: Vec::new(),
            paths: Vec::new(),
            reached: HashSet::new(),
            artifacts: set.len().min(facts.len()),
            outputs: set.iter().any(|artifact| artifact.origin.is_some()),
        };
        for (index, (artifact, facts)) in set.iter().zip(facts).enumerate() {
            let location = artifact.location();
            let found = cx.files.find(&location);
            let id =
                found.as_ref().map_or_else(|| FileId::Package(artifact.path.clone(), 0), |f| f.id.clone());
            let real = found.map_or_else(|| location.clone(), |f| f.real);
            // The kernel follows links before a program's loader begins; what the loader finds, it takes as found.
            let location = if facts.interp.is_some() { real.clone() } else { location };
            let found = Found { id, real, source: artifact.source.clone(), mode: artifact.mode };
            builder.push(artifact.path.to_string(), location, found, facts.clone());
            if let Some(node) = builder.nodes.last_mut() {
                node.artifact = Some(index);
            }
            if let Some(paths) = builder.paths.last_mut().map(Arc::make_mut) {
                paths.link_from(&artifact.linked_paths, &artifact.location());
            }
            if builder.is_loadable(index) {
                let soname = facts.soname.iter().map(String::as_str);
                for name in soname.chain([artifact.path.file_name()]) {
                    builder.siblings.entry(name.to_owned()).or_default().insert(index);
                }
            }
        }
        builder
    }

    /// What paths are followed in.
    pub(super) fn around(&self) -> Around<'_> {
        Around { env: self.env, files: self.cx.files, trees: &self.trees }
    }

    /// Adds a node and returns its index.
    pub(super) fn push(
        &mut self,
        name: String,
        location: Location,
        found: Found,
        facts: Arc<ElfFacts>,
    ) -> usize {
        let index = self.nodes.len();
        self.paths.push(Arc::new(Paths::of(&facts, &location, self.around())));
        self.aliases.push(BTreeSet::new());
        self.by_id.entry(found.id).or_insert(index);
        self.nodes.push(Node {
            artifact: None,
            name,
            aliases: Vec::new(),
            location,
            real: found.real,
            source: found.source,
            mode: found.mode,
            facts,
            needs: Vec::new(),
            variants: Vec::new(),
            included: None,
        });
        index
    }

    /// Whether an artifact takes part in a load of this environment.
    fn is_loadable(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|n| n.facts.inert.is_none() && self.env.target.accepts(&n.facts))
    }

    /// The artifacts in the order in which they are tried as roots: those whose name no other one needs, then those
    /// that only such ones need that are not reached in the end, and so on; of a circle the first.
    fn roots(&self) -> Vec<usize> {
        let reaches = |index: usize| -> BTreeSet<usize> {
            let needed = self.nodes.get(index).map_or(&[][..], |node| &node.facts.needed);
            let names = needed.iter().map(|name| name.rsplit('/').next().unwrap_or(name));
            names
                .filter_map(|name| self.siblings.get(name))
                .flatten()
                .copied()
                .filter(|to| *to != index)
                .collect()
        };
        let mut loadable: BTreeSet<usize> =
            (0..self.artifacts).filter(|index| self.is_loadable(*index)).collect();
        let edges: BTreeMap<usize, BTreeSet<usize>> =
            loadable.iter().map(|index| (*index, reaches(*index))).collect();
        let mut wanted: HashMap<usize, usize> = HashMap::new();
        for to in edges.values().flatten() {
            *wanted.entry(*to).or_default() += 1;
        }
        let mut free: BTreeSet<usize> =
            loadable.iter().copied().filter(|i| wanted.get(i).is_none_or(|n| *n == 0)).collect();
        let mut order = Vec::new();
        while let Some(next) = free.pop_first().or_else(|| loadable.first().copied()) {
            loadable.remove(&next);
            order.push(next);
            for to in edges.get(&next).into_iter().flatten() {
                let count = wanted.entry(*to).or_default();
                *count = count.saturating_sub(1);
                if *count == 0 && loadable.contains(to) {
                    free.insert(*to);
                }
            }
        }
        order
    }

    /// Loads `root` and everything below it; `loader` is the file that opened it.
    fn load(&mut self, root: usize, loader: Option<usize>) -> Result<()> {
        let mut load = Load {
            by_name: HashMap::new(),
            loader: loader.map(|loader| (loader, None)).into_iter().collect(),
            queue: VecDeque::new(),
            queued: HashSet::new(),
        };
        self.enter(&mut load, root, loader, None);
        load.queued.insert(root);
        load.queue.push_back(root);
        while let Some(node) = load.queue.pop_front() {
            if node < self.artifacts {
                self.reached.insert(node);
            }
            self.walk(&mut load, node)?;
        }
        Ok(())
    }

    /// Notes that `node` is in the process, under its own name and the one that was asked for.
    fn enter(&self, load: &mut Load, node: usize, loader: Option<usize>, asked: Option<&str>) {
        load.loader.entry(node).or_insert(loader);
        if let Some(name) = asked {
            load.by_name.entry(name.to_owned()).or_insert(node);
        }
        // musl compares file names only, and only of what it searched.
        if self.env.target.libc != Libc::Musl
            && let Some(soname) = self.nodes.get(node).and_then(|n| n.facts.soname.as_ref())
        {
            load.by_name.entry(soname.clone()).or_insert(node);
        }
    }

    /// Resolves the needs of `node` that no load before found, and brings what they lead to into the process.
    fn walk(&mut self, load: &mut Load, node: usize) -> Result<()> {
        let Some(facts) = self.nodes.get(node).map(|n| n.facts.clone()) else { return Ok(()) };
        let mut needs = self.nodes.get_mut(node).map(|n| std::mem::take(&mut n.needs)).unwrap_or_default();
        let chain = self.chain(load, node);
        let again = !needs.is_empty();
        if !again {
            let edge =
                |name: &String| Edge { name: name.clone(), to: None, rule: String::new(), tried: Vec::new() };
            needs = facts.needed.iter().map(edge).collect();
        }
        for edge in &mut needs {
            let loaded = load.by_name.get(&edge.name).copied();
            match (edge.to, again) {
                (None, false) => self.resolve(edge, loaded, node, &chain)?,
                (None, true) if loaded.is_some() || chain.iter().any(|paths| paths.is_some()) => {
                    self.resolve(edge, loaded, node, &chain)?;
                }
                (Some(to), true) if to < self.artifacts && loaded.is_none() && edge.rule != SIBLING => {
                    let found = self.search_by_rules(&edge.name, Some(node), &chain)?;
                    if found.to.is_none() {
                        // Another load brings it along, this one does not.
                        edge.rule = SIBLING.to_owned();
                    }
                }
                _ => {}
            }
            let Some(to) = edge.to else { continue };
            self.aliases.get_mut(to).map(|names| names.insert(edge.name.clone()));
            self.enter(load, to, Some(node), Some(&edge.name));
            if !self.is_excluded(to, &edge.name) && load.queued.insert(to) {
                load.queue.push_back(to);
            }
        }
        if let Some(n) = self.nodes.get_mut(node) {
            n.needs = needs;
        }
        Ok(())
    }

    /// Finds where `edge` of `node` leads: to what is `loaded` under its name, or by a search.
    fn resolve(
        &mut self,
        edge: &mut Edge,
        loaded: Option<usize>,
        node: usize,
        chain: &[Arc<Paths>],
    ) -> Result<()> {
        if loaded.is_some() {
            (edge.to, edge.rule) = (loaded, LOADED.to_owned());
            return Ok(());
        }
        let found = self.search(&edge.name, Some(node), chain)?;
        (edge.to, edge.rule) = (found.to, found.rule);
        if edge.to.is_some() || edge.tried.is_empty() {
            edge.tried = found.tried;
        }
        Ok(())
    }

    /// The search paths of `node`, of who loaded it, and so on.
    fn chain(&self, load: &Load, node: usize) -> Vec<Arc<Paths>> {
        let mut chain = Vec::new();
        let mut at = Some(node);
        while let Some(node) = at {
            chain.extend(self.paths.get(node).cloned());
            at = load.loader.get(&node).copied().flatten();
        }
        chain
    }

    /// Whether `--exclude` names a library, by the name that is asked for, its file name or its path.
    fn is_excluded(&self, node: usize, asked: &str) -> bool {
        let globs = &self.cx.options.exclude;
        self.nodes.get(node).is_some_and(|node| {
            let at = |l: &Location| globs.matches(&l.file_name()) || globs.matches(&l.to_string());
            node.artifact.is_none() && (globs.matches(asked) || at(&node.location) || at(&node.real))
        })
    }

    /// Adds the libraries of `--include`.
    fn include(&mut self) -> Result<()> {
        let mut missing: Vec<String> = Vec::new();
        for (index, include) in self.cx.options.include.iter().enumerate() {
            let (found, opener) = self.find_included(&include.lib)?;
            let Some(node) = found.to else {
                let tried: BTreeSet<String> =
                    found.tried.iter().map(|tried| format!("{}: {}", tried.path, tried.why)).collect();
                let tried: Vec<String> = tried.into_iter().collect();
                missing.push(format!("{} (looked at: {})", include.lib, tried.join(", ")));
                continue;
            };
            if let Some(node) = self.nodes.get_mut(node).filter(|node| node.artifact.is_none()) {
                node.included.get_or_insert(index);
            }
            self.load(node, opener)?;
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("library to include is nowhere: {}", missing.join("; ")))
            .at("--include")
            .hint("name its directory with --lib-dir, or give its path")
            .into())
    }

    /// What a name of `--include` leads to, and who opens it: the first artifact whose search path finds it. A path
    /// leads to what the package has under that file name, so that a package that carries it already stays as it is.
    fn find_included(&mut self, lib: &str) -> Result<(Search, Option<usize>)> {
        let mut openers: Vec<Option<usize>> =
            (0..self.artifacts).filter(|index| self.is_loadable(*index)).map(Some).collect();
        openers.extend(openers.is_empty().then_some(None));
        let mut last = Search::default();
        for opener in openers {
            let mut search = Search::default();
            if lib.contains('/') {
                self.by_sibling(lib, opener, &mut search);
                if search.to.is_none() {
                    self.try_candidate(lib, Location::Host(lib.into()), "--include", opener, &mut search)?;
                }
            } else {
                let chain: Vec<Arc<Paths>> =
                    opener.and_then(|opener| self.paths.get(opener)).cloned().into_iter().collect();
                search = self.search(lib, opener, &chain)?;
            }
            if search.to.is_some() {
                return Ok((search, opener));
            }
            last.tried.append(&mut search.tried);
        }
        Ok((last, None))
    }

    fn finish(self) -> Closure {
        let mut nodes = self.nodes;
        for (node, aliases) in nodes.iter_mut().zip(self.aliases) {
            node.aliases = aliases.into_iter().collect();
        }
        Closure { nodes, outputs: self.outputs }
    }
}
