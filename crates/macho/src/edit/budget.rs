//! The header budget: whether longer names fit before the first section. Nothing behind it can move, since code refers
//! to data by distance.

use super::goal::Goal;
use crate::change::SliceChanges;
use crate::facts::Slice;

/// What changes take of the room behind a slice's load commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Bytes that the load commands grow by; 0 when they do not.
    pub needed: u64,
    /// Bytes that there are.
    pub available: u64,
}

impl Budget {
    /// Bytes that are missing; 0 when it fits.
    pub fn missing(&self) -> u64 {
        self.needed.saturating_sub(self.available)
    }
}

/// The budget of `changes` in `slice`, the `LC_CODE_SIGNATURE` command that an unsigned arm64 slice gets included.
pub fn budget(slice: &Slice, changes: &SliceChanges) -> Budget {
    let growth = Goal::of(slice, changes).map_or(0, |goal| goal.growth(slice));
    Budget { needed: u64::try_from(growth).unwrap_or(0), available: slice.header_room.into() }
}
