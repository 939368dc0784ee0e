//! Finds what one name leads to.

use std::sync::Arc;

use spokeshave_core::{Artifact, Locate as _, Location, PackagePath, Result, Tried};

use super::NodeKind;
use super::build::Builder;
use crate::facts::PeFacts;
use crate::search::Place;
use crate::system::{brings, is_api_set, is_python, is_windows};
use crate::target::Machine;

/// What a search came to.
#[derive(Default)]
pub(super) struct Found {
    /// The node, if there is one.
    pub to: Option<usize>,
    /// The rule that found it.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
}

impl Found {
    fn at(to: usize, rule: &str) -> Self {
        Found { to: Some(to), rule: rule.to_owned(), ..Found::default() }
    }
}

/// The rule of what the package has.
const SIBLING: &str = "sibling in the package";

impl Builder<'_> {
    /// What `name` leads to for the node `from` in a process for `machine`.
    ///
    /// # Errors
    /// When a file that would be it is damaged.
    pub(super) fn locate(&mut self, name: &str, from: usize, machine: Machine) -> Result<Found> {
        if is_api_set(name) {
            return Ok(Found::at(self.kept_out(NodeKind::Promised, name), "API set"));
        }
        if is_python(name) {
            return Ok(Found::at(self.kept_out(NodeKind::Promised, name), "Python itself"));
        }
        if let Some(sibling) = self.sibling(name, Some(from), machine) {
            return Ok(Found::at(sibling, SIBLING));
        }
        if let Some(rule) = self.promise(name, from, machine) {
            return Ok(Found::at(self.kept_out(NodeKind::Promised, name), rule));
        }
        if self.cx.options.exclude.matches_folded(name) {
            return Ok(Found::at(self.kept_out(NodeKind::Excluded, name), "--exclude"));
        }
        let node = self.nodes.get(from);
        let importer = node.map(|node| node.location.clone());
        let artifact = self.artifact(from);
        let (linked, is_output) = match artifact {
            Some(artifact) => (artifact.linked_paths.clone(), true),
            None => (self.all_linked(), false),
        };
        let places = self.search.places(name, importer.as_ref(), is_output, &linked, machine);
        self.first_of(places, machine)
    }

    /// What a name or path of `--include` leads to. What the package has already stays.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub(super) fn locate_included(&mut self, lib: &str, machine: Machine) -> Result<Found> {
        let name = lib.rsplit(['/', '\\']).next().unwrap_or(lib);
        if let Some(sibling) = self.sibling(name, None, machine) {
            return Ok(Found::at(sibling, SIBLING));
        }
        let places = match name == lib {
            true => {
                let linked = self.all_linked();
                self.search.places(name, None, true, &linked, machine)
            }
            false => vec![Place { path: lib.into(), rule: "--include".to_owned() }],
        };
        self.first_of(places, machine)
    }

    fn artifact(&self, node: usize) -> Option<&Artifact> {
        match self.nodes.get(node)?.kind {
            NodeKind::Artifact(index) => self.set.get(index),
            _ => None,
        }
    }

    fn all_linked(&self) -> Vec<std::path::PathBuf> {
        self.set.iter().flat_map(|artifact| artifact.linked_paths.iter().cloned()).collect()
    }

    /// Why the target has a library; `None` when it has it not.
    fn promise(&self, name: &str, from: usize, machine: Machine) -> Option<&'static str> {
        if is_windows(name, machine) {
            return Some("Windows brings it");
        }
        if brings(self.cx.claimed_pythons, machine, name) {
            return Some("the interpreter brings it");
        }
        // Only for Windows XP ("Overview of the Concurrency Runtime", Microsoft Learn).
        let importer = self.nodes.get(from)?.location.file_name();
        let unused =
            importer.eq_ignore_ascii_case("msvcp140.dll") && name.eq_ignore_ascii_case("concrt140.dll");
        unused.then_some("not used since Windows 7")
    }

    /// The binary of the package that has this name, in the importer's directory or else the first by its path.
    fn sibling(&self, name: &str, from: Option<usize>, machine: Machine) -> Option<usize> {
        let own = from.and_then(|from| self.artifact(from));
        let tree = own.map_or(PackagePath::root(), |own| own.tree.clone());
        let fits = |index: &&usize| {
            let node = self.nodes.get(**index);
            let artifact = self.artifact(**index);
            Some(**index) != from
                && node.is_some_and(|node| Machine::of(&node.facts) == Some(machine))
                && artifact.is_some_and(|artifact| artifact.tree == tree)
        };
        let all = self.siblings.get(&name.to_lowercase())?;
        let dir = |index: usize| self.artifact(index).map(|artifact| artifact.path.parent());
        let beside = |index: &&usize| own.is_some_and(|own| dir(**index) == Some(own.path.parent()));
        let mut fitting = all.iter().filter(fits);
        fitting.clone().find(beside).or_else(|| fitting.next()).copied()
    }

    /// The first of these files that serves.
    fn first_of(&mut self, places: Vec<Place>, machine: Machine) -> Result<Found> {
        let mut found = Found::default();
        for Place { path, rule } in places {
            let shown = path.display().to_string();
            match self.file(Location::Host(path), machine)? {
                Ok(node) => {
                    (found.to, found.rule) = (Some(node), rule);
                    break;
                }
                Err(why) => found.tried.push(Tried { path: shown, rule, why }),
            }
        }
        Ok(found)
    }

    /// The node of the file at `path`, or why it is not taken.
    fn file(&mut self, path: Location, machine: Machine) -> Result<Result<usize, String>> {
        let Some(found) = self.cx.files.find(&path) else { return Ok(Err("no such file".to_owned())) };
        if let Some(known) = self.by_id.get(&found.id).copied() {
            let facts = self.nodes.get(known).map(|node| node.facts.clone()).unwrap_or_default();
            return Ok(misfit(&facts, machine).map_or(Ok(known), Err));
        }
        let facts = match self.cx.cache.get::<PeFacts>(&found.id) {
            Some(facts) => facts,
            None => {
                let bytes = found.source.open().locate(&path)?;
                if !crate::backend::recognizes(&bytes, found.source.size()) {
                    return Ok(Err("not a PE file".to_owned()));
                }
                let facts = Arc::new(PeFacts::read(&bytes).locate(&path)?);
                self.cx.cache.insert(found.id.clone(), facts.clone());
                facts
            }
        };
        if let Some(why) = misfit(&facts, machine) {
            return Ok(Err(why));
        }
        let globs = &self.cx.options.exclude;
        let names = [path.file_name(), path.to_string(), found.real.file_name(), found.real.to_string()];
        let kind = match names.iter().any(|name| globs.matches_folded(name)) {
            true => NodeKind::Excluded,
            false => NodeKind::Library,
        };
        Ok(Ok(self.push(kind, path.file_name(), path, found, facts)))
    }
}

/// Why a file can't serve a process; `None` when it can.
fn misfit(facts: &PeFacts, machine: Machine) -> Option<String> {
    if let Some(inert) = facts.inert {
        return Some(format!("no library ({inert})"));
    }
    let own = Machine::of(facts) == Some(machine);
    (!own).then(|| format!("other machine ({})", facts.machine_name()))
}
