//! `spokeshave merge` for people.

use std::time::Duration;

use spokeshave_core::pipeline::{MergeReport, PartialReport};

use super::style::{DIM, GOOD, HEADING, count, fold, names, paint, size};
use crate::formats::platform_tags;

/// What became of the wheels (or would, with `--dry-run`). Warnings are not in it: they are told as they come.
pub fn merge(report: &MergeReport, elapsed: Duration, verbose: bool) -> String {
    let name = report.output.file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!("{}\n", paint(HEADING, name));
    let mut field =
        |label: &str, value: String| text += &format!("  {}  {value}\n", paint(DIM, format!("{label:<8}")));

    let claimed: Vec<String> = report.inputs.iter().map(|input| platform_tags(input).join(".")).collect();
    field("tag", format!("{} → {}", claimed.join(" + "), paint(GOOD, report.tags.join("."))));
    let listed = |what: String, lines: &[String]| {
        let list = if verbose { format!("\n{}", fold(lines, "    ", true)) } else { String::new() };
        format!("{what}{}", list.trim_end_matches('\n'))
    };
    field("joined", listed(count(report.joined.len(), "binary"), &report.joined));
    if !report.partial.is_empty() {
        let line = |partial: &PartialReport| {
            let tags: Vec<&str> =
                partial.inputs.iter().filter_map(|at| claimed.get(*at)).map(String::as_str).collect();
            format!("{}: {}", partial.path, names(&tags, 3))
        };
        let lines: Vec<String> = report.partial.iter().map(line).collect();
        let what = format!("{} that not all wheels have", count(report.partial.len(), "file"));
        field("as it is", listed(what, &lines));
    }
    let output = paint(GOOD, report.output.display());
    match report.dry_run {
        true => field("dry run", format!("would write {output}")),
        false => {
            field("written", format!("{output} ({}) in {:.2} s", size(report.size), elapsed.as_secs_f64()))
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{self, plain};

    fn text(report: &MergeReport, verbose: bool) -> String {
        plain(&merge(report, Duration::from_millis(123), verbose))
    }

    #[test]
    fn merged() {
        insta::assert_snapshot!(text(&samples::merge(), false), @"
        demo-1.0-cp39-abi3-macosx_11_0_universal2.whl
          tag       macosx_11_0_x86_64 + macosx_11_0_arm64 → macosx_11_0_universal2
          joined    2 binaries
          as it is  2 files that not all wheels have
          written   dist/demo-1.0-cp39-abi3-macosx_11_0_universal2.whl (4.9 MB) in 0.12 s
        ");
        insta::assert_snapshot!(text(&samples::merge(), true), @"
        demo-1.0-cp39-abi3-macosx_11_0_universal2.whl
          tag       macosx_11_0_x86_64 + macosx_11_0_arm64 → macosx_11_0_universal2
          joined    2 binaries
            demo/_a.so
            demo/_b.so
          as it is  2 files that not all wheels have
            demo.dylibs/liba-01234567.dylib: macosx_11_0_x86_64
            demo/readme.txt: macosx_11_0_arm64
          written   dist/demo-1.0-cp39-abi3-macosx_11_0_universal2.whl (4.9 MB) in 0.12 s
        ");
        let plain = MergeReport { partial: Vec::new(), dry_run: true, ..samples::merge() };
        insta::assert_snapshot!(text(&plain, false), @"
        demo-1.0-cp39-abi3-macosx_11_0_universal2.whl
          tag       macosx_11_0_x86_64 + macosx_11_0_arm64 → macosx_11_0_universal2
          joined    2 binaries
          dry run   would write dist/demo-1.0-cp39-abi3-macosx_11_0_universal2.whl
        ");
    }
}
