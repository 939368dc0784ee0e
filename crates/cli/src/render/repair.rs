//! `spokeshave repair` for people.

use std::time::Duration;

use spokeshave_core::Obstacle;
use spokeshave_core::pipeline::{Moved, Outcome, RepairReport, Sizes};

use super::carried::carried;
use super::obstacles::obstacles;
use super::style::{DIM, GOOD, HEADING, count, fold, paint, size};
use crate::formats::platform_tags;

/// What became of one wheel (or would, with `--dry-run`). Warnings are not in it: they are told as they come.
pub fn repair(report: &RepairReport, elapsed: Duration, verbose: bool) -> String {
    let name = report.input.file_name().unwrap_or_default().to_string_lossy();
    let nothing = match report.outcome {
        Outcome::Repaired => "",
        Outcome::Unchanged => ": nothing is to be changed",
        Outcome::Pure => ": a pure wheel, no binaries to repair",
    };
    let mut text = format!("{}{nothing}\n", paint(HEADING, name));
    let mut field =
        |label: &str, value: String| text += &format!("  {}  {value}\n", paint(DIM, format!("{label:<8}")));

    let (before, after) = (platform_tags(&report.input).join("."), report.tags.join("."));
    if before == after || before.is_empty() {
        field("tag", after);
    } else {
        field("tag", format!("{before} → {}", paint(GOOD, after)));
    }
    if !report.carried.is_empty() {
        field("carried", carried(&report.carried, verbose));
    }
    let listed = |what: &str, lines: &[String]| {
        let list = if verbose { format!("\n{}", fold(lines, "    ", true)) } else { String::new() };
        format!("{}{}", count(lines.len(), what), list.trim_end_matches('\n'))
    };
    if !report.patched.is_empty() {
        field("patched", listed("binary", &report.patched));
    }
    for Moved { from, to } in &report.moved {
        field("moved", format!("{from} → {to}, behind a script that runs it"));
    }
    if !report.left_alone.is_empty() {
        let lines: Vec<String> =
            report.left_alone.iter().map(|binary| format!("{}: {}", binary.path, binary.reason)).collect();
        field("as it is", listed("binary", &lines));
    }
    if let Some(sbom) = report.sbom.as_deref().filter(|_| verbose) {
        field("sbom", sbom.to_owned());
    }
    // What carrying removes is removed.
    let lasting: Vec<Obstacle> = report.obstacles.iter().filter(|o| !o.repairable).cloned().collect();
    if verbose && !lasting.is_empty() {
        field("why", format!("no better tag\n{}", obstacles(&lasting, "    ", true).trim_end()));
    }
    let output = paint(GOOD, report.output.display());
    if report.dry_run {
        field("dry run", format!("would write {output}"));
    } else {
        let Sizes { input: old, output: new } = report.bytes;
        let sizes = if old == new { size(new) } else { format!("{}, was {}", size(new), size(old)) };
        let label = if report.outcome == Outcome::Repaired { "written" } else { "copied" };
        field(label, format!("{output} ({sizes}) in {:.2} s", elapsed.as_secs_f64()));
    }
    text
}

#[cfg(test)]
mod tests {
    use spokeshave_core::pipeline::CarriedReport;

    use super::*;
    use crate::render::samples::{self, plain};

    fn text(report: &RepairReport, verbose: bool) -> String {
        plain(&repair(report, Duration::from_millis(123), verbose))
    }

