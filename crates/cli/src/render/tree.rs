//! `spokeshave tree` for people.

use std::collections::BTreeSet;

use anstyle::Style;
use spokeshave_core::pipeline::{AuditReport, FileReport, FileRole, NeedReport};

use super::show::tried;
use super::style::{CARRIED, DIM, ERROR, HEADING, WARNING, paint};

/// No real chain of libraries is so deep; a made-up one must not exhaust the stack.
const DEEPEST: usize = 100;

/// The dependency trees of the artifacts that no other artifact needs. What a library needs itself is printed where
/// it comes up first.
pub fn tree(report: &AuditReport, verbose: bool) -> String {
    let mut tree = Tree { report, verbose, printed: BTreeSet::new(), text: String::new() };
    let artifact = |(index, file): (usize, &FileReport)| (file.role == FileRole::Artifact).then_some(index);
    let artifacts: Vec<usize> = report.files.iter().enumerate().filter_map(artifact).collect();
    let needed: BTreeSet<usize> = artifacts
        .iter()
        .filter_map(|index| report.files.get(*index).map(|file| (index, file)))
        .flat_map(|(index, file)| {
            file.needs.iter().filter_map(|need| need.file).filter(move |to| to != index)
        })
        .collect();
    let (inner, roots): (Vec<usize>, Vec<usize>) = artifacts.iter().partition(|index| needed.contains(index));
    for root in roots {
        tree.root(root);
    }
    // Artifacts that need each other in a circle have no root; the first of them serves.
    for index in inner {
        if !tree.printed.contains(&index) {
            tree.root(index);
        }
    }
    // Libraries that no file refers to: `--include` brought them.
    let includes = report.files.iter().enumerate().filter(|(_, file)| file.role != FileRole::Artifact);
    for (index, _) in includes {
        if !tree.printed.contains(&index) {
            tree.root(index);
        }
    }
    if tree.text.is_empty() {
        tree.text =
            format!("{}\n  {}\n", paint(HEADING, report.input.display()), "no binaries of a known format");
    }
    for warning in &report.warnings {
        tree.text += &format!("{}: {warning}\n", paint(WARNING, "warning"));
    }
    tree.text
}

struct Tree<'a> {
    report: &'a AuditReport,
    verbose: bool,
    /// Files whose own needs stand in the text already.
    printed: BTreeSet<usize>,
    text: String,
}

impl<'a> Tree<'a> {
    fn root(&mut self, index: usize) {
        let Some(file) = self.report.files.get(index) else { return };
        let why = file.left_alone.as_ref().map(|why| paint(DIM, format!("  ({why})"))).unwrap_or_default();
        let place = match &file.path {
            Some(path) if *path != file.name => format!(" → {path}"),
            _ => String::new(),
        };
        self.text += &format!("{}{place}{why}\n", paint(HEADING, &file.name));
        self.children(index, "", 0);
    }

    /// What the file `index` needs, and its other builds.
    fn children(&mut self, index: usize, prefix: &str, depth: usize) {
        self.printed.insert(index);
        let Some(file) = self.report.files.get(index) else { return };
        let lines = file.variants.len() + file.needs.len();
        let mut at = 0;
        let mut branch = || {
            at += 1;
            if at == lines { ("└── ", "    ") } else { ("├── ", "│   ") }
        };
        for variant in &file.variants {
            self.text += &format!("{prefix}{}{}\n", branch().0, paint(DIM, format!("variant {variant}")));
        }
        for need in &file.needs {
            let (tee, bar) = branch();
            self.need(need, &format!("{prefix}{tee}"), &format!("{prefix}{bar}"), depth);
        }
    }

