//! A file-system call that fails, at every one of them.

use std::collections::BTreeMap;

use spokeshave_testkit::Outcome;
use spokeshave_testkit::strace::{self, Call, Times};

use crate::case::Case;
use crate::world::{Output, World};

const FAULTS: [(&str, Times); 5] = [
    ("ENOSPC", Times::Once),
    ("EACCES", Times::Once),
    ("EXDEV", Times::Once),
    ("EIO", Times::Once),
    ("EIO", Times::FromThenOn),
];

/// Lets calls that touch what is ours fail, one in a run, each with each fault; what went wrong. Every `stride`-th of all
/// is done, which should have no divisor in common with the number of faults.
#[track_caller]
pub fn fail_everywhere(case: Case, stride: usize) -> Vec<String> {
    let world = World::new(case);
    let points = world.points();
    let points: Vec<&Call> = points.iter().filter(|call| call.touches(world.root())).collect();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let faults = points.iter().flat_map(|call| FAULTS.map(|(error, times)| (*call, error, times)));
    let faults = faults.filter(|(call, _, times)| is_fair(call, *times, &points));
    for (call, error, times) in faults.step_by(stride) {
        match fail(&world, call, error, times) {
            Ok(end) => *ends.entry(end).or_default() += 1,
            Err(what) => wrong.push(format!("{case}, {error} {times:?} at {call}: {what}")),
        }
    }
    println!("{case}: {} faults at {} calls, {ends:?}", ends.values().sum::<usize>(), points.len());
    wrong
}

/// Not fair: that a directory which was read can't be closed, where Rust's own library panics and which no file system is
/// known to refuse; that from then on nothing can be written, messages included.
fn is_fair(call: &Call, times: Times, points: &[&Call]) -> bool {
    if times == Times::FromThenOn && ["close", "write"].contains(&call.name.as_str()) {
        return false;
    }
    let closed = call.text.split_once(')').filter(|_| call.name == "close");
    closed.is_none_or(|(descriptor, _)| {
        !points.iter().any(|point| point.name == "getdents64" && point.text.starts_with(descriptor))
    })
}

fn fail(world: &World, call: &Call, error: &str, times: Times) -> Result<&'static str, String> {
    let outcome = world.at(call, |command| strace::fail_at(command, call, error, times))?;
    // What can't be removed stays until the next run.
    let removes = ["unlink", "unlinkat", "rmdir"].contains(&call.name.as_str());
    let told = outcome.stderr.contains("warning: ") && outcome.stderr.contains("can't be removed");
    let left = if removes || told || times == Times::FromThenOn { Ok(()) } else { world.is_as_before() };
    let judged = world.origins_are_clean().and(left).and_then(|()| end_of(world, &outcome));
    world.next_run().and(judged).map_err(|what| format!("{what}\n{}", outcome.stderr))
}

/// How a run with a failing call ended, which must be in order.
fn end_of(world: &World, outcome: &Outcome) -> Result<&'static str, String> {
    if outcome.stderr.contains("panicked") {
        return Err("a panic".into());
    }
    match outcome.code {
        Some(0) => {
            world.output_is(Output::Complete)?;
            Ok(if outcome.stderr.contains("warning: ") { "warned" } else { "went on" })
        }
        Some(1) => {
            world.output_is(Output::Before)?;
            let named = outcome.stderr.contains(world.root().to_str().unwrap());
            if !named || !outcome.stderr.contains("error: ") {
                return Err("the error names no path".into());
            }
            Ok("refused")
        }
        other => Err(format!("exit {other:?}")),
    }
}
