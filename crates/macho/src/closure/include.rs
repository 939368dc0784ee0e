//! Libraries that no load command names: `--include`.

use std::collections::{BTreeSet, HashMap, VecDeque};

use spokeshave_core::{Error, Location, Result};

use super::NodeKind;
use super::build::{Builder, Load, leaf};
use super::locate::Search;
use crate::facts::Arch;

impl Builder<'_> {
    /// Adds the libraries of `--include`.
    pub(super) fn include(&mut self) -> Result<()> {
        let mut missing: Vec<String> = Vec::new();
        for (index, include) in self.cx.options.include.iter().enumerate() {
            let openers: Vec<usize> =
                (0..self.nodes.len()).filter(|n| self.is_artifact(*n) && self.is_loadable(*n)).collect();
            let mut tried: BTreeSet<String> = BTreeSet::new();
            let mut found: BTreeSet<usize> = BTreeSet::new();
            // Each processor may find a file of its own.
            let mut done: BTreeSet<Arch> = BTreeSet::new();
            for opener in openers {
                for slice in self.slices(opener) {
                    let Some(arch) =
                        self.nodes.get(opener).and_then(|node| node.facts.slices.get(slice)).map(|s| s.arch)
                    else {
                        continue;
                    };
                    if done.contains(&arch) {
                        continue;
                    }
                    let search = self.search_included(&include.lib, opener, arch)?;
                    match search.to {
                        Some(to) => {
                            done.insert(arch);
                            found.insert(to);
                        }
                        None => tried.extend(search.tried.iter().map(|t| format!("{}: {}", t.path, t.why))),
                    }
                }
            }
            if found.is_empty() {
                let tried: Vec<String> = tried.into_iter().collect();
                missing.push(format!("{} (looked at: {})", include.lib, tried.join(", ")));
            }
            for node in found {
                if let Some(node) = self.nodes.get_mut(node).filter(|node| node.kind == NodeKind::Library) {
                    node.included.get_or_insert(index);
                }
                self.load_all(node)?;
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

    /// What a name of `--include` leads to when `opener` opens it: a name is looked for as dyld does for `dlopen`; a
    /// path leads to what the package has under that file name, so that a package that carries it already stays.
    fn search_included(&mut self, lib: &str, opener: usize, arch: Arch) -> Result<Search> {
        let load = Load {
            arch,
            executable: self.env.executable_path.clone().map(Location::Host),
            linked: self.linked.get(opener).cloned().unwrap_or_default(),
            installed: HashMap::new(),
            loader: HashMap::new(),
            queue: VecDeque::new(),
        };
        if !lib.contains('/') {
            return self.search(&format!("@rpath/{lib}"), opener, &load);
        }
        let mut search = Search::default();
        self.by_sibling(leaf(lib), opener, &load, &mut search);
        if search.to.is_none() {
            self.try_file(Location::Host(lib.into()), "--include", &load, &mut search)?;
        }
        Ok(search)
    }
}
