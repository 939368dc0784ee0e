//! The tags that follow from the choice, and those that the package claims.

use super::Request;
use super::explain::Case;
use super::survey::Load;
use crate::target::{Architecture, Libc, libc_of_tag};

/// The tags of the chosen policies, and the claimed ones that the package keeps when it carries `load`; best first.
/// Then a warning for each claim that does not hold.
pub fn earned(
    case: &Case<'_>,
    chosen: &[usize],
    load: &Load,
    request: &Request<'_>,
) -> (Vec<String>, Vec<String>) {
    let policies = case.policies;
    let of_policy =
        |policy: &usize| policies.tags(*policy).into_iter().map(|tag| (*policy, tag)).collect::<Vec<_>>();
    let mut ranked: Vec<(usize, String)> = chosen.iter().flat_map(of_policy).collect();
    let mut warnings = Vec::new();
    let asked_only = request.only_plat || chosen.contains(&policies.len());
    let plain =
        |tag: &str| tag.starts_with("linux_") && Architecture::of_tag(tag) == policies.target().architecture;
    for tag in request.claimed {
        if ranked.iter().any(|(_, known)| known == tag) || plain(tag) || tag == "any" {
            continue;
        }
        match holds(case, tag, load) {
            Some(rank) if !asked_only => ranked.push((rank, tag.clone())),
            Some(_) => {}
            None => {
                warnings.push(format!("the package claims {tag}, which does not hold; the tag is dropped"))
            }
        }
    }
    ranked.sort_by_key(|(policy, _)| *policy);
    (ranked.into_iter().map(|(_, tag)| tag).collect(), warnings)
}

/// Whether a claimed tag holds when `load` is carried, and its rank.
fn holds(case: &Case<'_>, tag: &str, load: &Load) -> Option<usize> {
    let policies = case.policies;
    if let Some(policy) = policies.promise_of(tag) {
        return case.survey.qualifies(policy, load).then_some(policy);
    }
    // What asks for no C library runs with any: a package of static programs may claim both.
    let target = policies.target();
    let artifacts = || case.survey.artifacts.iter().filter_map(|index| case.closure.nodes.get(*index));
    let libc = libc_of_tag(tag).filter(|libc| *libc != target.libc && *libc != Libc::Android);
    let fits = libc.is_some() && Architecture::of_tag(tag) == target.architecture;
    (fits && artifacts().all(|node| node.facts.inert.is_some())).then_some(policies.len())
}
