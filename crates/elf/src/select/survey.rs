//! The whole package under each policy: what must be carried, what is missing, what bars it.

use std::collections::{BTreeSet, VecDeque};

use spokeshave_core::Globs;

use super::evidence::{self, Bar};
use super::links::{self, Link};
use crate::closure::Closure;
use crate::policy::Policies;

/// What a policy does not promise and the package does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// The nodes to carry.
    pub nodes: BTreeSet<usize>,
    /// The names that were found nowhere.
    pub missing: BTreeSet<String>,
}

impl Load {
    /// How many libraries.
    pub fn len(&self) -> usize {
        self.nodes.len() + self.missing.len()
    }

    /// Whether it is part of `other`.
    pub fn is_within(&self, other: &Load) -> bool {
        self.nodes.is_subset(&other.nodes) && self.missing.is_subset(&other.missing)
    }
}

/// The facts that the choice rests on.
pub struct Survey {
    /// The binaries of the package that count.
    pub artifacts: BTreeSet<usize>,
    /// The references of each node.
    pub links: Vec<Vec<Link>>,
    /// What bars policies in each node.
    pub bars: Vec<Vec<Bar>>,
    /// What is carried, by policy; the plain tag's stands last.
    pub loads: Vec<Load>,
}

impl Survey {
    /// Looks at the whole closure; `artifacts` are the nodes of the package that count.
    pub fn new(
        closure: &Closure,
        artifacts: BTreeSet<usize>,
        policies: &Policies,
        exclude: &Globs,
        ignore_isa: bool,
    ) -> Self {
        let links: Vec<Vec<Link>> =
            closure.nodes.iter().map(|node| links::of(node, closure, policies, exclude)).collect();
        let bars = closure.nodes.iter().map(|node| evidence::of(node, policies, ignore_isa)).collect();
        let loads = (0..=policies.len()).map(|policy| load(closure, &artifacts, &links, policy)).collect();
        Survey { artifacts, links, bars, loads }
    }

    /// What is carried under a policy.
    pub fn load(&self, policy: usize) -> &Load {
        static NOTHING: Load = Load { nodes: BTreeSet::new(), missing: BTreeSet::new() };
        self.loads.get(policy).unwrap_or(&NOTHING)
    }

    /// The nodes that count when the libraries of `load` are carried: the artifacts, then these.
    pub fn counted<'a>(&'a self, load: &'a Load) -> impl Iterator<Item = usize> + 'a {
        self.artifacts.iter().chain(&load.nodes).copied()
    }

    /// Whether nothing bars `policy` when the libraries of `load` are carried.
    pub fn allows(&self, policy: usize, load: &Load) -> bool {
        self.barring(policy, load).next().is_none()
    }

    /// What bars `policy` when the libraries of `load` are carried, with the node that asks for it.
    pub fn barring<'a>(&'a self, policy: usize, load: &'a Load) -> impl Iterator<Item = (usize, &'a Bar)> {
        let nodes = self.artifacts.iter().chain(&load.nodes).copied();
        let bars =
            nodes.flat_map(|node| self.bars.get(node).into_iter().flatten().map(move |bar| (node, bar)));
        bars.filter(move |(_, bar)| bar.bars(policy, &load.nodes))
    }

    /// Whether the package qualifies for `policy` when it carries `load`, which may be more than the policy needs.
    pub fn qualifies(&self, policy: usize, load: &Load) -> bool {
        self.load(policy).is_within(load) && self.allows(policy, load)
    }
}

/// What must be carried under `policy`: all that the artifacts and `--include` lead to, breadth first, promised and
/// excluded libraries and what lies below them aside.
fn load(closure: &Closure, artifacts: &BTreeSet<usize>, links: &[Vec<Link>], policy: usize) -> Load {
    let included = closure
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.included.is_some() && node.artifact.is_none());
    let mut load = Load { nodes: included.map(|(index, _)| index).collect(), missing: BTreeSet::new() };
    let mut queue: VecDeque<usize> = artifacts.iter().chain(&load.nodes).copied().collect();
    while let Some(index) = queue.pop_front() {
        let (Some(node), Some(links)) = (closure.nodes.get(index), links.get(index)) else { continue };
        for (edge, link) in node.needs.iter().zip(links) {
            match *link {
                Link::Library { promised_from, .. } if promised_from <= policy => {}
                Link::Library { to: Some(to), .. } => {
                    if load.nodes.insert(to) {
                        queue.push_back(to);
                    }
                }
                Link::Library { to: None, .. } => {
                    load.missing.insert(edge.name.clone());
                }
                Link::Package | Link::Python | Link::Excluded(_) => {}
            }
        }
    }
    load
}
