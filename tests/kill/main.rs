//! A run that dies or is refused something, at any file-system call of it: the origins stay clean, the deliverable is
//! whole or not there, and the next run leaves nothing behind.
//!
//! Always: every point of a bundle that is linked, a sample of the others. With `--run-ignored`: every point of all.

mod case;
mod faults;
mod full;
mod kills;
mod world;

use spokeshave_testkit::mounts::in_own_mounts;

use crate::case::{Case, Door, Place};
use crate::faults::fail_everywhere;
use crate::kills::kill_everywhere;

const LINKED: Case = Case::new(Place::Linked, Door::Bundle);

const OTHERS: [Case; 10] = [
    Case::new(Place::Mirrored, Door::Bundle),
    Case::new(Place::OtherDevice, Door::Bundle),
    Case::new(Place::ReadOnly, Door::Bundle),
    Case::new(Place::MountPoint, Door::Bundle),
    Case::new(Place::Linked, Door::Replace),
    Case::new(Place::Mirrored, Door::Replace),
    Case::new(Place::Linked, Door::Editable),
    Case::new(Place::ReadOnly, Door::Editable),
    Case::new(Place::Linked, Door::Wheel),
    Case::new(Place::Mirrored, Door::Wheel),
];

/// Panics with all that went wrong.
#[track_caller]
fn judge(cases: &[Case], attempt: impl Fn(Case) -> Vec<String>) {
    let wrong: Vec<String> = cases.iter().flat_map(|case| attempt(*case)).collect();
    assert!(wrong.is_empty(), "{} went wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn killed_anywhere_while_linked() {
    judge(&[LINKED], |case| kill_everywhere(case, 1));
}

#[test]
fn killed_anywhere() {
    if in_own_mounts("killed_anywhere") {
        judge(&OTHERS, |case| kill_everywhere(case, 23));
    }
}

#[test]
#[ignore = "minutes"]
fn killed_everywhere() {
    if in_own_mounts("killed_everywhere") {
        judge(&[LINKED.with_sbom()], |case| kill_everywhere(case, 1));
        judge(&OTHERS, |case| kill_everywhere(case, 1));
    }
}

#[test]
fn failing_anywhere() {
    if in_own_mounts("failing_anywhere") {
        judge(&[LINKED], |case| fail_everywhere(case, 7));
        judge(&OTHERS, |case| fail_everywhere(case, 97));
    }
}

#[test]
#[ignore = "minutes"]
fn failing_everywhere() {
    if in_own_mounts("failing_everywhere") {
        judge(&[LINKED], |case| fail_everywhere(case, 1));
        judge(&OTHERS, |case| fail_everywhere(case, 1));
    }
}

#[test]
fn full_disks() {
    if in_own_mounts("full_disks") {
        full::output_side();
        full::origin_side();
    }
}
