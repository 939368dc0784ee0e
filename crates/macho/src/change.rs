//! What is to change in one Mach-O file: made by the planner, carried out by the editor.

/// The changes of one slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SliceChanges {
    /// The new `LC_ID_DYLIB` name; a slice without one is left without.
    pub id: Option<String>,
    /// Names in `LC_*_DYLIB` commands (the own one excepted) and what they become. All commands with that name follow.
    /// Two names that come to be one are told apart by a `./`, since dyld takes no library twice.
    pub dylibs: Vec<(String, String)>,
    /// The `LC_RPATH` list as it is to be; `None` leaves it alone.
    pub rpaths: Option<Vec<String>>,
}

/// The changes of one file, one entry a slice, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Per slice.
    pub slices: Vec<SliceChanges>,
    /// The file's name as it will be: what the identifier of a new signature is made of when there was none. No change
    /// by itself.
    pub file_name: String,
}

impl SliceChanges {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == SliceChanges::default()
    }
}

impl Changes {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        self.slices.iter().all(SliceChanges::is_empty)
    }
}
