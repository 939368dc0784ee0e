//! Which tags: those claimed, raised where the evidence asks for it; the one asked for, or a refusal.

use std::collections::{BTreeMap, BTreeSet};

use spokeshave_core::{Error, Obstacle};

use super::{Evidence, needed, pack, tag};
use crate::target::{MacTag, Machine, Version};

/// What the user and the package ask for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `--plat`, not `auto`.
    pub plat: Option<&'a str>,
    /// The platform tags that the package claims.
    pub claimed: &'a [String],
    /// `MACOSX_DEPLOYMENT_TARGET`.
    pub deployment_target: Option<&'a str>,
    /// The machines that the package has binaries for.
    pub machines: &'a BTreeSet<Machine>,
}

/// What was chosen.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The tags.
    pub tags: Vec<String>,
    /// Which files ask for a newer macOS than the package claims.
    pub obstacles: Vec<Obstacle>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Why what was asked for can't be had.
    pub refusal: Option<Error>,
}

/// Chooses the tags for a package of which `evidence` is known.
///
/// A claim that holds stays, be it higher than it need be: it is the builder's promise. One that does not is raised,
/// or loses the machines that the package has no binary for.
pub fn select(request: &Request<'_>, evidence: &[Evidence]) -> Selection {
    let mut selection = Selection::default();
    if request.machines.is_empty() {
        return selection;
    }
    let needed = needed(evidence, request.machines);
    if let Some(plat) = request.plat {
        selection.refusal = asked(plat, request, evidence, &needed).err();
        selection.tags = vec![plat.to_owned()];
    } else {
        selection.refusal = deployment_target(request, evidence).err();
        claims(request, evidence, &needed, &mut selection);
    }
    for (machine, version) in needed.iter().filter(|(_, version)| **version != version.in_tags()) {
        let asking = asking(evidence, *machine, *version);
        selection.warnings.push(format!("{asking}; tags name no minor version from macOS 11 on"));
    }
    selection
}

/// Which files ask for that macOS: the first, and how many more there are.
fn asking(evidence: &[Evidence], machine: Machine, version: Version) -> String {
    let mut files = evidence.iter().filter(|e| (e.machine, e.version) == (machine, version));
    let first = files.next().map_or("nothing", |e| e.file.as_str());
    let who = match files.count() {
        0 => format!("{first} needs"),
        more => format!("{first} and {more} more need"),
    };
    format!("{who} macOS {version} ({})", machine.name())
}

