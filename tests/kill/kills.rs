//! SIGKILL at every file-system call.

use spokeshave_testkit::strace;

use crate::world::{Case, Output, World};

/// Kills a run at every `stride`-th point of it, and each time lets the next run do its work.
#[track_caller]
pub fn kill_everywhere(case: Case, stride: usize) {
    let world = World::new(case);
    let points = world.points();
    let mut done = 0;
    for call in points.iter().step_by(stride) {
        let when = format!("{case:?} killed at {} {} {}", call.name, call.nth, call.text);
        world.reset();
        strace::kill_at(&world.command(), call);
        world.origins_are_clean(&when);
        world.output(&when);
        let when = format!("{when}, and run again");
        let outcome = world.run();
        assert_eq!(outcome.code, Some(0), "{when}: {outcome:?}");
        world.output_is(Output::Complete, &when);
        world.is_as_before(&when);
        done += 1;
    }
    println!("{case:?}: killed at {done} of {} points", points.len());
}
