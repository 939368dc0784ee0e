//! Where loads begin, and what they reach.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::build::{Builder, leaf};
use super::{Node, NodeKind};
use crate::target::CARRIED_ID;

impl Builder<'_> {
    /// The artifacts in the order in which they are tried as roots; what an earlier repair has carried comes last and
    /// counts for nothing before, as it did when it was outside.
    pub(super) fn roots(&self) -> Vec<usize> {
        let loadable = (0..self.nodes.len()).filter(|index| self.is_loadable(*index));
        let (carried, own): (BTreeSet<usize>, BTreeSet<usize>) =
            loadable.partition(|index| self.nodes.get(*index).is_some_and(is_carried));
        self.order(own).into_iter().chain(self.order(carried)).collect()
    }

    /// First those whose file name no other one needs, then those that only such ones need that are not reached in the
    /// end, and so on; of a circle that no other one needs the first.
    fn order(&self, mut loadable: BTreeSet<usize>) -> Vec<usize> {
        let reaches = |index: usize| -> BTreeSet<usize> {
            let slices = self.nodes.get(index).map_or(&[][..], |node| &node.facts.slices);
            let names =
                slices.iter().flat_map(|slice| slice.dylibs.iter().map(|(_, dylib)| leaf(&dylib.name)));
            let named = names.filter_map(|name| self.siblings.get(name)).flatten().copied();
            named.filter(|to| *to != index && loadable.contains(to)).collect()
        };
        let edges: BTreeMap<usize, BTreeSet<usize>> =
            loadable.iter().map(|index| (*index, reaches(*index))).collect();
        let mut wanted: HashMap<usize, usize> = HashMap::new();
        for to in edges.values().flatten() {
            *wanted.entry(*to).or_default() += 1;
        }
        let mut free: BTreeSet<usize> =
            loadable.iter().copied().filter(|i| wanted.get(i).is_none_or(|n| *n == 0)).collect();
        let mut order = Vec::new();
        while let Some(next) = free.pop_first().or_else(|| top(&loadable, &edges)) {
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
}

fn is_carried(node: &Node) -> bool {
    node.facts.slices.iter().filter_map(|slice| slice.id.as_ref()).any(|id| id.name.starts_with(CARRIED_ID))
}

/// The one of `loadable` that reaches most of them: no other one needs the circle that it is in.
fn top(loadable: &BTreeSet<usize>, edges: &BTreeMap<usize, BTreeSet<usize>>) -> Option<usize> {
    let reach = |from: usize| {
        let mut found = BTreeSet::from([from]);
        let mut queue = vec![from];
        while let Some(next) = queue.pop().and_then(|node| edges.get(&node)) {
            queue.extend(next.iter().copied().filter(|to| loadable.contains(to) && found.insert(*to)));
        }
        found.len()
    };
    loadable.iter().rev().copied().max_by_key(|index| reach(*index))
}

/// The nodes that the package needs: those below an artifact or an included library and not only below what stays out.
pub(super) fn reachable(nodes: &[Node]) -> BTreeSet<usize> {
    let root = |node: &Node| {
        matches!(node.kind, NodeKind::Artifact(_))
            || (node.kind == NodeKind::Library && node.included.is_some())
    };
    let mut queue: Vec<usize> =
        (0..nodes.len()).filter(|index| nodes.get(*index).is_some_and(root)).collect();
    let mut found: BTreeSet<usize> = queue.iter().copied().collect();
    while let Some(node) = queue.pop().and_then(|index| nodes.get(index)) {
        if matches!(node.kind, NodeKind::Artifact(_) | NodeKind::Library) {
            let needs = node.needs.iter().flatten().filter_map(|edge| edge.to);
            queue.extend(needs.filter(|to| found.insert(*to)));
        }
    }
    found
}
