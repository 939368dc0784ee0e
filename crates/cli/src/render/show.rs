//! `spokeshave show` for people.

use std::collections::BTreeMap;

use anstyle::Style;
use spokeshave_core::pipeline::{AuditReport, FileReport, FileRole, Refusal};
use spokeshave_core::{Missing, Tried};

use super::obstacles::obstacles;
use super::style::{
    ALL, CARRIED, DIM, ERROR, GOOD, HEADING, HINT, WARNING, columns, count, fold, names, paint,
};

/// The tag that an input earns and why no better one.
pub fn show(report: &AuditReport, verbose: bool) -> String {
    let mut text = format!("{}\n", paint(HEADING, report.input.display()));
    text += &tags(report);
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            text += &format!("  {}\n{body}", paint(HEADING, title));
        }
    };
    section("refused", refusal(report));
    section("not found", report.missing.iter().map(|missing| not_found(missing, verbose)).collect());
    section("why no better tag", obstacles(&report.obstacles, "    ", verbose));
    section("to be carried", libraries(report, FileRole::External, verbose));
    section("excluded", libraries(report, FileRole::Excluded, verbose));
    if verbose {
        section("promised by the target", libraries(report, FileRole::Promised, true));
    }
    section("facts", facts(report, verbose));
    section("left alone", left_alone(report, verbose));
    let warning = |warning: &String| format!("    {}\n", paint(WARNING, warning));
    section("warnings", report.warnings.iter().map(warning).collect());
    text
}

fn tags(report: &AuditReport) -> String {
    let list = |tags: &[String]| if tags.is_empty() { "none".to_owned() } else { tags.join(" ") };
    let external = report.files.iter().filter(|file| file.role == FileRole::External).count();
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |label: &str, value: String| rows.push([label.to_owned(), value]);
    let mut artifacts = report.files.iter().filter(|file| file.role == FileRole::Artifact);
    let nothing_loads = artifacts.all(|file| file.left_alone.is_some());
    if report.backend.is_none() {
        row("holds", "no binaries of a known format".to_owned());
    } else if nothing_loads {
        row("holds", "no binaries that a loader would load".to_owned());
    }
    if !report.claimed.is_empty() {
        row("claims", list(&report.claimed));
    }
    if report.backend.is_some() && !nothing_loads {
        // Two lines that say the same say it once.
        if report.tags_as_is == report.tags && external == 0 {
            row("earns", paint(GOOD, list(&report.tags)));
        } else {
            let how = if external > 0 {
                format!(", with {} carried", count(external, "library"))
            } else {
                String::new()
            };
            row("earns", format!("{}{how}", paint(GOOD, list(&report.tags))));
            row("as it is", list(&report.tags_as_is));
        }
    }
    columns(&rows, [DIM, Style::new()]).iter().map(|line| format!("  {line}\n")).collect()
}

fn refusal(report: &AuditReport) -> String {
    let Some(Refusal { what, hint }) = &report.refusal else { return String::new() };
    let hint = hint.as_ref().map(|hint| format!("    {}: {hint}\n", paint(HINT, "hint"))).unwrap_or_default();
    format!("    {}\n{hint}", what.replace('\n', "\n    "))
}

fn not_found(missing: &Missing, verbose: bool) -> String {
    let needed = names(&missing.needed_by, if verbose { ALL } else { 2 });
    let head = format!("    {}  {}\n", paint(ERROR, &missing.name), paint(DIM, format!("for {needed}")));
    head + &fold(&tried(&missing.tried), "      ", verbose)
}

/// One line per place that was looked at without success.
pub fn tried(tried: &[Tried]) -> Vec<String> {
    tried.iter().map(|t| format!("{}: {} {}", t.path, t.why, paint(DIM, format!("[{}]", t.rule)))).collect()
}

fn libraries(report: &AuditReport, role: FileRole, verbose: bool) -> String {
    let of_role = report.files.iter().enumerate().filter(|(_, file)| file.role == role);
    let row = |(index, file): (usize, &FileReport)| {
        let needs = report.files.iter().flat_map(|from| from.needs.iter().map(move |need| (from, need)));
        let mut askers: Vec<(&FileReport, &str)> = needs
            .filter(|(_, need)| need.file == Some(index))
            .map(|(from, need)| (from, need.rule.as_str()))
            .collect();
        let rule = askers.first().map(|(_, rule)| format!("[{rule}]")).unwrap_or_default();
        askers.sort_by_key(|(from, _)| &from.name);
        let mut askers: Vec<&str> = askers.into_iter().map(|(from, _)| from.name.as_str()).collect();
        askers.dedup();
        let needed = names(&askers, if verbose { ALL } else { 2 });
        let needed = if needed.is_empty() { String::new() } else { format!("for {needed}") };
        [file.name.clone(), file.path.clone().unwrap_or_default(), rule, needed]
    };
    let rows: Vec<[String; 4]> = of_role.map(row).collect();
    let style = if role == FileRole::External { CARRIED } else { Style::new() };
    fold(&columns(&rows, [style, Style::new(), DIM, DIM]), "    ", verbose)
}

/// What is so, and of which files; what holds for many stands once.
fn facts(report: &AuditReport, verbose: bool) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let shown = |file: &&FileReport| verbose || file.role == FileRole::Artifact;
    for file in report.files.iter().filter(shown) {
        for fact in &file.facts {
            groups.entry((&fact.label, &fact.value)).or_default().push(&file.name);
        }
    }
    let most = if verbose { ALL } else { 2 };
    let row = |((label, value), files): ((&str, &str), Vec<&str>)| {
        [label.to_owned(), value.to_owned(), names(&files, most)]
    };
    let rows: Vec<[String; 3]> = groups.into_iter().map(row).collect();
    fold(&columns(&rows, [Style::new(), Style::new(), DIM]), "    ", verbose)
}

