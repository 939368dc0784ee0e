//! Disks that are full in truth.

use spokeshave_testkit::{mounts, run};

use crate::case::{Case, Door, Place};
use crate::world::{Output, World};

/// The output goes to a file system of every size from one that holds nothing to one that holds it all, and to one with
/// every number of inodes.
pub fn output_side() {
    let world = World::new(Case::new(Place::Linked, Door::Bundle));
    let sizes = (4..).step_by(4).map(|kilobytes| format!("mode=755,size={kilobytes}k"));
    let inodes = (1..).map(|count| format!("mode=755,nr_inodes={count}"));
    for (what, all) in
        [("sizes", Box::new(sizes) as Box<dyn Iterator<Item = String>>), ("inodes", Box::new(inodes))]
    {
        let refused = all.take_while(|options| is_refused(&world, options)).count();
        println!("{refused} {what} are too small");
        assert!((4..100).contains(&refused));
    }
}

/// Whether the disk is too small; both ends must be in order.
fn is_refused(world: &World, options: &str) -> bool {
    world.reset();
    let _mounted = mounts::tmpfs(&world.root().join("out"), options);
    let outcome = world.run();
    world.is_as_before().unwrap_or_else(|what| panic!("{options}: {what}\n{outcome:?}"));
    let output = world.output().unwrap_or_else(|what| panic!("{options}: {what}\n{outcome:?}"));
    match (outcome.code, output) {
        (Some(0), Output::Complete) => false,
        (Some(1), Output::Before) => {
            let out = world.root().join("out");
            outcome.complains(&["No space left", out.to_str().unwrap(), "make room"]);
            true
        }
        end => panic!("{options}: {end:?} {outcome:?}"),
    }
}

/// No room beside the origins, for `.spokeshave` itself and then for a link in it: it goes on with copies.
pub fn origin_side() {
    let world = World::new(Case::new(Place::OtherDevice, Door::Bundle));
    let target = world.root().join("target");
    let target = target.to_str().unwrap();
    let used: usize = run("df", ["--output=iused", target]).lines().last().unwrap().trim().parse().unwrap();
    for free in 0..3 {
        world.reset();
        run("mount", ["-o", &format!("remount,nr_inodes={}", used + free), target]);
        let report = world.run_with(&["--json"]).exits(0).json();
        let holds = [&report["artifacts"][0]["hold"], &report["artifacts"][1]["hold"]];
        // A file without a name counts too, so the first link is in its place when there is room for two.
        assert_eq!(holds, [["mirrored", "linked"][usize::from(free == 2)], "mirrored"], "{free} free");
        world.output_is(Output::Complete).and_then(|()| world.is_as_before()).unwrap();
    }
}
