//! What went wrong, where, and what to do about it.

use std::fmt;

/// The result that crosses the [`Repairer`](crate::Repairer) trait: an [`Error`] travels inside [`anyhow::Error`].
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;

/// A failure that says what, where (path and byte offset) and what to do.
///
/// Shown as `path: what (at offset 0x40)`; the hint is a line of its own that the CLI prints after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, in lower case, without a full stop.
    pub what: String,
    /// The file, member of a wheel, or option that it is about.
    pub path: Option<String>,
    /// The absolute byte offset in that file.
    pub offset: Option<u64>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl Error {
    /// An error that says only what is wrong.
    pub fn new(what: impl Into<String>) -> Self {
        Error { what: what.into(), path: None, offset: None, hint: None }
    }

    /// Names the file; the innermost name wins, so an outer caller may call this without knowing.
    #[must_use]
    pub fn at(mut self, path: impl fmt::Display) -> Self {
        self.path.get_or_insert_with(|| path.to_string());
        self
    }

    /// Names the absolute byte offset.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(offset) = self.offset {
            write!(f, " (at offset {offset:#x})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Names the file of an error that may already travel inside [`anyhow::Error`].
pub trait Locate<T> {
    /// Adds `path` to an [`Error`] that has none; other errors get it as context.
    fn locate(self, path: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Locate<T> for std::result::Result<T, E> {
    fn locate(self, path: impl fmt::Display) -> Result<T> {
        self.map_err(|error| match error.into().downcast::<Error>() {
            Ok(error) => error.at(path).into(),
            Err(other) => other.context(path.to_string()),
        })
    }
}
