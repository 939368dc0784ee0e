//! A package that was repaired as planned earns what was planned, and needs nothing more.

use proptest::prelude::*;
use proptest::sample::{select as one_of, subsequence};
use spokeshave_core::{Location, PackagePath, Role};

use super::package::{Ask, Package};
use crate::facts::ElfFacts;
use crate::select::{NodeRole, Selection};

const NEEDS: [&str; 11] = [
    "liba.so.1",
    "libb.so.1",
    "libc1.so.1",
    "libd.so.1",
    "libc.so.6",
    "libz.so.1",
    "libexpat.so.1",
    "libmvec.so.1",
    "libpython3.11.so.1.0",
    "ld-linux-x86-64.so.2",
    "libin.so",
];
const VERSIONS: [(&str, &str); 9] = [
    ("libc.so.6", "GLIBC_2.2.5"),
    ("libc.so.6", "GLIBC_2.14"),
    ("libc.so.6", "GLIBC_2.29"),
    ("libz.so.1", "ZLIB_1.2.9"),
    ("libexpat.so.1", "EXPAT_9"),
    ("libmvec.so.1", "GLIBC_2.22"),
    ("ld-linux-x86-64.so.2", "GLIBC_2.35"),
    ("liba.so.1", "A_1"),
    ("libin.so", "GLIBC_2.41"),
];
const CLAIMS: [&str; 5] = [
    "linux_x86_64",
    "manylinux1_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_30_x86_64",
    "manylinux_2_35_x86_64",
];
const PLATS: [Option<&str>; 7] = [
    None,
    None,
    Some("manylinux1"),
    Some("manylinux_2_17"),
    Some("manylinux_2_28_x86_64"),
    Some("manylinux_2_41"),
    Some("linux"),
];

#[derive(Debug, Clone)]
struct File {
    needs: Vec<&'static str>,
    versions: Vec<(&'static str, &'static str)>,
    forbidden: bool,
}

fn file() -> impl Strategy<Value = File> {
    let needs = subsequence(NEEDS.to_vec(), 0..5).prop_shuffle();
    let versions = subsequence(VERSIONS.to_vec(), 0..3);
    (needs, versions, prop::bool::weighted(0.1)).prop_map(|(needs, versions, forbidden)| File {
        versions: versions.into_iter().filter(|(library, _)| needs.contains(library)).collect(),
        needs,
        forbidden,
    })
}

fn package(own: &[File], outside: &[File]) -> Package {
    let mut package = Package::x86_64();
    for (index, file) in own.iter().enumerate() {
        let path = if index == 0 { "pkg/libin.so".to_owned() } else { format!("pkg/ext{index}.so") };
        package = with(package.file(&path, &file.needs), file);
    }
    for (name, file) in NEEDS.iter().zip(outside) {
        package = with(package.host(name, &file.needs), file);
    }
    package
}

fn with(mut package: Package, file: &File) -> Package {
    for (library, version) in &file.versions {
        package = package.versions(library, &[version]);
    }
    if file.forbidden { package.undefined(&["uncompress2"]) } else { package }
}

/// What the planner and the editor would make of it.
fn repaired(package: &Package, selection: &Selection) -> Package {
    let mut new = package.clone();
    let carried: Vec<usize> = (0..package.nodes.len())
        .filter(|index| selection.roles[*index] == NodeRole::Library(Role::External))
        .collect();
    let name = |old: &str| match carried.iter().find(|index| package.nodes[**index].name == old) {
        Some(_) => old.replacen("lib", "libhashed-", 1),
        None => old.to_owned(),
    };
    for (index, node) in new.nodes.iter_mut().enumerate() {
        let counts = selection.roles[index] == NodeRole::Artifact || carried.contains(&index);
        if !counts {
            continue;
        }
        if carried.contains(&index) {
            node.artifact = Some(index);
            node.name = name(&node.name);
            node.location = Location::Package(PackagePath::new(&format!("pkg.libs/{}", node.name)).unwrap());
            node.real = node.location.clone();
        }
        let mut kept = 0..;
        node.needs.retain(|_| !selection.removed.contains(&(index, kept.next().unwrap())));
        let mut facts = ElfFacts::clone(&node.facts);
        facts.needed = node.needs.iter().map(|need| name(&need.name)).collect();
        for (need, renamed) in node.needs.iter_mut().zip(&facts.needed) {
            need.name.clone_from(renamed);
        }
        for need in &mut facts.version_needs {
            need.file = name(&need.file);
        }
        node.facts = facts.into();
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_comes_true(
        own in prop::collection::vec(file(), 1..4),
        outside in prop::collection::vec(file(), 4..8),
        plat in one_of(PLATS.to_vec()),
        only_plat in any::<bool>(),
        claimed in subsequence(CLAIMS.to_vec(), 0..4),
    ) {
        let package = package(&own, &outside);
        let ask = Ask { plat, only_plat, claimed: &claimed, ..Ask::default() };
        let planned = package.ask(&ask);
        planned.obstacles(&|_, _, _| None);
        let plain = planned.tags == ["linux_x86_64"] && plat != Some("linux");
        prop_assert!(planned.refusal.is_some() || !plain);
        if planned.refusal.is_none() && planned.missing.is_empty() {
            let repaired = repaired(&package, &planned);
            let seen = repaired.ask(&ask);
            prop_assert_eq!(&seen.tags, &planned.tags);
            prop_assert_eq!(&seen.tags_as_is, &planned.tags);
            prop_assert_eq!(&seen.refusal, &None);
            prop_assert!(seen.missing.is_empty() && seen.removed.is_empty());
            prop_assert!(seen.carried(&repaired).is_empty());
        }
    }
}
