//! Finds what one name leads to.

use std::sync::Arc;

use spokeshave_core::{Found, Locate as _, Location, Result, Tried};

use super::NodeKind;
use super::build::{Builder, Load, leaf};
use crate::facts::MachoFacts;
use crate::search::{LOADED, SIBLING, in_cache, is_python, order, system_path};
use crate::target::{archs, runs_on_macos, slice_for};

/// What a search came to.
#[derive(Default)]
pub(super) struct Search {
    /// The node, if there is one.
    pub to: Option<usize>,
    /// The rule that found it.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
    /// See [`super::Edge::stays`].
    pub stays: bool,
    /// Whether another load may find something else.
    pub by_load: bool,
}

impl Search {
    fn found(to: usize, rule: &str) -> Self {
        Search { to: Some(to), rule: rule.to_owned(), ..Search::default() }
    }
}

impl Builder<'_> {
    /// Searches `name` for the node `from` in a process.
    pub(super) fn search(&mut self, name: &str, from: usize, load: &Load) -> Result<Search> {
        if let Some(system) = system_path(name) {
            let at = Location::Host(self.cx.files.in_sysroot(system));
            return Ok(Search::found(self.push_kept_out(NodeKind::Promised, at), "macOS brings it"));
        }
        let places = order(name, &self.chain(load, from), self.around(load), self.env, &load.linked);
        let mut search = Search::default();
        let python = is_python(name);
        for place in places {
            if python && !place.in_package() {
                break;
            }
            match &place.at {
                Ok(at) => {
                    let in_package = place.in_package();
                    if self.try_file(at.clone(), &place.rule, load, &mut search)? {
                        search.stays &= in_package;
                        search.by_load = place.by_load;
                        break;
                    }
                    search.by_load |= place.by_load;
                }
                Err((path, why)) => {
                    search.by_load |= place.by_load;
                    search.tried.push(Tried {
                        path: path.clone(),
                        rule: place.rule.clone(),
                        why: (*why).to_owned(),
                    });
                }
            }
        }
        if search.to.is_none() && python {
            let at = Location::Host(name.into());
            return Ok(Search::found(self.push_kept_out(NodeKind::Promised, at), "Python itself"));
        }
        if search.to.is_none() {
            if let Some(node) = load.installed.get(name) {
                (search.to, search.rule) = (Some(*node), LOADED.to_owned());
            } else {
                self.by_sibling(leaf(name), from, load, &mut search);
            }
        }
        self.keep_out(name, &mut search);
        Ok(search)
    }

    /// Leaves to the target what `--exclude` names, by the name that is asked for, its file name or its path.
    fn keep_out(&mut self, name: &str, search: &mut Search) {
        let globs = &self.cx.options.exclude;
        let asked = globs.matches(name) || globs.matches(leaf(name));
        match search.to.and_then(|to| self.nodes.get_mut(to)) {
            None if asked => {
                let tried = std::mem::take(&mut search.tried);
                let at = Location::Host(name.into());
                *search = Search::found(self.push_kept_out(NodeKind::Excluded, at), "--exclude");
                search.tried = tried;
            }
            Some(node) if node.kind == NodeKind::Library => {
                let at = |l: &Location| globs.matches(&l.file_name()) || globs.matches(&l.to_string());
                if asked || at(&node.location) || at(&node.real) {
                    node.kind = NodeKind::Excluded;
                }
            }
            _ => {}
        }
    }

    /// The one artifact of that file name that fits; of several, the one in the same directory.
    pub(super) fn by_sibling(&self, name: &str, from: usize, load: &Load, search: &mut Search) {
        let fits = |index: &usize| *index != from && self.slice_in(load, *index).is_some();
        let mut found: Vec<usize> =
            self.siblings.get(name).into_iter().flatten().copied().filter(fits).collect();
        let path = |index: usize| self.nodes.get(index).map(|node| node.name.as_str()).unwrap_or_default();
        let dir = |index: usize| path(index).rsplit_once('/').map_or("", |(dir, _)| dir);
        if found.iter().any(|index| dir(*index) == dir(from)) {
            found.retain(|index| dir(*index) == dir(from));
        }
        match found.as_slice() {
            [] => {}
            [only] => (search.to, search.rule) = (Some(*only), SIBLING.to_owned()),
            several => search.tried.extend(several.iter().map(|index| Tried {
                path: path(*index).to_owned(),
                rule: SIBLING.to_owned(),
                why: "one of several of that name".to_owned(),
            })),
        }
    }

    /// Takes the file at `path`, if it serves, and notes in `search` what came of it; whether it was taken.
    pub(super) fn try_file(
        &mut self,
        path: Location,
        rule: &str,
        load: &Load,
        search: &mut Search,
    ) -> Result<bool> {
        let shown = path.to_string();
        match self.file(path, load)? {
            Ok(node) => {
                let inside = self.nodes.get(node).is_some_and(|n| matches!(n.location, Location::Package(_)));
                (search.to, search.rule, search.stays) = (Some(node), rule.to_owned(), inside);
            }
            Err(why) => search.tried.push(Tried { path: shown, rule: rule.to_owned(), why }),
        }
        Ok(search.to.is_some())
    }

    /// The node of the file at `path`, or why it is not taken.
    fn file(&mut self, path: Location, load: &Load) -> Result<Result<usize, String>> {
        if let Some(system) = self.system(&path) {
            return Ok(system);
        }
        let Some(found) = self.cx.files.find(&path) else { return Ok(Err("no such file".to_owned())) };
        if let Some(system) = self.system(&found.real) {
            return Ok(system);
        }
        if let Some(known) = self.by_id.get(&found.id).copied() {
            let facts = self.nodes.get(known).map(|node| node.facts.clone()).unwrap_or_default();
            return Ok(misfit(&facts, load).map_or(Ok(known), Err));
        }
        let facts = match self.cx.cache.get::<MachoFacts>(&found.id) {
            Some(facts) => facts,
            None => {
                let bytes = found.source.open().locate(&path)?;
                if !crate::image::recognizes(&bytes) {
                    return Ok(Err("not a Mach-O file".to_owned()));
                }
                let facts = Arc::new(MachoFacts::read(&bytes).locate(&path)?);
                self.cx.cache.insert(found.id.clone(), facts.clone());
                facts
            }
        };
        if let Some(why) = misfit(&facts, load) {
            return Ok(Err(why));
        }
        let name = path.file_name();
        if let Some(artifact) = self.copied_from(&name, &found, &facts)? {
            return Ok(Ok(artifact));
        }
        Ok(Ok(self.push(NodeKind::Library, name, path, found, facts)))
    }

    /// What becomes of a path when it is the system's; `None` when it is not.
    fn system(&mut self, path: &Location) -> Option<Result<usize, String>> {
        let Location::Host(host) = path else { return None };
        let target = self.cx.files.target_path(host);
        let system = system_path(target.to_str()?)?.to_owned();
        let named = self.env.lib_dirs.iter().any(|dir| host.starts_with(dir));
        if named && !host.to_str()?.contains(".sdk/") {
            return None;
        }
        let stub = Location::Host(host.with_extension("tbd"));
        let there = in_cache(&system) || [path, &stub].into_iter().any(|at| self.cx.files.find(at).is_some());
        if !there {
            return Some(Err("no such file".to_owned()));
        }
        let at = Location::Host(self.cx.files.in_sysroot(&system));
        Some(Ok(self.push_kept_out(NodeKind::Promised, at)))
    }

    /// The artifact of the package that has the same bytes as the host's file `found`: builds leave names that lead to
    /// where the artifacts came from, and no second copy is carried.
    fn copied_from(&self, name: &str, found: &Found, facts: &MachoFacts) -> Result<Option<usize>> {
        if matches!(found.real, Location::Package(_)) {
            return Ok(None);
        }
        for index in self.siblings.get(name).into_iter().flatten() {
            let Some(node) = self.nodes.get(*index) else { continue };
            if *node.facts == *facts && node.source.size() == found.source.size() {
                let (artifact, host) = (node.source.open()?, found.source.open()?);
                if *artifact == *host {
                    return Ok(Some(*index));
                }
            }
        }
        Ok(None)
    }
}

/// Why a file can't serve a process; `None` when it can. dyld passes such a file over and goes on.
fn misfit(facts: &MachoFacts, load: &Load) -> Option<String> {
    if let Some(inert) = facts.inert {
        return Some(format!("no library ({inert})"));
    }
    if slice_for(load.arch, facts).is_some() {
        return None;
    }
    if !facts.slices.iter().any(runs_on_macos) {
        return Some("built for another system than macOS".to_owned());
    }
    Some(format!("no {} slice ({})", load.arch, archs(facts)))
}