fn left_alone(report: &AuditReport, verbose: bool) -> String {
    let line = |file: &FileReport| file.left_alone.as_ref().map(|why| format!("{}: {why}", file.name));
    let lines: Vec<String> = report.files.iter().filter_map(line).collect();
    fold(&lines, "    ", verbose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{self, obstacle, plain};

    #[test]
    fn everything_that_can_be_wrong() {
        insta::assert_snapshot!(plain(&show(&samples::audit(), false)), @"
        dist/demo-1.0-cp311-cp311-linux_x86_64.whl
          claims    linux_x86_64
          earns     manylinux_2_28_x86_64, with 2 libraries carried
          as it is  linux_x86_64
          refused
            manylinux2014 can't be had
            hint: ask for manylinux_2_28
          not found
            libgone.so.4  for demo/_ext.so
              /opt/lib/libgone.so.4: no such file [--lib-dir]
          why no better tag
            manylinux_2_28_x86_64 at best
              fcntl64@GLIBC_2.28  of libc.so.6  in demo/_ext.so, libtext.so.2
            manylinux_2_17_x86_64 at best
              memcpy@GLIBC_2.14  of libc.so.6  in demo/_ext.so
            nothing but the plain platform tag until it is repaired
              libgreet.so.1  in demo/_ext.so
          to be carried
            libgreet.so.1  /opt/lib/libgreet.so.1  [--lib-dir]                 for demo/_ext.so, libtext.so.2
            libtext.so.2   /opt/lib/libtext.so.2   [RUNPATH of libgreet.so.1]  for libgreet.so.1
          facts
            ISA level  x86-64-v2  demo/_ext.so
          left alone
            demo/part.o: object file
          warnings
            RECORD does not list demo/part.o
        ");
        insta::assert_snapshot!(plain(&show(&samples::audit(), true)), @"
        dist/demo-1.0-cp311-cp311-linux_x86_64.whl
          claims    linux_x86_64
          earns     manylinux_2_28_x86_64, with 2 libraries carried
          as it is  linux_x86_64
          refused
            manylinux2014 can't be had
            hint: ask for manylinux_2_28
          not found
            libgone.so.4  for demo/_ext.so
              /opt/lib/libgone.so.4: no such file [--lib-dir]
          why no better tag
            manylinux_2_28_x86_64 at best
              fcntl64@GLIBC_2.28  of libc.so.6  in demo/_ext.so, libtext.so.2
            manylinux_2_17_x86_64 at best
              memcpy@GLIBC_2.14  of libc.so.6  in demo/_ext.so
            nothing but the plain platform tag until it is repaired
              libgreet.so.1  in demo/_ext.so
          to be carried
            libgreet.so.1  /opt/lib/libgreet.so.1  [--lib-dir]                 for demo/_ext.so, libtext.so.2
            libtext.so.2   /opt/lib/libtext.so.2   [RUNPATH of libgreet.so.1]  for libgreet.so.1
          promised by the target
            libc.so.6             /lib/x86_64-linux-gnu/libc.so.6  [ld.so.conf]           for demo/_ext.so, libgreet.so.1, libtext.so.2
            ld-linux-x86-64.so.2  /lib64/ld-linux-x86-64.so.2      [program interpreter]  for libc.so.6
          facts
            ISA level  x86-64-v2  demo/_ext.so
          left alone
            demo/part.o: object file
          warnings
            RECORD does not list demo/part.o
        ");
    }

    #[test]
    fn all_is_well() {
        let mut report = samples::audit();
        report.files.truncate(1);
        report.files[0].needs.clear();
        report.tags_as_is = report.tags.clone();
        report.obstacles.clear();
        report.missing.clear();
        report.refusal = None;
        report.warnings.clear();
        insta::assert_snapshot!(plain(&show(&report, false)), @"
        dist/demo-1.0-cp311-cp311-linux_x86_64.whl
          claims  linux_x86_64
          earns   manylinux_2_28_x86_64
          facts
            ISA level  x86-64-v2  demo/_ext.so
        ");
        report.files[0].left_alone = Some("object file".into());
        insta::assert_snapshot!(plain(&show(&report, false)), @"
        dist/demo-1.0-cp311-cp311-linux_x86_64.whl
          holds   no binaries that a loader would load
          claims  linux_x86_64
          facts
            ISA level  x86-64-v2  demo/_ext.so
          left alone
            demo/_ext.so: object file
        ");
        let pure = AuditReport::pure("demo-1.0-py3-none-any.whl".into(), vec!["any".into()]);
        insta::assert_snapshot!(plain(&show(&pure, false)), @"
        demo-1.0-py3-none-any.whl
          holds   no binaries of a known format
          claims  any
        ");
    }

    #[test]
    fn long_lists_are_folded() {
        let mut report = samples::audit();
        let many = |n| {
            obstacle(
                "a.so",
                &format!("f{n:02}@GLIBC_2.28"),
                "libc.so.6",
                Some("manylinux_2_28_x86_64"),
                false,
            )
        };
        report.obstacles = (0..30).map(many).collect();
        let lines =
            |verbose| plain(&show(&report, verbose)).lines().filter(|line| line.contains("@GLIBC")).count();
        assert_eq!((lines(false), lines(true)), (10, 30));
        assert!(plain(&show(&report, false)).contains("… and 20 more (-v shows all)"));
    }
}
