//! What a file asks for that not every policy allows.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::Node;
use crate::policy::Policies;
use crate::target::Architecture;

/// One thing that bars the policies `from..until` if the file counts under them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What it is.
    pub what: What,
    /// The first policy that it bars.
    pub from: usize,
    /// The first policy that allows it; the plain tag allows everything.
    pub until: usize,
    /// The node that provides what is asked for. If it is carried, the bar is gone.
    pub provider: Option<usize>,
}

/// What bars a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A symbol version (`GLIBC_2.34`) of a promised library.
    Version {
        /// The library, `vn_file`.
        library: String,
        /// `vna_name`.
        version: String,
    },
    /// A symbol that the promised library need not have.
    Forbidden {
        /// The library.
        library: String,
        /// The symbol.
        symbol: String,
    },
    /// A processor level above the architecture's baseline: `x86-64-v3`.
    Isa(String),
    /// A symbol of a Python built in a way that the tags leave out.
    Python(String),
}

impl Bar {
    /// Whether it bars this policy when the nodes of `carried` are carried.
    pub fn bars(&self, policy: usize, carried: &BTreeSet<usize>) -> bool {
        (self.from..self.until).contains(&policy) && self.provider.is_none_or(|node| !carried.contains(&node))
    }
}

/// The node that each needed name leads to.
type Providers<'a> = BTreeMap<&'a str, Option<usize>>;

/// What bars policies in a file.
pub fn of(node: &Node, policies: &Policies, ignore_isa: bool) -> Vec<Bar> {
    let mut bars = Vec::new();
    let providers: Providers<'_> = node.needs.iter().map(|edge| (edge.name.as_str(), edge.to)).collect();
    versions(node, policies, &providers, &mut bars);
    forbidden(node, policies, &providers, &mut bars);
    let last = policies.len();
    if let Some(level) = isa(node, policies).filter(|_| !ignore_isa) {
        bars.push(Bar { what: What::Isa(level), from: 0, until: last, provider: None });
    }
    // PEP 513: builds for a narrow (UCS-2) Python 2 and for one with fpectl run on no other.
    let fpectl = |s: &&String| matches!(s.as_str(), "PyFPE_jbuf" | "PyFPE_dummy" | "PyFPE_counter");
    if let Some(symbol) = node.facts.narrow_python.as_ref().or(node.facts.undefined.iter().find(fpectl)) {
        bars.push(Bar { what: What::Python(symbol.clone()), from: 0, until: last, provider: None });
    }
    bars.retain(|bar| bar.from < bar.until);
    bars
}

fn versions(node: &Node, policies: &Policies, providers: &Providers<'_>, bars: &mut Vec<Bar>) {
    for need in &node.facts.version_needs {
        // A library that no policy promises is carried, and brings its versions along.
        let Some(from) = policies.promised_from(&need.file) else { continue };
        let provider = providers.get(need.file.as_str()).copied().flatten();
        for version in &need.versions {
            let what = What::Version { library: need.file.clone(), version: version.clone() };
            bars.push(Bar { what, from, until: policies.version_from(version), provider });
        }
    }
}

fn forbidden(node: &Node, policies: &Policies, providers: &Providers<'_>, bars: &mut Vec<Bar>) {
    for (library, provider) in providers {
        let (Some(from), Some(symbols)) = (policies.promised_from(library), policies.forbidden(library))
        else {
            continue;
        };
        for symbol in &node.facts.undefined {
            if let Some(until) = symbols.get(symbol) {
                let what = What::Forbidden { library: (*library).to_owned(), symbol: symbol.clone() };
                bars.push(Bar { what, from, until: *until, provider: *provider });
            }
        }
    }
}

/// The processor level above the baseline that a file needs.
fn isa(node: &Node, policies: &Policies) -> Option<String> {
    let x86_64 = policies.target().architecture == Some(Architecture::X86_64);
    node.facts.x86_level().filter(|_| x86_64)
}
