//! Android: the API level that a package is for.

use spokeshave_core::Error;

use super::Request;
use super::choose::Choice;
use super::requested::{self, Requested, api_level};
use super::survey::{Load, Survey};
use crate::closure::Closure;
use crate::policy::Policies;
use crate::target::Architecture;

/// The versions of bionic's libraries and the API level that brought each (`libc/libc.map.txt` in bionic); later ones
/// are named by the level itself (`LIBC_36`).
const VERSIONS: [(&str, u32); 9] =
    [("N", 24), ("O", 26), ("P", 28), ("Q", 29), ("R", 30), ("S", 31), ("T", 33), ("U", 34), ("V", 35)];

/// Takes the API level that is asked for or claimed, raised to what the binaries need. What is carried depends on the
/// last policy that is not above it.
pub fn choose(closure: &Closure, policies: &Policies, survey: &Survey, request: &Request<'_>) -> Choice {
    let mut choice = Choice {
        policy: policies.len(),
        tags: Vec::new(),
        tags_as_is: Vec::new(),
        refusal: None,
        warnings: Vec::new(),
    };
    let (needed, asker) = needed_level(closure, survey);
    let requested = match requested::parse(request.plat, policies) {
        Ok(Requested::Api(level)) => Some(level),
        Ok(_) => None,
        Err(error) => {
            choice.refusal = Some(error);
            None
        }
    };
    let claimed = || request.claimed.iter().filter_map(|tag| Some((tag, api_level(tag)?)));
    let (holding, false_claims): (Vec<_>, Vec<_>) = claimed().partition(|(_, level)| *level >= needed);
    for (tag, _) in false_claims {
        let why = asker.as_deref().unwrap_or("a binary");
        choice.warnings.push(format!(
            "the package claims {tag}, but {why} needs API level {needed}; the tag is dropped"
        ));
    }
    if let Some(level) = requested.filter(|level| *level < needed) {
        let what = format!(
            "the package can't run on API level {level}: {} needs {needed}",
            asker.unwrap_or_default()
        );
        choice.refusal =
            Some(Error::new(what).hint(format!("ask for android_{needed}, or build it for {level}")));
    }
    let lowest =
        (0..policies.len()).filter_map(|policy| api_level(policies.name(policy)?)).min().unwrap_or(0);
    let by_claim = holding.iter().map(|(_, level)| *level).min();
    let level = requested.or(by_claim).unwrap_or(needed.max(lowest)).max(needed);
    let listed = (0..policies.len())
        .rfind(|policy| policies.name(*policy).and_then(api_level).is_some_and(|l| l <= level));
    let (Some(policy), Some(abi)) = (listed, policies.name(0).and_then(abi)) else {
        let architecture = policies.target().architecture.map_or("this architecture", Architecture::name);
        choice.refusal.get_or_insert_with(|| {
            Error::new(format!("there is no platform for API level {level} of Android on {architecture}"))
                .hint("Python runs on API level 21 and later, on arm64_v8a and x86_64 (PEP 738)")
        });
        return choice;
    };
    choice.policy = policy;
    choice.tags = vec![format!("android_{level}_{abi}")];
    if !request.only_plat {
        let more = holding.iter().filter(|(_, other)| *other > level).map(|(tag, _)| (*tag).clone());
        choice.tags.extend(more);
    }
    if survey.qualifies(policy, &Load::default()) {
        choice.tags_as_is.clone_from(&choice.tags);
    }
    choice
}

/// The API level that the package's own binaries need, and which of them.
fn needed_level(closure: &Closure, survey: &Survey) -> (u32, Option<String>) {
    let mut needed = (0, None);
    for node in survey.artifacts.iter().filter_map(|index| closure.nodes.get(*index)) {
        let versions = node.facts.version_needs.iter().flat_map(|need| &need.versions);
        let level =
            versions.filter_map(|v| version_level(v)).chain(node.facts.android_api).max().unwrap_or(0);
        if level > needed.0 {
            needed = (level, Some(node.location.to_string()));
        }
    }
    needed
}

fn version_level(version: &str) -> Option<u32> {
    let (library, release) = version.split_once('_')?;
    if !matches!(library, "LIBC" | "LIBM" | "LIBDL" | "LIBLOG") {
        return None;
    }
    let letter = VERSIONS.iter().find(|(letter, _)| *letter == release).map(|(_, level)| *level);
    letter.or_else(|| release.parse().ok())
}

/// The ABI of an Android tag: `arm64_v8a` of `android_21_arm64_v8a`.
fn abi(tag: &str) -> Option<&str> {
    tag.splitn(3, '_').nth(2)
}
