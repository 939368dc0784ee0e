//! A file-system call that fails, at every one of them.

use std::collections::BTreeMap;

use spokeshave_testkit::strace::{self, Call};

use crate::world::{Case, Output, World};

const ERRORS: [&str; 4] = ["ENOSPC", "EACCES", "EXDEV", "EIO"];

/// Lets every `stride`-th call that touches what is ours fail, and looks at what the run says and leaves; then the next
/// run does its work.
#[track_caller]
pub fn fail_everywhere(case: Case, stride: usize) {
    let world = World::new(case);
    let points = world.points();
    let points: Vec<&Call> = points.iter().filter(|call| call.touches(world.root())).collect();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    // One error after the other at the same point with a stride, so that all come to all kinds of calls.
    let faults = points.iter().flat_map(|call| ERRORS.map(|error| (*call, error)));
    for (call, error) in faults.step_by(stride) {
        let when = format!("{case:?} {error} at {} {} {}", call.name, call.nth, call.text);
        world.reset();
        let outcome = strace::fail_at(&world.command(), call, error);
        world.origins_are_clean(&when);
        assert!(!outcome.stderr.contains("panicked"), "{when}: {outcome:?}");
        let end = match outcome.code {
            Some(0) => {
                world.output_is(Output::Complete, &when);
                if outcome.stderr.contains("warning: ") { "warned" } else { "went on" }
            }
            Some(1) => {
                world.output_is(Output::Before, &when);
                let named = outcome.stderr.contains("error: ")
                    && outcome.stderr.contains(world.root().to_str().unwrap());
                assert!(named, "{when}: {outcome:?}");
                "refused"
            }
            _ => panic!("{when}: {outcome:?}"),
        };
        *ends.entry(end).or_default() += 1;
        if let Some(difference) = world.difference()
            && !removes(call)
        {
            panic!("{when}: {outcome:?}\n{difference}");
        }
        let when = format!("{when}, and run again");
        world.run().exits(0);
        world.output_is(Output::Complete, &when);
        world.is_as_before(&when);
    }
    println!(
        "{case:?}: {} faults at {} calls, of which {ends:?}",
        ends.values().sum::<usize>(),
        points.len()
    );
}

/// Whether it is a call that takes something away: when that fails, it stays until the next run.
fn removes(call: &Call) -> bool {
    ["unlink", "unlinkat", "rmdir"].contains(&call.name.as_str())
}
