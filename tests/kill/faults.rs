//! A file-system call that fails, at every one of them.

use std::collections::BTreeMap;

use spokeshave_testkit::Outcome;
use spokeshave_testkit::strace::{self, Call};

use crate::world::{Case, Output, World};

const ERRORS: [&str; 4] = ["ENOSPC", "EACCES", "EXDEV", "EIO"];

/// Lets calls that touch what is ours fail, one in a run and every `stride`-th in all, each with each error; what went
/// wrong.
#[track_caller]
pub fn fail_everywhere(case: Case, stride: usize) -> Vec<String> {
    let world = World::new(case);
    let points = world.points();
    let points: Vec<&Call> =
        points.iter().filter(|call| call.touches(world.root()) && !closes_directory(call, &points)).collect();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let faults = points.iter().flat_map(|call| ERRORS.map(|error| (*call, error)));
    for (call, error) in faults.step_by(stride) {
        let judged = fail(&world, call, error).map(|end| *ends.entry(end).or_default() += 1);
        if let Err(what) = judged {
            wrong.push(format!("{case}, {error} at {call}: {what}"));
        }
    }
    println!("{case}: {} faults at {} calls, {ends:?}", ends.values().sum::<usize>(), points.len());
    wrong
}

/// Rust's own library panics when the directory that it read can't be closed, which no file system is known to refuse.
fn closes_directory(call: &Call, points: &[Call]) -> bool {
    let Some((directory, _)) = call.text.split_once(')').filter(|_| call.name == "close") else {
        return false;
    };
    points.iter().any(|point| point.name == "getdents64" && point.text.starts_with(directory))
}

fn fail(world: &World, call: &Call, error: &str) -> Result<&'static str, String> {
    let outcome = world.at(call, |command| strace::fail_at(command, call, error))?;
    let judged = world.origins_are_clean().and_then(|()| end_of(world, call, &outcome));
    world.next_run().and(judged).map_err(|what| format!("{what}\n{}", outcome.stderr))
}

/// How a run with a failing call ended, which must be in order.
fn end_of(world: &World, call: &Call, outcome: &Outcome) -> Result<&'static str, String> {
    if outcome.stderr.contains("panicked") {
        return Err("a panic".into());
    }
    // What can't be removed stays until the next run.
    let removes = ["unlink", "unlinkat", "rmdir"].contains(&call.name.as_str());
    let told = outcome.stderr.contains("warning: ") && outcome.stderr.contains("can't be removed");
    if !removes && !told {
        world.is_as_before()?;
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
