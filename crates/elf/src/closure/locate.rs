//! Finds what one name leads to.

use std::path::PathBuf;
use std::sync::Arc;

use spokeshave_core::{Found, Locate as _, Location, Result, Tried};

use super::build::Builder;
use crate::facts::ElfFacts;
use crate::search::{Paths, Place, SIBLING, misfit, order, path_of_need};
use crate::target::Libc;

/// What a search came to.
#[derive(Default)]
pub(super) struct Search {
    /// The node, if there is one.
    pub to: Option<usize>,
    /// The rule that found it.
    pub rule: String,
    /// What was looked at before.
    pub tried: Vec<Tried>,
}

/// The libraries that musl's loader contains: `libc.so`, `libpthread.so.0`, `libc.musl-x86_64.so.1`, …
/// (`load_library` in musl's `ldso/dynlink.c`).
const MUSL_OWN: [&str; 7] = ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];

impl Builder<'_> {
    /// Searches `name` for the node `from`, whose chain of search paths is `chain`.
    ///
    /// Build outputs that are named together belong together, whatever a search path of the build's directories or a
    /// copy that is installed on this host says.
    pub(super) fn search(&mut self, name: &str, from: Option<usize>, chain: &[Arc<Paths>]) -> Result<Search> {
        if self.outputs {
            let mut search = Search::default();
            self.by_sibling(name, from, &mut search);
            if search.to.is_some() {
                return Ok(search);
            }
        }
        let mut search = self.search_by_rules(name, from, chain)?;
        if search.to.is_none() {
            self.by_sibling(name, from, &mut search);
        }
        Ok(search)
    }

    /// The same, by the loader's rules alone.
    pub(super) fn search_by_rules(
        &mut self,
        name: &str,
        from: Option<usize>,
        chain: &[Arc<Paths>],
    ) -> Result<Search> {
        let mut search = Search::default();
        if name.contains('/') {
            self.by_path(name, from, &mut search)?;
        } else {
            self.by_name(name, from, chain, &mut search)?;
        }
        Ok(search)
    }

    fn by_path(&mut self, name: &str, from: Option<usize>, search: &mut Search) -> Result<()> {
        const RULE: &str = "path in DT_NEEDED";
        let Some(location) = from.and_then(|from| self.nodes.get(from)).map(|node| node.location.clone())
        else {
            return Ok(());
        };
        match path_of_need(name, &location, self.around()) {
            Ok(path) => self.try_candidate(name, path, RULE, from, search).map(|_| ()),
            Err((path, why)) => {
                search.tried.push(Tried { path, rule: RULE.to_owned(), why: why.to_owned() });
                Ok(())
            }
        }
    }

    fn by_name(
        &mut self,
        name: &str,
        from: Option<usize>,
        chain: &[Arc<Paths>],
        search: &mut Search,
    ) -> Result<()> {
        if self.env.target.libc == Libc::Musl && MUSL_OWN.iter().any(|own| name.starts_with(own)) {
            let arch = self.env.target.architecture.map_or("", |arch| arch.musl_name());
            let path = self.cx.files.in_sysroot(&format!("/lib/ld-musl-{arch}.so.1"));
            if self.try_candidate(name, Location::Host(path), "the loader itself", from, search)? {
                return Ok(());
            }
        }
        let loader = from.and_then(|from| self.nodes.get(from)).map(|node| node.facts.clone());
        let chain: Vec<&Paths> = chain.iter().map(Arc::as_ref).collect();
        for place in order(name, &chain, loader.as_deref(), self.env) {
            let Place { dir, rule, .. } = place.as_ref();
            let dir = match dir {
                Ok(dir) => dir,
                Err((path, why)) => {
                    let tried = Tried { path: path.clone(), rule: rule.clone(), why: (*why).to_owned() };
                    search.tried.push(tried);
                    continue;
                }
            };
            let Some(path) = join(dir, name) else { continue };
            let Some(hwcaps) = self.hwcaps(dir) else {
                let why = "no such directory".to_owned();
                search.tried.push(Tried { path: path.to_string(), rule: rule.clone(), why });
                continue;
            };
            let before = self.nodes.len();
            if self.try_candidate(name, path, rule, from, search)? {
                if let Some(node) = self.nodes.get_mut(before) {
                    node.variants = variants(self.cx.files, dir, &hwcaps, name);
                }
                return Ok(());
            }
            for variant in variants(self.cx.files, dir, &hwcaps, name) {
                let why = "only for better processors".to_owned();
                search.tried.push(Tried { path: variant.display().to_string(), rule: rule.clone(), why });
            }
        }
        Ok(())
    }

    /// The one artifact of that file name, or else of that soname; of several, the one in the same directory.
    pub(super) fn by_sibling(&self, name: &str, from: Option<usize>, search: &mut Search) {
        let name = name.rsplit('/').next().unwrap_or(name);
        let fits = |index: &usize| Some(*index) != from && self.misfit(*index, from).is_none();
        let mut found: Vec<usize> =
            self.siblings.get(name).into_iter().flatten().copied().filter(fits).collect();
        // The directory and the file name in the package.
        let parts = |index: usize| {
            let path = self.nodes.get(index).map(|node| node.name.as_str()).unwrap_or_default();
            path.rsplit_once('/').unwrap_or(("", path))
        };
        narrow(&mut found, |index| parts(index).1 == name);
        if let Some(from) = from {
            narrow(&mut found, |index| parts(index).0 == parts(from).0);
        }
        match found.as_slice() {
            [] => {}
            [only] => (search.to, search.rule) = (Some(*only), SIBLING.to_owned()),
            several => {
                let paths =
                    several.iter().filter_map(|index| self.nodes.get(*index)).map(|node| node.name.clone());
                let why = "one of several of that name";
                let tried = paths.map(|path| Tried { path, rule: SIBLING.to_owned(), why: why.to_owned() });
                search.tried.extend(tried);
            }
        }
    }

    /// [`Builder::candidate`], noted in `search`; whether it was taken.
    pub(super) fn try_candidate(
        &mut self,
        name: &str,
        path: Location,
        rule: &str,
        from: Option<usize>,
        search: &mut Search,
    ) -> Result<bool> {
        let shown = path.to_string();
        let on_host = matches!(path, Location::Host(_));
        match self.candidate(name, path, from)? {
            Ok(node) => {
                // The host has a copy of what the package brings: the loader's way to it ends on this host.
                let copy = on_host
                    && self.nodes.get(node).is_some_and(|n| matches!(n.location, Location::Package(_)));
                (search.to, search.rule) = (Some(node), if copy { SIBLING } else { rule }.to_owned());
            }
            Err(why) => search.tried.push(Tried { path: shown, rule: rule.to_owned(), why }),
        }
        Ok(search.to.is_some())
    }

    /// The node of the file at `path`, or why it is not taken.
    fn candidate(
        &mut self,
        name: &str,
        path: Location,
        from: Option<usize>,
    ) -> Result<Result<usize, String>> {
        let Some(found) = self.cx.files.find(&path) else { return Ok(Err("no such file".to_owned())) };
        if let Some(known) = self.by_id.get(&found.id).copied() {
            return Ok(self.misfit(known, from).map_or(Ok(known), Err));
        }
        let facts = match self.cx.cache.get::<ElfFacts>(&found.id) {
            Some(facts) => facts,
            None => {
                let bytes = found.source.open().locate(&path)?;
                if !bytes.starts_with(&object::elf::ELFMAG) {
                    return Ok(Err("not an ELF file".to_owned()));
                }
                let facts = Arc::new(ElfFacts::read(&bytes).locate(&path)?);
                self.cx.cache.insert(found.id.clone(), facts.clone());
                facts
            }
        };
        let loader = from.and_then(|from| self.nodes.get(from)).map(|node| node.facts.clone());
        if let Some(why) = loader.and_then(|loader| misfit(&loader, &facts, self.env.target.libc)) {
            return Ok(Err(why));
        }
        let name = name.rsplit('/').next().unwrap_or(name);
        if let Some(artifact) = self.copied_from(name, &found, &facts)? {
            return Ok(Ok(artifact));
        }
        Ok(Ok(self.push(name.to_owned(), path, found, facts)))
    }

    /// The artifact of the package that has the same bytes as the host's file `found`: builds leave search paths that
    /// lead to where the artifacts came from, and no second copy is carried.
    fn copied_from(&self, name: &str, found: &Found, facts: &ElfFacts) -> Result<Option<usize>> {
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

    fn misfit(&self, candidate: usize, from: Option<usize>) -> Option<String> {
        let loader = self.nodes.get(from?)?;
        misfit(&loader.facts, &self.nodes.get(candidate)?.facts, self.env.target.libc)
    }

    /// The names in `glibc-hwcaps` of a directory; `None` when the directory does not exist.
    fn hwcaps(&mut self, dir: &Location) -> Option<Vec<String>> {
        if let Some(known) = self.directories.get(dir) {
            return known.clone();
        }
        let files = self.cx.files;
        let names = files.is_dir(dir).then(|| match (self.env.target.libc, dir) {
            (Libc::Glibc, Location::Host(path)) => files.list(&Location::Host(path.join("glibc-hwcaps"))),
            _ => Vec::new(),
        });
        self.directories.insert(dir.clone(), names.clone());
        names
    }
}

/// Keeps the candidates that are `better`, if there are any.
fn narrow(candidates: &mut Vec<usize>, better: impl Fn(usize) -> bool) {
    if candidates.iter().any(|index| better(*index)) {
        candidates.retain(|index| better(*index));
    }
}

/// `name` in the directory `dir`; `None` when the package can't have such a name.
fn join(dir: &Location, name: &str) -> Option<Location> {
    match dir {
        Location::Package(dir) => dir.join(name).ok().map(Location::Package),
        Location::Host(dir) => Some(Location::Host(dir.join(name))),
    }
}

/// The builds of `name` for better processors in `dir`.
fn variants(files: &spokeshave_core::Files, dir: &Location, hwcaps: &[String], name: &str) -> Vec<PathBuf> {
    let Location::Host(dir) = dir else { return Vec::new() };
    let paths = hwcaps.iter().map(|level| dir.join("glibc-hwcaps").join(level).join(name));
    paths.filter(|path| files.find(&Location::Host(path.clone())).is_some()).collect()
}
