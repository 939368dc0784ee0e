//! Thin libraries for several processors, found under one name, become one fat file: as `lipo -create` makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spokeshave_core::{ByteSource, Bytes, Locate as _, Result};

use super::build::leaf;
use super::{Node, NodeKind};
use crate::facts::{Arch, MachoFacts};
use crate::lipo::{self, Places};

/// Puts the fat file of each set of thin libraries in the place of the first of them, until none is left: what two
/// thin libraries need is needed by one file once they are joined.
///
/// # Errors
/// When a library can't be read, or they are too large for one file.
pub fn join(nodes: &mut [Node]) -> Result<()> {
    loop {
        let groups = groups(nodes);
        if groups.is_empty() {
            return Ok(());
        }
        for group in groups {
            join_group(nodes, group)?;
        }
    }
}

fn join_group(nodes: &mut [Node], mut group: Vec<usize>) -> Result<()> {
    let arch = |index: &usize| nodes.get(*index)?.facts.slices.first().map(|slice| slice.arch);
    group.sort_by_key(|index| arch(index).map(lipo::order));
    let Some(first) = group.iter().min().copied() else { return Ok(()) };
    let parts: Vec<(Arch, Arc<dyn ByteSource>)> =
        group.iter().filter_map(|index| Some((arch(index)?, nodes.get(*index)?.source.clone()))).collect();
    let needs = group.iter().filter_map(|index| nodes.get(*index)?.needs.first().cloned()).collect();
    let aliases: BTreeSet<String> =
        group.iter().filter_map(|index| nodes.get(*index)).flat_map(|node| node.aliases.clone()).collect();
    let included = group.iter().find_map(|index| nodes.get(*index)?.included);
    let Some(at) = nodes.get(first).map(|node| node.real.to_string()) else { return Ok(()) };
    let fat = Fat::new(parts).locate(&at)?;
    let facts = Arc::new(MachoFacts::read(&fat.open()?).locate(&at)?);
    if let Some(node) = nodes.get_mut(first) {
        node.included = included;
        node.source = Arc::new(fat);
        node.facts = facts;
        node.needs = needs;
        node.aliases = aliases.into_iter().collect();
    }
    for index in group.iter().filter(|index| **index != first) {
        if let Some(node) = nodes.get_mut(*index) {
            node.kind = NodeKind::Unused;
            node.needs = Vec::new();
        }
    }
    for edge in nodes.iter_mut().flat_map(|node| &mut node.needs).flatten() {
        if edge.to.is_some_and(|to| group.contains(&to)) {
            edge.to = Some(first);
        }
    }
    Ok(())
}

/// The sets of thin libraries that slices of one file find under one file name (`/opt/homebrew` has other paths than
/// `/usr/local`). A library that belongs to two sets which
/// can't be one stays as it is: each slice names its own then.
fn groups(nodes: &[Node]) -> Vec<Vec<usize>> {
    let thin = |index: usize| {
        nodes
            .get(index)
            .is_some_and(|n| n.kind == NodeKind::Library && !n.facts.fat && n.facts.slices.len() == 1)
    };
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for node in nodes {
        let mut by_name: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for edge in node.needs.iter().flatten() {
            if let Some(to) = edge.to.filter(|to| thin(*to)) {
                by_name.entry(leaf(&edge.name)).or_default().insert(to);
            }
        }
        for set in by_name.into_values().filter(|set| set.len() > 1) {
            let (mut merged, apart): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| !group.is_disjoint(&set));
            merged.push(set);
            groups = apart;
            groups.push(merged.into_iter().flatten().collect());
        }
    }
    let arch = |index: &usize| nodes.get(*index)?.facts.slices.first().map(|slice| slice.arch.to_string());
    groups.retain(|group| group.iter().map(arch).collect::<BTreeSet<_>>().len() == group.len());
    groups.into_iter().map(|group| group.into_iter().collect()).collect()
}

/// A fat file that is made anew each time it is opened.
struct Fat {
    parts: Vec<Arc<dyn ByteSource>>,
    places: Places,
}

impl Fat {
    fn new(parts: Vec<(Arch, Arc<dyn ByteSource>)>) -> Result<Self> {
        let sizes: Vec<(Arch, u64)> = parts.iter().map(|(arch, source)| (*arch, source.size())).collect();
        Ok(Fat { places: Places::new(&sizes)?, parts: parts.into_iter().map(|(_, source)| source).collect() })
    }
}

impl ByteSource for Fat {
    fn size(&self) -> u64 {
        self.places.size
    }

    fn open(&self) -> Result<Bytes> {
        Ok(Bytes::from(self.places.fill(self.parts.iter().map(|part| part.open()))?))
    }
}
