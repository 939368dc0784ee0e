//! Why no better tag.

use std::collections::{BTreeMap, BTreeSet};

use spokeshave_core::{Error, Obstacle};

use super::SymbolNamer;
use super::evidence::{Bar, What};
use super::links::Link;
use super::survey::Survey;
use crate::closure::Closure;
use crate::policy::Policies;

/// How many lines of a refusal name what bars the platform.
const MAX_LINES: usize = 8;

/// What to do without any policy.
const PLAIN: &str = "pass `--plat linux` to carry the libraries without promising a platform";

/// One reason, not yet put into words.
#[derive(Debug, Clone)]
pub struct Reason {
    node: usize,
    file: String,
    own: bool,
    what: Subject,
    /// The first policy that it does not stand against.
    until: usize,
    tag: Option<String>,
    worst: bool,
}

#[derive(Debug, Clone)]
enum Subject {
    Bar(What),
    Library { name: String, found: Option<String> },
}

/// The case to be decided: the files, what is promised, what was found out.
pub struct Case<'a> {
    /// The files.
    pub closure: &'a Closure,
    /// The policies.
    pub policies: &'a Policies,
    /// What was found out.
    pub survey: &'a Survey,
    /// Names one symbol.
    pub name_symbol: &'a SymbolNamer<'a>,
}

/// All that stands against policies better than `policy`: what bars them in the package as it will be, and what they
/// do not promise.
pub fn reasons(case: &Case<'_>, policy: usize) -> Vec<Reason> {
    let mut bars: Vec<(usize, &Bar)> = Vec::new();
    for better in 0..policy {
        bars.extend(case.survey.barring(better, case.survey.load(policy)));
    }
    let mut reasons = case.worst(bars);
    let worst = reasons.iter().map(|reason| reason.until).max();
    for reason in &mut reasons {
        reason.worst = Some(reason.until) == worst;
    }
    reasons.extend(case.libraries(policy));
    sort(&mut reasons);
    reasons
}

/// Puts the reasons into words. Symbols are named for the package's own binaries and for what is worst.
pub fn obstacles(reasons: &[Reason], name_symbol: &SymbolNamer<'_>) -> Vec<Obstacle> {
    let mut obstacles: Vec<Obstacle> = Vec::new();
    for reason in reasons {
        let namer: &SymbolNamer<'_> = if reason.own || reason.worst { name_symbol } else { &|_, _, _| None };
        let (what, provider) = words(reason.node, &reason.what, namer);
        obstacles.push(Obstacle {
            file: reason.file.clone(),
            what,
            provider,
            tag: reason.tag.clone(),
            repairable: matches!(reason.what, Subject::Library { .. }),
        });
    }
    obstacles
}

/// What is asked for (`memcpy@GLIBC_2.14`), and the library that provides it.
fn words(node: usize, what: &Subject, name_symbol: &SymbolNamer<'_>) -> (String, Option<String>) {
    match what {
        Subject::Bar(What::Version { library, version }) => {
            let symbol = name_symbol(node, library, version).unwrap_or_default();
            let at = if symbol.is_empty() { "" } else { "@" };
            (format!("{symbol}{at}{version}"), Some(library.clone()))
        }
        Subject::Bar(What::Forbidden { library, symbol }) => (symbol.clone(), Some(library.clone())),
        Subject::Bar(What::Isa(level)) => (level.clone(), None),
        Subject::Bar(What::Python(symbol)) => (symbol.clone(), None),
        Subject::Library { name, found } => (name.clone(), found.clone()),
    }
}

/// Worst first, then what carrying can't help, then the package's own binaries.
fn sort(reasons: &mut [Reason]) {
    let key = |r: &Reason| {
        (usize::MAX - r.until, matches!(r.what, Subject::Library { .. }), !r.own, r.file.clone())
    };
    reasons.sort_by_cached_key(|reason| (key(reason), words(reason.node, &reason.what, &|_, _, _| None)));
}

