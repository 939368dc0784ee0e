//! Colours, sizes, counts and folded lists.

use anstyle::{AnsiColor, Style};

/// `error:` and what is missing.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Headings and names of inputs.
pub const HEADING: Style = Style::new().bold();
/// What went well: a tag that is earned, a file that was written.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is carried.
pub const CARRIED: Style = AnsiColor::Yellow.on_default();
/// Labels, rules, places.
pub const DIM: Style = Style::new().dimmed();

/// A list without `-v` shows so many lines.
pub const FOLD: usize = 10;

/// As many names as there are, for [`names`].
pub const ALL: usize = usize::MAX;

/// `text` in `style`.
pub fn paint(style: Style, text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    if text.is_empty() { text } else { format!("{style}{text}{style:#}") }
}

/// `1 file`, `3 files`; `-ies` for words in `y`.
pub fn count(n: usize, word: &str) -> String {
    match (n, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {word}s"),
    }
}

/// Bytes in decimal units: `840 B`, `16.2 kB`, `177 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = ["kB", "MB", "GB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        // 999.95 would be rounded to a fourth digit.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < 99.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// The first `most` names and how many more there are: `a.so, b.so and 3 more`.
pub fn names<S: AsRef<str>>(names: &[S], most: usize) -> String {
    // One name more is hardly longer than the words that would stand for it.
    let shown = if names.len() <= most.saturating_add(1) { names.len() } else { most };
    let list: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    match names.len() - list.len() {
        0 => list.join(", "),
        more => format!("{} and {more} more", list.join(", ")),
    }
}

/// `lines`, each indented by `indent` and ended; without `all` only the first ones and how many more there are.
pub fn fold(lines: &[String], indent: &str, all: bool) -> String {
    let shown = if all || lines.len() <= FOLD + 1 { lines.len() } else { FOLD };
    let mut text: String = lines.iter().take(shown).map(|line| format!("{indent}{line}\n")).collect();
    if shown < lines.len() {
        text += &format!(
            "{indent}{}\n",
            paint(DIM, format!("… and {} more (-v shows all)", lines.len() - shown))
        );
    }
    text
}

/// Rows of columns, padded so that the columns line up; one that is empty in every row takes no room. A column is
/// painted in its style.
pub fn columns<const N: usize>(rows: &[[String; N]], styles: [Style; N]) -> Vec<String> {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; N]| {
        let last = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or_default();
        let cells = row.iter().zip(styles).zip(&widths).enumerate().take(last + 1);
        let cells = cells.filter(|(_, (_, width))| **width > 0).map(|(at, ((cell, style), width))| {
            let pad = if at == last { 0 } else { width - cell.chars().count() };
            format!("{}{:pad$}", paint(style, cell), "")
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_counts_names() {
        let sizes = [0, 999, 1000, 16_249, 99_940, 999_400, 999_999, 177_000_000, 5_400_000_000];
        let want = ["0 B", "999 B", "1.0 kB", "16.2 kB", "99.9 kB", "999 kB", "1.0 MB", "177 MB", "5.4 GB"];
        assert_eq!(sizes.map(size), want);
        assert_eq!(
            [count(1, "library"), count(2, "library"), count(0, "file")],
            ["1 library", "2 libraries", "0 files"]
        );
        assert_eq!(names(&["a", "b", "c"], 2), "a, b, c");
        assert_eq!(names(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
