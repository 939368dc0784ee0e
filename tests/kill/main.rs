//! A run that dies or is refused something, at any file-system call of it: the origins stay clean, the deliverable is
//! whole or not there, and the next run leaves nothing behind.

mod kills;
mod world;

use spokeshave_testkit::mounts::in_own_mounts;
use world::{Door, Place};

use crate::kills::kill_everywhere;

#[test]
fn wheel_killed() {
    kill_everywhere(Place::Linked, Door::Wheel, 1);
}
