//! Errors as text and as data.

use std::io::Write as _;

use serde::Serialize;
use spokeshave_core::Error;

use crate::render::style;

/// An error as `--json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// What is wrong, with what led to it.
    pub what: String,
    /// The file, member of a wheel, or option that it is about.
    pub path: Option<String>,
    /// The absolute byte offset in that file.
    pub offset: Option<u64>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl ErrorReport {
    /// Takes `error` apart.
    pub fn new(error: &anyhow::Error) -> Self {
        match core_error(error) {
            Some(core) => ErrorReport {
                what: message(error).replacen(&core.to_string(), &core.what, 1),
                path: core.path.clone(),
                offset: core.offset,
                hint: core.hint.clone(),
            },
            None => ErrorReport { what: message(error), path: None, offset: None, hint: None },
        }
    }
}

/// The error of the vocabulary that travels inside `error`.
pub fn core_error(error: &anyhow::Error) -> Option<&Error> {
    error.downcast_ref().or_else(|| error.chain().find_map(|cause| cause.downcast_ref()))
}

/// `error: …` and, when something can be done about it, `hint: …`; lines end with a line feed.
fn error_text(error: &anyhow::Error) -> String {
    let mut text = format!("{}: {}\n", style::paint(style::ERROR, "error"), message(error));
    if let Some(hint) = core_error(error).and_then(|core| core.hint.as_deref()) {
        text += &format!("{}: {hint}\n", style::paint(style::HINT, "hint"));
    }
    text
}

/// Prints `error` on stderr; nothing can be done when even that fails.
pub fn print_error(error: &anyhow::Error) {
    let _ = anstream::stderr().write_all(error_text(error).as_bytes());
}

/// Prints a warning on stderr.
pub fn print_warning(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}: {text}", style::paint(style::WARNING, "warning"));
}

/// The error with its causes, outermost first; a cause that the message before it tells already is not told twice.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn plain(error: &anyhow::Error) -> String {
        anstream::adapter::strip_str(&error_text(error)).to_string()
    }

    #[test]
    fn says_what_where_and_what_to_do() {
        let core = Error::new("program header table ends past end of file").at("libfoo.so").offset(0x40);
        let bare: anyhow::Error = core.clone().into();
        insta::assert_snapshot!(plain(&bare), @"error: libfoo.so: program header table ends past end of file (at offset 0x40)");
        let nested = anyhow::Error::from(core.hint("build or fetch it again")).context("demo.whl");
        insta::assert_snapshot!(plain(&nested), @"
        error: demo.whl: libfoo.so: program header table ends past end of file (at offset 0x40)
        hint: build or fetch it again
        ");
        let report = ErrorReport::new(&nested);
        assert_eq!(report.what, "demo.whl: program header table ends past end of file");
        assert_eq!((report.path.as_deref(), report.offset), (Some("libfoo.so"), Some(0x40)));
        assert_eq!(report.hint.as_deref(), Some("build or fetch it again"));
    }

    #[test]
    fn an_error_as_context_keeps_its_hint() {
        let outer = Error::new("can't be read").at("a.whl").hint("look");
        let error = fs_err::read("no/such/file").context(outer).unwrap_err();
        insta::assert_snapshot!(plain(&error), @"
        error: a.whl: can't be read: failed to open file `no/such/file`: No such file or directory (os error 2)
        hint: look
        ");
        let what = ErrorReport::new(&error).what;
        assert!(
            what.starts_with("can't be read: ") && what.contains("No such file"),
            "the cause is not lost: {what}"
        );
    }
}
