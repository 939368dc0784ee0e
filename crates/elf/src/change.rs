//! What is to change in one ELF file: made by the planner, carried out by the editor.

/// The runtime search path that a file is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The tag that carries it; the other one is dropped.
    pub tag: PathTag,
    /// The entries, joined with `:`. With none, both tags are dropped.
    pub entries: Vec<String>,
}

/// `DT_RPATH` or `DT_RUNPATH` (gABI, "Dynamic Section").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathTag {
    /// `DT_RPATH`: searched before `LD_LIBRARY_PATH`, also for what the file's dependencies need.
    Rpath,
    /// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`, for the file's own needs only.
    Runpath,
}

/// The changes of one file, all carried out in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The new `DT_SONAME`; added when there was none.
    pub soname: Option<String>,
    /// `DT_NEEDED` names and what they become (`None`: the reference is taken out). The file names of the version
    /// needs (`vn_file`) follow.
    pub needed: Vec<(String, Option<String>)>,
    /// The new search path; `None` leaves it alone.
    pub search_path: Option<SearchPath>,
    /// Drop the sections that no segment loads.
    pub strip: bool,
}

impl Changes {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        self.soname.is_none() && self.needed.is_empty() && self.search_path.is_none() && !self.strip
    }
}
