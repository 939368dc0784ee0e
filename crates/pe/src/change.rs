//! What is to change in one PE file: made by the planner, carried out by the editor.

/// The changes of one file, all carried out in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Names in the import and delay import tables and what they become. They are compared as Windows compares them,
    /// without case; of two entries for one name the first counts.
    pub imports: Vec<(String, String)>,
}

impl Changes {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        self.imports.is_empty()
    }

    /// What a name becomes; `None` when it stays.
    pub fn renamed(&self, name: &str) -> Option<&str> {
        let entry = self.imports.iter().find(|(old, _)| same_name(old, name));
        entry.map(|(_, new)| new.as_str()).filter(|new| *new != name)
    }
}

/// Whether two names are one DLL's to Windows, which compares without case.
pub fn same_name(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right) || (!left.is_ascii() && left.to_lowercase() == right.to_lowercase())
}
