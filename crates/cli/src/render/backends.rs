//! `spokeshave backends` for people.

use super::style::{DIM, HEADING, columns, paint};
use crate::command::BackendReport;

/// Each backend with what it repairs, its tags and its options.
pub fn backends(reports: &[BackendReport]) -> String {
    let mut text = String::new();
    for report in reports {
        text += &format!("{}  {}\n", paint(HEADING, report.name), report.formats);
        let tags: Vec<String> = report.tag_prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
        let mut rows = vec![["tags".to_owned(), tags.join(" ")]];
        if !report.options.is_empty() {
            let options = report.options.iter().map(|option| match option.value {
                Some(value) => format!("--{} {value}", option.name),
                None => format!("--{}", option.name),
            });
            rows.push(["options".to_owned(), options.collect::<Vec<_>>().join(", ")]);
        }
        let strips = if report.strips { "yes" } else { "no" };
        rows.push(["--strip".to_owned(), strips.to_owned()]);
        for line in columns(&rows, [DIM, anstyle::Style::new()]) {
            text += &format!("  {line}\n");
        }
    }
    text
}
