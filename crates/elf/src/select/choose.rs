//! The choice of a policy and of the tags.

use std::collections::BTreeSet;

use spokeshave_core::{Error, Result};

use super::requested::{self, Requested};
use super::survey::{Load, Survey};
use super::{NodeRole, Request, Selection, SymbolNamer, android, explain, roles, tags};
use crate::closure::Closure;
use crate::policy::Policies;
use crate::target::{Libc, Target};

/// The policy whose list decides what is carried, and what follows for the tags.
pub struct Choice {
    /// The policy; [`Policies::len`] is the plain tag.
    pub policy: usize,
    /// What it earns once the libraries are carried.
    pub tags: Vec<String>,
    /// What it earns as it is.
    pub tags_as_is: Vec<String>,
    /// Why the platform asked for can't be had.
    pub refusal: Option<Error>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// See [`super::select`].
pub fn select(
    closure: &Closure,
    target: &Target,
    request: &Request<'_>,
    name_symbol: &SymbolNamer<'_>,
) -> Result<Selection> {
    let policies = Policies::load(target)?;
    let mut roles: Vec<NodeRole> = closure.nodes.iter().map(|node| roles::of_binary(node, target)).collect();
    let indices =
        |role: NodeRole| roles.iter().enumerate().filter(move |(_, r)| **r == role).map(|(index, _)| index);
    let artifacts: BTreeSet<usize> = indices(NodeRole::Artifact).collect();
    let survey = Survey::new(closure, artifacts, &policies, request.exclude, request.ignore_isa);

    let case = explain::Case { closure, policies: &policies, survey: &survey, name_symbol };
    let mut choice = match target.libc {
        Libc::Android => android::choose(closure, &policies, &survey, request),
        Libc::Glibc | Libc::Musl => choose(&case, request),
    };
    if let Some(refusal) = roles::not_for_target(closure, &roles, target) {
        choice.tags = Vec::new();
        choice.tags_as_is = Vec::new();
        choice.refusal = Some(refusal);
    }
    roles::library_roles(closure, &survey, choice.policy, &mut roles);
    let mut warnings: Vec<String> =
        roles.iter().zip(&closure.nodes).filter_map(|(r, node)| roles::foreign(r, node)).collect();
    warnings.append(&mut choice.warnings);
    warnings.extend(roles::embedded_python(closure, survey.load(choice.policy)));

    Ok(Selection {
        tags: choice.tags,
        tags_as_is: choice.tags_as_is,
        removed: roles::removed(&survey, survey.load(choice.policy)),
        missing: roles::missing(closure, &survey, choice.policy),
        refusal: choice.refusal,
        warnings,
        reasons: explain::reasons(&case, choice.policy),
        roles,
    })
}

/// What glibc and musl have in common.
fn choose(case: &explain::Case<'_>, request: &Request<'_>) -> Choice {
    let (policies, survey) = (case.policies, case.survey);
    let plain = policies.len();
    let strictest = strictest_to_consider(policies, request);
    let auto = best(policies, survey, strictest);
    let mut choice = Choice {
        policy: auto,
        tags: Vec::new(),
        tags_as_is: Vec::new(),
        refusal: None,
        warnings: Vec::new(),
    };

    let mut chosen = vec![auto];
    let mut unfit = None;
    match requested::parse(request.plat, policies) {
        Err(error) => choice.refusal = Some(error),
        Ok(Requested::Linux) => chosen = vec![plain],
        Ok(Requested::Policy(asked)) => {
            chosen = vec![asked];
            let load = survey.load(asked);
            if !survey.allows(asked, load) {
                choice.refusal = Some(case.refuse_policy(asked, auto));
                chosen = vec![auto];
            } else if !request.only_plat {
                // A better name holds only if the policy asked for carries all that the better one needs.
                chosen.extend((strictest..asked).find(|better| survey.qualifies(*better, load)));
            }
        }
        Ok(Requested::Auto | Requested::Api(_)) if auto == plain => match case.closure.outputs {
            // Nobody reads a tag of what has none.
            true => unfit = Some(case.refuse_all().what),
            false => choice.refusal = Some(case.refuse_all()),
        },
        Ok(Requested::Auto | Requested::Api(_)) => {}
    }
    choice.policy = chosen.first().copied().unwrap_or(plain);
    let load = survey.load(choice.policy);
    (choice.tags, choice.warnings) = tags::earned(case, &chosen, load, request);
    choice.warnings.extend(unfit);

    let nothing = Load::default();
    let fits_as_is =
        |policy: &usize| roles::removed(survey, &nothing).is_empty() && survey.qualifies(*policy, &nothing);
    if !chosen.iter().all(fits_as_is) {
        chosen = vec![(strictest..plain).find(fits_as_is).unwrap_or(plain)];
    }
    choice.tags_as_is = tags::earned(case, &chosen, &nothing, request).0;
    choice
}

/// The first policy that the search for the best one may take. Nothing in a file tells which musl it was built for,
/// so the best that it claims is believed, and nothing better; without a claim it is the laxest.
fn strictest_to_consider(policies: &Policies, request: &Request<'_>) -> usize {
    match policies.target().libc {
        Libc::Glibc | Libc::Android => 0,
        Libc::Musl => {
            let claimed = request.claimed.iter().filter_map(|tag| policies.find(tag)).min();
            claimed.unwrap_or_else(|| policies.len().saturating_sub(1))
        }
    }
}

/// Of the policies that nothing bars, those that carry least, and of them the strictest; else the plain tag.
fn best(policies: &Policies, survey: &Survey, strictest: usize) -> usize {
    let fitting = (strictest..policies.len()).filter(|policy| survey.allows(*policy, survey.load(*policy)));
    fitting.min_by_key(|policy| (survey.load(*policy).len(), *policy)).unwrap_or(policies.len())
}
