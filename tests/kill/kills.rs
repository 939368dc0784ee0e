//! SIGKILL at every file-system call.

use spokeshave_testkit::strace;

use crate::world::{Door, Output, Place, World};

/// Kills a run at every `stride`-th of its calls, and lets the next run do its work.
#[track_caller]
pub fn kill_everywhere(place: Place, door: Door, stride: usize) {
    let world = World::new(place, door);
    let calls = world.calls();
    let mut done = 0;
    for call in calls.iter().step_by(stride) {
        let when = format!("{door:?} {place:?} killed at {} {} {}", call.name, call.nth, call.text);
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
    println!("{door:?} {place:?}: killed at {done} of {} calls", calls.len());
}