    #[test]
    fn a_repaired_wheel() {
        insta::assert_snapshot!(text(&samples::repair(), false), @"
        demo-1.0-cp311-cp311-linux_x86_64.whl
          tag       linux_x86_64 → manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   3 libraries, 1.3 MB
            libgreet.so.1 → libgreet-0123abcd.so.1  16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            libtext.so.2 → libtext-89abcdef.so.2    1.2 MB   for libgreet.so.1
            libplugin.so                            900 B    included
          patched   2 binaries
          moved     demo-1.0.data/scripts/tool → demo.scripts/tool, behind a script that runs it
          as it is  1 binary
          written   wheelhouse/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl (4.9 MB, was 4.2 MB) in 0.12 s
        ");
        insta::assert_snapshot!(text(&samples::repair(), true), @"
        demo-1.0-cp311-cp311-linux_x86_64.whl
          tag       linux_x86_64 → manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   3 libraries, 1.3 MB
            libgreet.so.1 → libgreet-0123abcd.so.1  16.2 kB  from /opt/lib/libgreet.so.1  for demo/_a.so, demo/_b.so, demo/_c.so, demo/_d.so
            libtext.so.2 → libtext-89abcdef.so.2    1.2 MB   from /opt/lib/libtext.so.2   for libgreet.so.1
            libplugin.so                            900 B    from /opt/lib/libplugin.so   included
          patched   2 binaries
            demo/_a.so
            demo/_b.so
          moved     demo-1.0.data/scripts/tool → demo.scripts/tool, behind a script that runs it
          as it is  1 binary
            demo/part.o: object file
          sbom      demo-1.0.dist-info/sboms/spokeshave.cdx.json
          why       no better tag
            manylinux_2_17_x86_64 at best
              memcpy@GLIBC_2.14  of libc.so.6  in demo/_a.so
          written   wheelhouse/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl (4.9 MB, was 4.2 MB) in 0.12 s
        ");
    }

    #[test]
    fn nothing_to_do() {
        let bare = RepairReport {
            carried: Vec::new(),
            patched: Vec::new(),
            moved: Vec::new(),
            left_alone: Vec::new(),
            obstacles: Vec::new(),
            sbom: None,
            bytes: Sizes { input: 840, output: 840 },
            ..samples::repair()
        };
        let pure = RepairReport {
            outcome: Outcome::Pure,
            input: "demo-1.0-py3-none-any.whl".into(),
            output: "wheelhouse/demo-1.0-py3-none-any.whl".into(),
            tags: vec!["any".into()],
            ..bare.clone()
        };
        insta::assert_snapshot!(text(&pure, false), @"
        demo-1.0-py3-none-any.whl: a pure wheel, no binaries to repair
          tag       any
          copied    wheelhouse/demo-1.0-py3-none-any.whl (840 B) in 0.12 s
        ");
        let unchanged = RepairReport {
            outcome: Outcome::Unchanged,
            input: bare.output.clone(),
            dry_run: true,
            ..bare.clone()
        };
        insta::assert_snapshot!(text(&unchanged, false), @"
        demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl: nothing is to be changed
          tag       manylinux_2_17_x86_64.manylinux2014_x86_64
          dry run   would write wheelhouse/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
        ");
    }

    #[test]
    fn long_lists_are_folded() {
        let mut report = samples::repair();
        let lib = report.carried.remove(0);
        report.carried = (0..30)
            .map(|n| CarriedReport { original: format!("lib{n}{}.so", "x".repeat(n)), ..lib.clone() })
            .collect();
        insta::assert_snapshot!(text(&report, false), @"
        demo-1.0-cp311-cp311-linux_x86_64.whl
          tag       linux_x86_64 → manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   30 libraries, 487 kB
            lib0.so → libgreet-0123abcd.so.1           16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib1x.so → libgreet-0123abcd.so.1          16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib2xx.so → libgreet-0123abcd.so.1         16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib3xxx.so → libgreet-0123abcd.so.1        16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib4xxxx.so → libgreet-0123abcd.so.1       16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib5xxxxx.so → libgreet-0123abcd.so.1      16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib6xxxxxx.so → libgreet-0123abcd.so.1     16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib7xxxxxxx.so → libgreet-0123abcd.so.1    16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib8xxxxxxxx.so → libgreet-0123abcd.so.1   16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            lib9xxxxxxxxx.so → libgreet-0123abcd.so.1  16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            … and 20 more (-v shows all)
          patched   2 binaries
          moved     demo-1.0.data/scripts/tool → demo.scripts/tool, behind a script that runs it
          as it is  1 binary
          written   wheelhouse/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl (4.9 MB, was 4.2 MB) in 0.12 s
        ");
        assert_eq!(text(&report, true).matches("-0123abcd").count(), 30);
    }
}
