//! SIGKILL at every file-system call.

use spokeshave_testkit::strace::{self, Call};

use crate::case::Case;
use crate::world::World;

/// Kills a run at every `stride`-th point of it, and each time lets the next run do its work; what went wrong.
#[track_caller]
pub fn kill_everywhere(case: Case, stride: usize) -> Vec<String> {
    let world = World::new(case);
    let points = world.points();
    let chosen: Vec<&Call> = points.iter().step_by(stride).collect();
    let judge = |call: &Call| {
        world.at(call, |command| strace::kill_at(command, call).then_some(()))?;
        let judged = world.origins_are_clean().and_then(|()| world.output());
        // The next run works also where this one did harm.
        world.next_run().and(judged.map(drop))
    };
    let wrong = chosen.iter().filter_map(|call| Some((call, judge(call).err()?)));
    let wrong: Vec<String> = wrong.map(|(call, what)| format!("{case}, killed at {call}: {what}")).collect();
    println!("{case}: killed at {} of {} points, {} went wrong", chosen.len(), points.len(), wrong.len());
    wrong
}