/// Whether the package earns the tag asked for.
fn asked(
    plat: &str,
    request: &Request<'_>,
    evidence: &[Evidence],
    needed: &BTreeMap<Machine, Version>,
) -> Result<(), Error> {
    let Some(asked) = MacTag::parse(plat) else {
        return Err(Error::new(format!("`{plat}` is no platform tag of macOS"))
            .at("--plat")
            .hint("for example macosx_11_0_arm64 or macosx_10_13_universal2"));
    };
    let absent: Vec<&str> =
        asked.machines.iter().filter(|m| !request.machines.contains(m)).map(|m| m.name()).collect();
    if !absent.is_empty() {
        return Err(Error::new(format!("{plat}: the package has no binary for {}", absent.join(" and ")))
            .at("--plat")
            .hint("build it for that machine too, or merge two wheels"));
    }
    let mut lines = Vec::new();
    for machine in &asked.machines {
        let limit = asked.version.max(machine.floor()).in_tags();
        lines.extend(above(evidence, *machine, |version| version.in_tags() > limit));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let could: BTreeMap<Machine, Version> = asked
        .machines
        .iter()
        .filter_map(|machine| {
            Some((*machine, (*needed.get(machine)?).max(asked.version.max(machine.floor()))))
        })
        .collect();
    Err(too_new(plat, lines, &format!("ask for {}", pack(&could).join(".")), asked.version))
}

/// Whether everything runs on the macOS that the build is for.
fn deployment_target(request: &Request<'_>, evidence: &[Evidence]) -> Result<(), Error> {
    let Some(text) = request.deployment_target.filter(|text| !text.trim().is_empty()) else { return Ok(()) };
    let Some(target) = Version::parse(text) else {
        return Err(Error::new(format!("MACOSX_DEPLOYMENT_TARGET is no version: `{text}`"))
            .hint("for example 10.13 or 11.0"));
    };
    let lines: Vec<String> = request
        .machines
        .iter()
        .flat_map(|machine| {
            let limit = target.max(machine.floor());
            above(evidence, *machine, move |version| version > limit)
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let asked = format!("MACOSX_DEPLOYMENT_TARGET={text}");
    Err(too_new(&asked, lines, "raise it", target))
}

fn too_new(asked: &str, lines: Vec<String>, or: &str, version: Version) -> Error {
    Error::new(format!("{asked} can't be had, since these need a newer macOS{}", lines.concat()))
        .hint(format!("build them for macOS {version}, or {or}"))
}

/// A line for each file that asks for too new a macOS.
fn above(evidence: &[Evidence], machine: Machine, is_above: impl Fn(Version) -> bool) -> Vec<String> {
    let of_machine = evidence.iter().filter(|e| e.machine == machine && is_above(e.version));
    of_machine.map(|e| format!("\n  {}: {} ({})", e.file, e.version, machine.name())).collect()
}

/// The claimed tags, as they hold.
fn claims(
    request: &Request<'_>,
    evidence: &[Evidence],
    needed: &BTreeMap<Machine, Version>,
    selection: &mut Selection,
) {
    let mut tags: Vec<String> = Vec::new();
    let mut add = |new: Vec<String>| {
        for tag in new {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    };
    let mut any = false;
    for claim in request.claimed {
        let Some(claimed) = MacTag::parse(claim) else {
            if claim != "any" {
                selection.warnings.push(format!(
                    "the package claims {claim}, which no installer knows; the tag is dropped"
                ));
            }
            continue;
        };
        any = true;
        let (here, absent): (Vec<Machine>, Vec<Machine>) =
            claimed.machines.iter().partition(|machine| needed.contains_key(machine));
        let promise = |machine: &Machine| claimed.version.max(machine.floor()).in_tags();
        let holds = |machine: &Machine| {
            needed.get(machine).is_some_and(|version| version.in_tags() <= promise(machine))
        };
        if !absent.is_empty() {
            let names: Vec<&str> = absent.iter().map(|machine| machine.name()).collect();
            selection.warnings.push(format!(
                "the package claims {claim} and has no binary for {}; the tag follows its binaries",
                names.join(" and ")
            ));
        }
        if absent.is_empty() && here.iter().all(holds) && claimed.version == claimed.version.in_tags() {
            add(vec![claim.clone()]);
            continue;
        }
        let raised = |machine: &Machine| {
            let own =
                claimed.version.max(if absent.is_empty() { Version::new(0, 0) } else { machine.floor() });
            Some((*machine, (*needed.get(machine)?).max(own)))
        };
        add(pack(&here.iter().filter_map(raised).collect()));
        for machine in here.iter().filter(|machine| !holds(machine)) {
            selection.obstacles.extend(obstacles(evidence, *machine, promise(machine)));
            let Some(version) = needed.get(machine) else { continue };
            let warning = format!("{}, newer than the package claims", asking(evidence, *machine, *version));
            if !selection.warnings.contains(&warning) {
                selection.warnings.push(warning);
            }
        }
    }
    if !any {
        add(pack(needed));
    }
    selection.obstacles.sort();
    selection.obstacles.dedup();
    selection.tags = tags;
}

/// The files that ask for a newer macOS than `promised`.
fn obstacles(evidence: &[Evidence], machine: Machine, promised: Version) -> Vec<Obstacle> {
    let above = evidence.iter().filter(|e| e.machine == machine && e.version.in_tags() > promised);
    let obstacle = |e: &Evidence| Obstacle {
        file: e.file.clone(),
        what: format!("macOS {}", e.version),
        provider: None,
        tag: Some(tag(e.version, machine.name())),
        repairable: false,
    };
    above.map(obstacle).collect()
}
