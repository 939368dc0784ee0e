//! The libraries that are carried.

use anstyle::Style;
use spokeshave_core::pipeline::CarriedReport;

use super::style::{ALL, CARRIED, DIM, FOLD, columns, count, fold, names, size};

/// How many libraries are carried, and a line for each.
pub fn carried(libraries: &[CarriedReport], verbose: bool) -> String {
    let row = |lib: &CarriedReport| {
        let new = lib.path.rsplit('/').next().unwrap_or_default();
        let name = if new == lib.original { new.to_owned() } else { format!("{} → {new}", lib.original) };
        let needed = names(&lib.needed_by, if verbose { ALL } else { 2 });
        let needed = if needed.is_empty() { "included".to_owned() } else { format!("for {needed}") };
        let source = if verbose { format!("from {}", lib.source) } else { String::new() };
        [name, size(lib.size), source, needed]
    };
    // Only what will be seen is measured, or one long name that is folded away would push the columns apart.
    let seen = if verbose || libraries.len() <= FOLD + 1 { libraries.len() } else { FOLD };
    let rows: Vec<[String; 4]> = libraries.iter().take(seen).map(row).collect();
    let mut lines = columns(&rows, [CARRIED, Style::new(), DIM, DIM]);
    lines.extend(libraries.iter().skip(seen).map(|lib| lib.original.clone()));
    let bytes = libraries.iter().map(|lib| lib.size).sum();
    let list = fold(&lines, "    ", verbose);
    format!("{}, {}\n{}", count(libraries.len(), "library"), size(bytes), list.trim_end())
}
