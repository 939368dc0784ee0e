//! `spokeshave editable` for people.

use spokeshave_core::pipeline::EditableReport;

use super::style::{DIM, GOOD, HEADING, count, paint};

/// What became of a binary. Warnings, which say why nothing changed, are not in it: they are told as they come.
pub fn editable(report: &EditableReport) -> String {
    let name = report.origin.file_name().unwrap_or_default().to_string_lossy();
    let what = if report.patched {
        let paths = report.linked_paths.iter().map(|path| format!("\n    {}", path.display()));
        format!(
            "searches {} at run time{}",
            count(report.linked_paths.len(), "linked path"),
            paths.collect::<String>()
        )
    } else {
        "identical: nothing is to be changed".to_owned()
    };
    let field = |label: &str, value: String| format!("  {}  {value}\n", paint(DIM, format!("{label:<8}")));
    let written = field("written", paint(GOOD, report.output.display()));
    format!("{}\n{}{written}", paint(HEADING, name), field("copy", what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{self, plain};

    #[test]
    fn extended_or_identical() {
        let report = samples::editable();
        insta::assert_snapshot!(plain(&editable(&report)), @"
        app
          copy      searches 2 linked paths at run time
            /opt/ext/lib
            /opt/more
          written   run/app
        ");
        let report = EditableReport { patched: false, ..report };
        insta::assert_snapshot!(plain(&editable(&report)), @"
        app
          copy      identical: nothing is to be changed
          written   run/app
        ");
    }
}
