//! `spokeshave bundle` and `spokeshave cargo` for people.

use std::time::Duration;

use anstyle::Style;
use spokeshave_core::Obstacle;
use spokeshave_core::pipeline::{BundleReport, BundledReport, Mode};

use super::carried::carried;
use super::obstacles::obstacles;
use super::style::{DIM, GOOD, HEADING, columns, count, fold, names, paint};

/// What became of a bundle (or would, with `--dry-run`). Warnings are not in it: they are told as they come.
pub fn bundle(report: &BundleReport, elapsed: Duration, verbose: bool) -> String {
    let checked = report.mode == Mode::Check;
    let heading = if checked {
        names(&report.artifacts.iter().map(|artifact| artifact.path.as_str()).collect::<Vec<_>>(), 3)
    } else {
        report.output.file_name().unwrap_or(report.output.as_os_str()).to_string_lossy().into_owned()
    };
    let mut text = format!("{}\n", paint(HEADING, heading));
    let mut field =
        |label: &str, value: String| text += &format!("  {}  {value}\n", paint(DIM, format!("{label:<8}")));

    if !report.tags.is_empty() {
        field("tag", paint(GOOD, report.tags.join(".")));
    }
    if !report.carried.is_empty() {
        field("carried", carried(&report.carried, verbose));
    }
    field(
        "binaries",
        format!("{}\n{}", counts(&report.artifacts), fold(&binaries(report), "    ", verbose).trim_end()),
    );
    if let Some(sbom) = report.sbom.as_deref().filter(|_| verbose) {
        field("sbom", sbom.to_owned());
    }
    // What carrying removes is removed.
    let lasting: Vec<Obstacle> = report.obstacles.iter().filter(|o| !o.repairable).cloned().collect();
    if verbose && !lasting.is_empty() {
        field("why", format!("no better tag\n{}", obstacles(&lasting, "    ", true).trim_end()));
    }
    let output = paint(GOOD, report.output.display());
    if checked {
        field("checked", "nothing needs to be carried".to_owned());
    } else if report.dry_run {
        field("dry run", format!("would write {output}"));
    } else {
        field("written", format!("{output} in {:.2} s", elapsed.as_secs_f64()));
    }
    text
}

fn counts(artifacts: &[BundledReport]) -> String {
    let all = count(artifacts.len(), "binary");
    match artifacts.iter().filter(|artifact| artifact.patched).count() {
        0 => all,
        patched => format!("{all}, {patched} patched"),
    }
}

fn binaries(report: &BundleReport) -> Vec<String> {
    let row = |artifact: &BundledReport| {
        let left_alone = report.left_alone.iter().find(|binary| binary.path == artifact.path);
        let what = match left_alone {
            Some(binary) => format!("as it is: {}", binary.reason),
            None if artifact.patched => "patched".to_owned(),
            None => "as it is".to_owned(),
        };
        [artifact.path.clone(), what, format!("from {}", artifact.origin.display())]
    };
    let rows: Vec<[String; 3]> = report.artifacts.iter().map(row).collect();
    columns(&rows, [Style::new(), Style::new(), DIM])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{self, plain};

    fn text(report: &BundleReport, verbose: bool) -> String {
        plain(&bundle(report, Duration::from_millis(123), verbose))
    }

    #[test]
    fn a_bundle() {
        insta::assert_snapshot!(text(&samples::bundle(), false), @"
        app
          tag       manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   3 libraries, 1.3 MB
            libgreet.so.1 → libgreet-0123abcd.so.1  16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            libtext.so.2 → libtext-89abcdef.so.2    1.2 MB   for libgreet.so.1
            libplugin.so                            900 B    included
          binaries  3 binaries, 1 patched
            bin/app     patched                   from target/release/app
            bin/helper  as it is                  from target/release/helper
            bin/static  as it is: static program  from target/release/static
          written   dist/app in 0.12 s
        ");
        insta::assert_snapshot!(text(&samples::bundle(), true), @"
        app
          tag       manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   3 libraries, 1.3 MB
            libgreet.so.1 → libgreet-0123abcd.so.1  16.2 kB  from /opt/lib/libgreet.so.1  for demo/_a.so, demo/_b.so, demo/_c.so, demo/_d.so
            libtext.so.2 → libtext-89abcdef.so.2    1.2 MB   from /opt/lib/libtext.so.2   for libgreet.so.1
            libplugin.so                            900 B    from /opt/lib/libplugin.so   included
          binaries  3 binaries, 1 patched
            bin/app     patched                   from target/release/app
            bin/helper  as it is                  from target/release/helper
            bin/static  as it is: static program  from target/release/static
          sbom      app.cdx.json
          why       no better tag
            manylinux_2_17_x86_64 at best
              memcpy@GLIBC_2.14  of libc.so.6  in demo/_a.so
          written   dist/app in 0.12 s
        ");
        insta::assert_snapshot!(text(&BundleReport { dry_run: true, ..samples::bundle() }, false), @"
        app
          tag       manylinux_2_17_x86_64.manylinux2014_x86_64
          carried   3 libraries, 1.3 MB
            libgreet.so.1 → libgreet-0123abcd.so.1  16.2 kB  for demo/_a.so, demo/_b.so and 2 more
            libtext.so.2 → libtext-89abcdef.so.2    1.2 MB   for libgreet.so.1
            libplugin.so                            900 B    included
          binaries  3 binaries, 1 patched
            bin/app     patched                   from target/release/app
            bin/helper  as it is                  from target/release/helper
            bin/static  as it is: static program  from target/release/static
          dry run   would write dist/app
        ");
    }

    #[test]
    fn nothing_carried() {
        let bare = BundleReport {
            carried: Vec::new(),
            tags: Vec::new(),
            obstacles: Vec::new(),
            left_alone: Vec::new(),
            sbom: None,
            ..samples::bundle()
        };
        insta::assert_snapshot!(text(&BundleReport { mode: Mode::Check, ..bare.clone() }, false), @"
        bin/app, bin/helper, bin/static
          binaries  3 binaries, 1 patched
            bin/app     patched   from target/release/app
            bin/helper  as it is  from target/release/helper
            bin/static  as it is  from target/release/static
          checked   nothing needs to be carried
        ");
        insta::assert_snapshot!(text(&BundleReport { mode: Mode::Skip, ..bare }, false), @"
        app
          binaries  3 binaries, 1 patched
            bin/app     patched   from target/release/app
            bin/helper  as it is  from target/release/helper
            bin/static  as it is  from target/release/static
          written   dist/app in 0.12 s
        ");
    }
}
