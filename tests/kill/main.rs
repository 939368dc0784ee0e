//! A run that dies or is refused something, at any file-system call of it: the origins stay clean, the deliverable is
//! whole or not there, and the next run leaves nothing behind.
//!
//! Always: every point of a bundle that is linked, a sample of the others. With `tests/run --long`: every point of all,
//! about 3200 kills and 12 000 faults.

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

const OTHERS: [Case; 11] = [
    Case::new(Place::Mirrored, Door::Bundle),
    Case::new(Place::OtherDevice, Door::Bundle),
    Case::new(Place::ReadOnly, Door::Bundle),
    Case::new(Place::MountPoint, Door::Bundle),
    Case::new(Place::LowerLayer, Door::Bundle),
    Case::new(Place::Linked, Door::Replace),
    Case::new(Place::Mirrored, Door::Replace),
    Case::new(Place::Linked, Door::Editable),
    Case::new(Place::ReadOnly, Door::Editable),
    Case::new(Place::Linked, Door::Wheel),
    Case::new(Place::Mirrored, Door::Wheel),
];

/// Attempts each case with its stride and panics with all that went wrong.
#[track_caller]
fn judge(cases: impl Iterator<Item = (Case, usize)>, attempt: fn(Case, usize) -> Vec<String>) {
    let wrong: Vec<String> = cases.flat_map(|(case, stride)| attempt(case, stride)).collect();
    assert!(wrong.is_empty(), "{} went wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Every so manieth point of a linked bundle, and of the others.
fn sample(linked: usize, others: usize) -> impl Iterator<Item = (Case, usize)> {
    std::iter::once((LINKED, linked)).chain(OTHERS.into_iter().map(move |case| (case, others)))
}

#[test]
fn killed_anywhere() {
    if in_own_mounts("killed_anywhere") {
        judge(sample(1, 23), kill_everywhere);
    }
}

#[test]
#[ignore = "minutes"]
fn killed_everywhere() {
    if in_own_mounts("killed_everywhere") {
        judge(sample(1, 1).chain([(LINKED.with_sbom(), 1)]), kill_everywhere);
    }
}

#[test]
fn failing_anywhere() {
    if in_own_mounts("failing_anywhere") {
        judge(sample(7, 97), fail_everywhere);
    }
}

#[test]
#[ignore = "minutes"]
fn failing_everywhere() {
    if in_own_mounts("failing_everywhere") {
        judge(sample(1, 1), fail_everywhere);
    }
}

#[test]
fn full_disks() {
    if in_own_mounts("full_disks") {
        full::output_side();
        full::origin_side();
    }
}
