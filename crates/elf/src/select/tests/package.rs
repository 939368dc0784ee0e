//! A package and its surroundings, made by hand.

use std::path::PathBuf;
use std::sync::Arc;

use object::elf;
use spokeshave_core::{Bytes, Globs, Location, PackagePath};

use crate::closure::{Closure, Edge, Node};
use crate::facts::{ElfFacts, VersionNeed};
use crate::select::{Request, Selection, select};
use crate::target::{Architecture, Libc, Target};

/// A closure in the making. References are resolved by name when it is done: to a file of the package of that name,
/// then to a library of the host; else nowhere.
#[derive(Clone)]
pub struct Package {
    pub target: Target,
    pub nodes: Vec<Node>,
}

/// What the tests ask for.
#[derive(Clone, Default)]
pub struct Ask<'a> {
    pub plat: Option<&'a str>,
    pub only_plat: bool,
    pub ignore_isa: bool,
    pub exclude: &'a [&'a str],
    pub claimed: &'a [&'a str],
}

impl Package {
    pub fn new(architecture: Architecture, libc: Libc) -> Self {
        Package { target: Target { architecture: Some(architecture), libc }, nodes: Vec::new() }
    }

    pub fn x86_64() -> Self {
        Package::new(Architecture::X86_64, Libc::Glibc)
    }

    fn node(&self, location: Location, artifact: Option<usize>, needs: &[&str]) -> Node {
        let (machine, is_64, big_endian) = match self.target.architecture.unwrap() {
            Architecture::X86_64 => (elf::EM_X86_64, true, false),
            Architecture::Aarch64 => (elf::EM_AARCH64, true, false),
            Architecture::I686 => (elf::EM_386, false, false),
            Architecture::Ppc64 => (elf::EM_PPC64, true, true),
            other => panic!("{other} is not used here"),
        };
        let facts = ElfFacts {
            machine: machine.0,
            is_64,
            big_endian,
            dynamic: true,
            needed: needs.iter().map(|n| (*n).to_owned()).collect(),
            ..ElfFacts::default()
        };
        let edge =
            |n: &&str| Edge { name: (*n).to_owned(), to: None, rule: String::new(), tried: Vec::new() };
        Node {
            artifact,
            name: location.file_name(),
            aliases: vec![location.file_name()],
            real: location.clone(),
            location,
            source: Arc::new(Bytes::from(Vec::new())),
            mode: 0o755,
            facts: Arc::new(facts),
            needs: needs.iter().map(edge).collect(),
            variants: Vec::new(),
            included: None,
        }
    }

    /// A file of the package.
    pub fn file(mut self, path: &str, needs: &[&str]) -> Self {
        let location = Location::Package(PackagePath::new(path).unwrap());
        let node = self.node(location, Some(self.nodes.len()), needs);
        self.nodes.push(node);
        self
    }

    /// A library of the host.
    pub fn host(mut self, name: &str, needs: &[&str]) -> Self {
        let node = self.node(Location::Host(PathBuf::from("/usr/lib").join(name)), None, needs);
        self.nodes.push(node);
        self
    }

    /// Changes the facts of the last file.
    pub fn with(mut self, change: impl FnOnce(&mut ElfFacts)) -> Self {
        let node = self.nodes.last_mut().unwrap();
        let mut facts = ElfFacts::clone(&node.facts);
        change(&mut facts);
        node.facts = Arc::new(facts);
        self
    }

    /// The last file asks `library` for versions.
    pub fn versions(self, library: &str, versions: &[&str]) -> Self {
        let need = VersionNeed {
            file: library.to_owned(),
            versions: versions.iter().map(|v| (*v).to_owned()).collect(),
        };
        self.with(|facts| facts.version_needs.push(need))
    }

    /// The last file is linked with a narrow Python 2.
    pub fn narrow_python(self, symbol: &str) -> Self {
        self.with(|facts| facts.narrow_python = Some(symbol.to_owned()))
    }

    /// The last file asks for symbols.
    pub fn undefined(self, symbols: &[&str]) -> Self {
        self.with(|facts| facts.undefined.extend(symbols.iter().map(|s| (*s).to_owned())))
    }

    /// The last file is carried because of `--include`.
    pub fn included(mut self) -> Self {
        self.nodes.last_mut().unwrap().included = Some(0);
        self
    }

    pub fn closure(&self) -> Closure {
        let mut nodes = self.nodes.clone();
        let names: Vec<String> = nodes.iter().map(|n| n.name.clone()).collect();
        for edge in nodes.iter_mut().flat_map(|n| &mut n.needs) {
            edge.to = names.iter().position(|n| *n == edge.name);
        }
        Closure { nodes, outputs: false }
    }

    /// The node of a name.
    pub fn index(&self, name: &str) -> usize {
        self.nodes.iter().position(|n| n.name == name).unwrap()
    }

    pub fn ask(&self, ask: &Ask<'_>) -> Selection {
        let claimed: Vec<String> = ask.claimed.iter().map(|t| (*t).to_owned()).collect();
        let exclude = Globs::new(ask.exclude).unwrap();
        let request = Request {
            plat: ask.plat,
            only_plat: ask.only_plat,
            ignore_isa: ask.ignore_isa,
            exclude: &exclude,
            claimed: &claimed,
        };
        let namer = |_: usize, _: &str, version: &str| (version == "GLIBC_2.14").then(|| "memcpy".to_owned());
        select(&self.closure(), &self.target, &request, &namer).unwrap()
    }

    pub fn auto(&self) -> Selection {
        self.ask(&Ask::default())
    }

    pub fn plat(&self, plat: &str) -> Selection {
        self.ask(&Ask { plat: Some(plat), ..Ask::default() })
    }
}

impl Selection {
    /// The names of the nodes that are carried.
    pub fn carried(&self, package: &Package) -> Vec<String> {
        let external = crate::select::NodeRole::Library(spokeshave_core::Role::External);
        let pairs = self.roles.iter().zip(&package.nodes);
        pairs.filter(|(role, _)| **role == external).map(|(_, node)| node.name.clone()).collect()
    }

    pub fn refused(&self) -> String {
        let error = self.refusal.as_ref().expect("it should be refused");
        format!("{error}\nhint: {}", error.hint.as_deref().unwrap_or_default())
    }
}