impl Case<'_> {
    /// Why the package can't be `asked`; `fits` is the best that it can be.
    pub fn refuse_policy(&self, asked: usize, fits: usize) -> Error {
        let tag = self.policies.name(asked).unwrap_or("linux");
        let instead = match self.policies.name(fits) {
            Some(fits) => format!("pass `--plat {fits}`, the best that it fits"),
            None => PLAIN.to_owned(),
        };
        Error::new(format!("the package can't be {tag}:{}", self.lines(asked)))
            .hint(format!("{}, or {instead}", self.remedy(asked)))
    }

    /// Why the package fits no policy.
    pub fn refuse_all(&self) -> Error {
        let plain = self.policies.tags(self.policies.len()).concat();
        let Some(laxest) = self.policies.len().checked_sub(1) else {
            return Error::new("no platform tag is defined for this architecture").hint(PLAIN);
        };
        Error::new(format!("the package fits no platform but {plain}:{}", self.lines(laxest)))
            .hint(format!("{}, or {PLAIN}", self.remedy(laxest)))
    }

    /// What would make the package fit a policy.
    fn remedy(&self, policy: usize) -> String {
        let mut remedies = BTreeSet::new();
        for (_, bar) in self.survey.barring(policy, self.survey.load(policy)) {
            remedies.insert(match bar.what {
                What::Version { .. } | What::Forbidden { .. } => "build it on an older system",
                What::Isa(_) => "build it for the baseline processor (or pass `--disable-isa-ext-check`)",
                What::Python(_) => "build it with another build of Python",
            });
        }
        remedies.into_iter().collect::<Vec<_>>().join(" and ")
    }

    /// What bars a policy, a line each.
    fn lines(&self, policy: usize) -> String {
        let bars: Vec<_> = self.survey.barring(policy, self.survey.load(policy)).collect();
        let mut reasons = self.worst(bars);
        sort(&mut reasons);
        let mut text = String::new();
        for reason in reasons.iter().take(MAX_LINES) {
            let (what, provider) = words(reason.node, &reason.what, self.name_symbol);
            let mut line = format!("{} needs {what}", reason.file);
            line.extend(provider.map(|provider| format!(" of {provider}")));
            line.extend(reason.tag.as_ref().map(|tag| format!(" ({tag} allows it)")));
            // Names come from the file and may hold anything.
            text.push_str(&format!("\n  {}", line.escape_debug()));
        }
        if reasons.len() > MAX_LINES {
            text.push_str(&format!("\n  and {} more", reasons.len() - MAX_LINES));
        }
        text
    }

    /// Of the versions that a file asks a library for, one of each namespace says enough: the last to be allowed.
    fn worst(&self, bars: Vec<(usize, &Bar)>) -> Vec<Reason> {
        let mut worst: BTreeMap<(usize, String, String), &Bar> = BTreeMap::new();
        for (node, bar) in bars {
            let key = match &bar.what {
                What::Version { library, version } => {
                    let namespace = version.split('_').next().unwrap_or_default();
                    (node, library.clone(), namespace.to_owned())
                }
                What::Forbidden { library, symbol } => (node, library.clone(), format!("symbol {symbol}")),
                What::Isa(level) => (node, String::new(), level.clone()),
                What::Python(symbol) => (node, String::new(), symbol.clone()),
            };
            let known = worst.entry(key).or_insert(bar);
            if (known.until, version_key(&known.what)) < (bar.until, version_key(&bar.what)) {
                *known = bar;
            }
        }
        let reason = |((node, _, _), bar): ((usize, String, String), &Bar)| Reason {
            node,
            file: self.file(node),
            own: self.survey.artifacts.contains(&node),
            what: Subject::Bar(bar.what.clone()),
            until: bar.until,
            tag: self.policies.name(bar.until).map(str::to_owned),
            worst: true,
        };
        worst.into_iter().map(reason).collect()
    }

    /// The libraries outside the package that the binaries ask for themselves, and those at any depth that only a
    /// better policy does not promise.
    fn libraries(&self, policy: usize) -> Vec<Reason> {
        let strictest = self.survey.load(0);
        let mut found: BTreeMap<String, Reason> = BTreeMap::new();
        for node in self.survey.counted(strictest) {
            let own = self.survey.artifacts.contains(&node);
            let needs = self.closure.nodes.get(node).into_iter().flat_map(|n| &n.needs);
            for (edge, link) in needs.zip(self.survey.links.get(node).into_iter().flatten()) {
                let Link::Library { to, promised_from } = *link else { continue };
                let until = promised_from.min(self.policies.len());
                if until == 0 || (!own && promised_from > policy) {
                    continue;
                }
                found.entry(edge.name.clone()).or_insert_with(|| Reason {
                    node,
                    file: self.file(node),
                    own,
                    what: Subject::Library { name: edge.name.clone(), found: to.map(|to| self.file(to)) },
                    until,
                    tag: self.policies.name(until).map(str::to_owned),
                    worst: false,
                });
            }
        }
        found.into_values().collect()
    }

    fn file(&self, node: usize) -> String {
        self.closure.nodes.get(node).map(|node| node.location.to_string()).unwrap_or_default()
    }
}

/// Orders `GLIBC_2.9` before `GLIBC_2.10`.
fn version_key(what: &What) -> (Vec<u32>, &str) {
    match what {
        What::Version { version, .. } => {
            let numbers = version.split(['_', '.']).skip(1);
            (numbers.map(|part| part.parse().unwrap_or(u32::MAX)).collect(), version)
        }
        What::Forbidden { symbol: text, .. } | What::Isa(text) | What::Python(text) => (Vec::new(), text),
    }
}
