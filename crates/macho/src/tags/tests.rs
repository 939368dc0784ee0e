use super::choose::Selection;
use super::*;
use crate::target::Machine::{Arm64, I386, X86_64};

fn v(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn evidence(list: &[(&str, Machine, &str)]) -> Vec<Evidence> {
    let one = |(file, machine, version): &(&str, Machine, &str)| Evidence {
        file: (*file).to_owned(),
        machine: *machine,
        version: v(version),
    };
    list.iter().map(one).collect()
}

fn choose(
    claimed: &[&str],
    plat: Option<&str>,
    target: Option<&str>,
    list: &[(&str, Machine, &str)],
) -> Selection {
    let claimed: Vec<String> = claimed.iter().map(|tag| (*tag).to_owned()).collect();
    let machines = list.iter().map(|(_, machine, _)| *machine).collect();
    let request = Request { plat, claimed: &claimed, deployment_target: target, machines: &machines };
    select(&request, &evidence(list))
}

fn tags(claimed: &[&str], list: &[(&str, Machine, &str)]) -> Vec<String> {
    choose(claimed, None, None, list).tags
}

#[test]
fn one_tag_for_two_machines_where_it_says_the_same() {
    let packed =
        |versions: &[(Machine, &str)]| pack(&versions.iter().map(|(m, text)| (*m, v(text))).collect());
    assert_eq!(packed(&[(X86_64, "10.9"), (Arm64, "11.0")]), ["macosx_10_9_universal2"]);
    assert_eq!(packed(&[(X86_64, "12.0"), (Arm64, "12.3")]), ["macosx_12_0_universal2"]);
    assert_eq!(packed(&[(X86_64, "10.9"), (Arm64, "12.0")]), ["macosx_10_9_x86_64", "macosx_12_0_arm64"]);
    assert_eq!(packed(&[(X86_64, "12.0"), (Arm64, "11.0")]), ["macosx_12_0_x86_64", "macosx_11_0_arm64"]);
    assert_eq!(packed(&[(X86_64, "10.6"), (I386, "10.6")]), ["macosx_10_6_intel"]);
    assert_eq!(packed(&[(Arm64, "11.3")]), ["macosx_11_0_arm64"]);
    assert_eq!(packed(&[(X86_64, "10.13")]), ["macosx_10_13_x86_64"]);
}

#[test]
fn a_claim_that_holds_stays() {
    assert_eq!(tags(&["macosx_11_0_arm64"], &[("a", Arm64, "11.0")]), ["macosx_11_0_arm64"]);
    assert_eq!(tags(&["macosx_13_0_arm64"], &[("a", Arm64, "11.0")]), ["macosx_13_0_arm64"]);
    let both = [("a", X86_64, "10.9"), ("a", Arm64, "11.0")];
    let three = ["macosx_10_9_x86_64", "macosx_11_0_arm64", "macosx_10_9_universal2"];
    assert_eq!(tags(&three, &both), three);
}

#[test]
fn a_claim_is_raised_by_evidence() {
    let raised = choose(
        &["macosx_10_9_x86_64"],
        None,
        None,
        &[("a", X86_64, "10.9"), ("libx.dylib", X86_64, "10.15")],
    );
    assert_eq!(raised.tags, ["macosx_10_15_x86_64"]);
    assert_eq!(raised.obstacles.len(), 1);
    assert_eq!(raised.obstacles[0].file, "libx.dylib");
    assert_eq!(
        tags(&["macosx_10_9_universal2"], &[("a", X86_64, "10.9"), ("a", Arm64, "12.0")]),
        ["macosx_10_9_x86_64", "macosx_12_0_arm64"]
    );
    // No installer looks for a minor version behind macOS 11.
    assert_eq!(tags(&["macosx_13_6_arm64"], &[("a", Arm64, "13.0")]), ["macosx_13_0_arm64"]);
    let minor = choose(&["macosx_11_0_arm64"], None, None, &[("a", Arm64, "11.3")]);
    assert_eq!(minor.tags, ["macosx_11_0_arm64"]);
    assert!(minor.warnings[0].contains("11.3"), "{:?}", minor.warnings);
}

#[test]
fn a_claim_loses_machines_without_a_binary() {
    let narrowed = choose(&["macosx_10_9_universal2"], None, None, &[("a", X86_64, "10.9")]);
    assert_eq!(narrowed.tags, ["macosx_10_9_x86_64"]);
    assert!(narrowed.warnings[0].contains("arm64"));
    assert_eq!(tags(&["macosx_10_9_universal2"], &[("a", Arm64, "11.0")]), ["macosx_11_0_arm64"]);
}

#[test]
fn what_is_asked_for_is_had_or_refused() {
    let list = [("a", X86_64, "10.9"), ("libx.dylib", X86_64, "10.15")];
    let had = choose(&["macosx_10_9_x86_64"], Some("macosx_11_0_x86_64"), None, &list);
    assert_eq!((had.tags, had.refusal), (vec!["macosx_11_0_x86_64".to_owned()], None));
    let refused = choose(&[], Some("macosx_10_13_x86_64"), None, &list).refusal.unwrap();
    assert!(
        refused.what.contains("libx.dylib: 10.15 (x86_64)") && !refused.what.contains("\n  a:"),
        "{refused}"
    );
    assert!(refused.hint.unwrap().contains("macosx_10_15_x86_64"));
    assert!(choose(&[], Some("macosx_11_0_universal2"), None, &list).refusal.unwrap().what.contains("arm64"));
    assert!(choose(&[], Some("macosx_big"), None, &list).refusal.is_some());
}

#[test]
fn the_deployment_target_is_kept() {
    let list = [("a", Arm64, "11.0"), ("libx.dylib", Arm64, "12.3")];
    assert!(choose(&["macosx_11_0_arm64"], None, Some("12.3"), &list).refusal.is_none());
    let refused = choose(&["macosx_11_0_arm64"], None, Some("10.9"), &list).refusal.unwrap();
    assert!(refused.what.contains("libx.dylib: 12.3") && !refused.what.contains("\n  a:"), "{refused}");
    assert!(choose(&["macosx_11_0_arm64"], None, Some("x"), &list).refusal.is_some());
    assert!(choose(&["macosx_11_0_arm64"], None, Some(""), &list).refusal.is_none());
}

#[test]
fn nothing_claimed_earns_what_the_binaries_say() {
    assert_eq!(tags(&[], &[("a", Arm64, "14.2")]), ["macosx_14_0_arm64"]);
    assert_eq!(tags(&[], &[]), Vec::<String>::new());
}
