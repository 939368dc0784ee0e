//! The policies of one target, turned round: for each name, the first policy that allows it.

use std::collections::{BTreeMap, HashMap};

use spokeshave_core::Result;

use super::{file, names};
use crate::target::{Architecture, Libc, Target};

/// The policies of one target, strictest first. A policy is named by its index; the index [`Policies::len`] stands for
/// the plain `linux` tag, which allows everything. What one policy allows, all later ones do.
#[derive(Debug)]
pub struct Policies {
    target: Target,
    /// By index: the tag, then its aliases, all with their architecture.
    tags: Vec<Vec<String>>,
    pub(super) libraries: HashMap<String, usize>,
    pub(super) versions: HashMap<String, usize>,
    /// By library, by symbol: the first policy that allows it.
    pub(super) forbidden: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Policies {
    /// The policies of `target`; none when no policy knows its architecture.
    ///
    /// # Errors
    /// When the data that this program was built with are damaged.
    pub fn load(target: &Target) -> Result<Self> {
        let mut policies = Policies {
            target: *target,
            tags: Vec::new(),
            libraries: HashMap::new(),
            versions: HashMap::new(),
            forbidden: BTreeMap::new(),
        };
        let architecture = target.architecture.map(Architecture::name);
        for entry in file::read(target.libc)? {
            policies.add(entry, architecture);
        }
        // What no policy frees is allowed by the plain tag.
        let last = policies.tags.len();
        for until in policies.forbidden.values_mut().flat_map(BTreeMap::values_mut) {
            *until = (*until).min(last);
        }
        Ok(policies)
    }

    fn add(&mut self, entry: file::Entry, architecture: Option<&str>) {
        // A policy that the architecture lacks adds to the next one that it has.
        let index = self.tags.len();
        for library in entry.libraries {
            let soname = names::soname(self.target.libc, self.target.architecture, &library);
            self.libraries.entry(soname).or_insert(index);
        }
        for (library, symbols) in entry.forbids {
            let known = self.forbidden.entry(library).or_default();
            known.extend(symbols.split_whitespace().map(|symbol| (symbol.to_owned(), usize::MAX)));
        }
        for (library, symbols) in entry.frees {
            let known = self.forbidden.entry(library).or_default();
            known.extend(symbols.split_whitespace().map(|symbol| (symbol.to_owned(), index)));
        }
        let Some(architecture) = architecture else { return };
        for (namespace, versions) in entry.versions.get(architecture).into_iter().flatten() {
            for version in versions.split_whitespace() {
                self.versions.entry(format!("{namespace}_{version}")).or_insert(index);
            }
        }
        if entry.architectures.iter().any(|a| a == architecture) {
            let suffix = match self.target.libc {
                Libc::Android => android_abi(architecture),
                _ => architecture,
            };
            let names = std::iter::once(&entry.name).chain(&entry.aliases);
            self.tags.push(names.map(|name| format!("{name}_{suffix}")).collect());
        }
    }

    /// How many there are, the plain tag not counted.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// What they are for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The tags of a policy: its name, then its aliases. For the plain tag `linux_<architecture>`.
    pub fn tags(&self, policy: usize) -> Vec<String> {
        match self.tags.get(policy) {
            Some(tags) => tags.clone(),
            None => self.target.architecture.iter().map(|a| format!("linux_{a}")).collect(),
        }
    }

    /// The name of a policy; `None` for the plain tag.
    pub fn name(&self, policy: usize) -> Option<&str> {
        self.tags.get(policy)?.first().map(String::as_str)
    }

    /// The policy that has this tag as its name or alias.
    pub fn find(&self, tag: &str) -> Option<usize> {
        self.tags.iter().position(|tags| tags.iter().any(|t| t == tag))
    }

    /// The policy whose promises a claimed tag stands for: its own, or for a version without a policy the next stricter
    /// one. `None` for a tag of another family or architecture.
    pub fn promise_of(&self, tag: &str) -> Option<usize> {
        if let Some(policy) = self.find(tag) {
            return Some(policy);
        }
        let (family, version, suffix) = parts(tag)?;
        (0..self.len()).rfind(|policy| {
            let known = self.name(*policy).and_then(parts);
            known.is_some_and(|known| known.0 == family && known.2 == suffix && known.1 <= version)
        })
    }

    /// The first policy that promises a library; may be the plain tag. `None` when none does.
    pub fn promised_from(&self, soname: &str) -> Option<usize> {
        let itself = is_loader_or_libc(self.target.libc, soname);
        if itself { Some(0) } else { self.libraries.get(soname).copied() }
    }

    /// The first policy that allows a symbol version of a promised library; the plain tag when none does.
    pub fn version_from(&self, version: &str) -> usize {
        // musl's loader does not look at versions, and its policies say nothing of them.
        if self.versions.is_empty() { 0 } else { self.versions.get(version).copied().unwrap_or(self.len()) }
    }

    /// By symbol, the first policy under which a binary may ask `soname` for it, for those that not all allow.
    pub fn forbidden(&self, soname: &str) -> Option<&BTreeMap<String, usize>> {
        self.forbidden.get(soname)
    }
}

fn is_loader_or_libc(libc: Libc, soname: &str) -> bool {
    names::is_loader(soname) || (libc == Libc::Musl && names::is_musl_itself(soname))
}

/// `manylinux`, `(2, 17)` and `x86_64` of `manylinux_2_17_x86_64`.
fn parts(tag: &str) -> Option<(&str, (u32, u32), &str)> {
    let mut parts = tag.splitn(4, '_');
    let (family, major, minor) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((family, (major, minor), parts.next()?))
}

/// The name of an architecture in Android's tags (PEP 738).
fn android_abi(architecture: &str) -> &str {
    match architecture {
        "aarch64" => "arm64_v8a",
        "armv7l" => "armeabi_v7a",
        "i686" => "x86",
        other => other,
    }
}