    fn need(&mut self, need: &'a NeedReport, first: &str, rest: &str, depth: usize) {
        let slice = need.slice.as_ref().map(|slice| paint(DIM, format!(" ({slice})"))).unwrap_or_default();
        let target = need.file.and_then(|index| self.report.files.get(index).map(|file| (index, file)));
        let Some((index, file)) = target else {
            if need.removed {
                let note = paint(DIM, "the reference is taken out");
                self.text += &format!("{first}{}{slice}  {note}\n", need.name);
            } else {
                self.text += &format!("{first}{}{slice}\n", paint(ERROR, format!("{} not found", need.name)));
                self.tried(need, rest);
            }
            return;
        };
        let place = file.path.as_deref().unwrap_or(&file.name);
        let rule = if need.rule.is_empty() { String::new() } else { format!(" [{}]", need.rule) };
        let (role, style) = match file.role {
            FileRole::Artifact => ("", Style::new()),
            FileRole::External => ("  to be carried", CARRIED),
            FileRole::Promised => ("", DIM),
            FileRole::Excluded => ("  excluded", DIM),
        };
        let has_more = !file.needs.is_empty() || !file.variants.is_empty();
        let note = match (self.printed.contains(&index), depth >= DEEPEST) {
            (true, _) if has_more => paint(DIM, "  (see above)"),
            (false, true) if has_more => paint(DIM, "  (deeper than this is not shown)"),
            _ => String::new(),
        };
        let line = format!("{} → {place}", need.name);
        self.text += &format!(
            "{first}{}{slice}{}{}{note}\n",
            paint(style, line),
            paint(DIM, rule),
            paint(CARRIED, role)
        );
        if self.verbose {
            self.tried(need, rest);
        }
        if note.is_empty() && !self.printed.contains(&index) {
            self.children(index, rest, depth + 1);
        }
    }

    fn tried(&mut self, need: &NeedReport, prefix: &str) {
        for line in tried(&need.tried) {
            self.text += &format!("{prefix}  {line}\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{self, file, need, plain};

    #[test]
    fn the_tree() {
        insta::assert_snapshot!(plain(&tree(&samples::audit(), false)), @"
        demo/_ext.so
        ├── libgreet.so.1 → /opt/lib/libgreet.so.1 [--lib-dir]  to be carried
        │   ├── libtext.so.2 → /opt/lib/libtext.so.2 [RUNPATH of libgreet.so.1]  to be carried
        │   │   ├── variant /opt/lib/glibc-hwcaps/x86-64-v3/libtext.so.2
        │   │   ├── libgreet.so.1 → /opt/lib/libgreet.so.1 [RUNPATH of libtext.so.2]  to be carried  (see above)
        │   │   └── libc.so.6 → /lib/x86_64-linux-gnu/libc.so.6 [ld.so.conf]
        │   │       └── ld-linux-x86-64.so.2 → /lib64/ld-linux-x86-64.so.2 [program interpreter]
        │   └── libc.so.6 → /lib/x86_64-linux-gnu/libc.so.6 [ld.so.conf]  (see above)
        ├── libgone.so.4 not found
        │     /opt/lib/libgone.so.4: no such file [--lib-dir]
        │     /usr/lib/libgone.so.4: other machine (aarch64) [default directories]
        ├── libpython3.11.so.1.0  the reference is taken out
        └── libc.so.6 → /lib/x86_64-linux-gnu/libc.so.6 [ld.so.conf]  (see above)
        demo/part.o  (object file)
        warning: RECORD does not list demo/part.o
        ");
    }

    fn chain(files: usize, last: usize) -> AuditReport {
        let mut report = samples::audit();
        report.warnings.clear();
        let link = |n: usize| {
            let to = if n + 1 == files { last } else { n + 1 };
            file(
                &format!("l{n}.so"),
                None,
                FileRole::Artifact,
                vec![need(&format!("l{to}.so"), Some(to), "RPATH")],
            )
        };
        report.files = (0..files).map(link).collect();
        report
    }

    #[test]
    fn circles_and_depths_end() {
        insta::assert_snapshot!(plain(&tree(&chain(2, 0), false)), @"
        l0.so
        └── l1.so → l1.so [RPATH]
            └── l0.so → l0.so [RPATH]  (see above)
        ");
        let deep = plain(&tree(&chain(50_000, 0), false));
        assert!(deep.contains("(deeper than this is not shown)"));
    }
}
