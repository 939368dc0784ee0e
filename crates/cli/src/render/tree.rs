//! `spokeshave tree` for people.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anstyle::Style;
use spokeshave_core::pipeline::{AuditReport, FileReport, FileRole, NeedReport};

use super::show::tried;
use super::style::{CARRIED, DIM, ERROR, HEADING, WARNING, paint};

/// No real chain of libraries is so deep; a made-up one must not exhaust the stack.
const DEEPEST: usize = 100;

/// The dependency trees of the artifacts that no other artifact needs. What a library needs itself is printed once,
/// where the loader, which goes breadth first, meets the library.
pub fn tree(report: &AuditReport, verbose: bool) -> String {
    let mut tree =
        Tree { report, verbose, homes: BTreeMap::new(), printed: BTreeSet::new(), text: String::new() };
    let is_artifact = |file: &FileReport| file.role == FileRole::Artifact;
    let input_name = report.input.file_name().unwrap_or_default().to_string_lossy();
    if report.files.first().is_some_and(|file| is_artifact(file) && file.name != input_name) {
        tree.text = format!("{}\n", paint(HEADING, report.input.display()));
    }
    let mut needed = BTreeSet::new();
    for (index, file) in report.files.iter().enumerate().filter(|(_, file)| is_artifact(file)) {
        needed.extend(file.needs.iter().filter_map(|need| need.file).filter(|to| *to != index));
    }
    let mut roots: Vec<usize> = (0..report.files.len()).collect();
    // Files that need each other in a circle have no root: the first of them serves. Libraries that nothing needs
    // come last: `--include` brought them.
    roots.sort_by_key(|index| {
        (report.files.get(*index).is_some_and(|f| !is_artifact(f)), needed.contains(index))
    });
    for root in roots {
        if !tree.printed.contains(&root) {
            tree.root(root);
        }
    }
    if report.files.is_empty() {
        tree.text = format!("{}\n  no binaries of a known format\n", paint(HEADING, report.input.display()));
    }
    for warning in &report.warnings {
        tree.text += &format!("{}: {warning}\n", paint(WARNING, "warning"));
    }
    tree.text
}

struct Tree<'a> {
    report: &'a AuditReport,
    verbose: bool,
    /// Where the needs of a file stand: below this file, at this one of its needs.
    homes: BTreeMap<usize, (usize, usize)>,
    /// Files whose own needs stand in the text already.
    printed: BTreeSet<usize>,
    text: String,
}

impl Tree<'_> {
    fn root(&mut self, index: usize) {
        let Some(file) = self.report.files.get(index) else { return };
        let why = file.left_alone.as_ref().map(|why| paint(DIM, format!("  ({why})"))).unwrap_or_default();
        let place = match &file.path {
            Some(path) if *path != file.name => format!(" → {path}"),
            _ => String::new(),
        };
        self.text += &format!("{}{place}{why}\n", paint(HEADING, &file.name));
        self.find_homes(index);
        self.children(index, "", 0);
    }

    /// Gives each file that is reached from `root` and has no place in the text yet the one nearest to the root.
    fn find_homes(&mut self, root: usize) {
        let mut queue = VecDeque::from([root]);
        while let Some(from) = queue.pop_front() {
            let Some(file) = self.report.files.get(from) else { continue };
            for (at, need) in file.needs.iter().enumerate() {
                if let Some(to) = need.file
                    && to != root
                    && !self.printed.contains(&to)
                    && let Entry::Vacant(home) = self.homes.entry(to)
                {
                    home.insert((from, at));
                    queue.push_back(to);
                }
            }
        }
    }

    /// What the file `index` needs, and its other builds.
    fn children(&mut self, index: usize, prefix: &str, depth: usize) {
        self.printed.insert(index);
        let Some(file) = self.report.files.get(index) else { return };
        let lines = file.variants.len() + file.needs.len();
        let branch = |at| if at + 1 == lines { ("└── ", "    ") } else { ("├── ", "│   ") };
        for (at, variant) in file.variants.iter().enumerate() {
            self.text += &format!("{prefix}{}{}\n", branch(at).0, paint(DIM, format!("variant {variant}")));
        }
        for (at, need) in file.needs.iter().enumerate() {
            let (tee, bar) = branch(file.variants.len() + at);
            let home = need.file.filter(|to| self.homes.get(to) == Some(&(index, at)));
            self.need(need, home.is_some(), &format!("{prefix}{tee}"), &format!("{prefix}{bar}"), depth);
            if let Some(to) = home.filter(|_| depth < DEEPEST) {
                self.children(to, &format!("{prefix}{bar}"), depth + 1);
            }
        }
    }

    fn need(&mut self, need: &NeedReport, home: bool, first: &str, rest: &str, depth: usize) {
        let slice = need.slice.as_ref().map(|slice| paint(DIM, format!(" ({slice})"))).unwrap_or_default();
        let rule = if need.rule.is_empty() { String::new() } else { paint(DIM, format!(" [{}]", need.rule)) };
        let target = need.file.and_then(|index| self.report.files.get(index).map(|file| (index, file)));
        let missing = target.is_none() && self.report.missing.iter().any(|missing| missing.name == need.name);
        let line = match target {
            None if need.removed => {
                format!("{}{slice}  {}", need.name, paint(DIM, "the reference is taken out"))
            }
            None if missing => format!("{}{slice}", paint(ERROR, format!("{} not found", need.name))),
            None => {
                format!(
                    "{}{slice}{}",
                    need.name,
                    paint(DIM, "  not found on this machine; the target brings it")
                )
            }
            Some((index, file)) => {
                let (role, style) = match file.role {
                    FileRole::Artifact => ("", Style::new()),
                    FileRole::External => ("  to be carried", CARRIED),
                    FileRole::Promised => ("", DIM),
                    FileRole::Excluded => ("  excluded", DIM),
                };
                let cut = depth >= DEEPEST && !(file.needs.is_empty() && file.variants.is_empty());
                let note = match (home, self.printed.contains(&index)) {
                    (true, _) if cut => "  (deeper than this is not shown)",
                    (true, _) => "",
                    (false, true) => "  (see above)",
                    (false, false) => "  (see below)",
                };
                let note = paint(DIM, note);
                if home || self.verbose {
                    let place = file.path.as_deref().unwrap_or(&file.name);
                    let line = paint(style, format!("{} → {place}", need.name));
                    format!("{line}{slice}{rule}{}{note}", paint(CARRIED, role))
                } else {
                    format!("{}{slice}{rule}{note}", paint(style, &need.name))
                }
            }
        };
        self.text += &format!("{first}{line}\n");
        if self.verbose || missing {
            for line in tried(&need.tried) {
                self.text += &format!("{rest}  {line}\n");
            }
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
        dist/demo-1.0-cp311-cp311-linux_x86_64.whl
        demo/_ext.so
        ├── libgreet.so.1 → /opt/lib/libgreet.so.1 [--lib-dir]  to be carried
        │   ├── libtext.so.2 → /opt/lib/libtext.so.2 [RUNPATH of libgreet.so.1]  to be carried
        │   │   ├── variant /opt/lib/glibc-hwcaps/x86-64-v3/libtext.so.2
        │   │   ├── libgreet.so.1 [RUNPATH of libtext.so.2]  (see above)
        │   │   └── libc.so.6 [ld.so.conf]  (see below)
        │   └── libc.so.6 [ld.so.conf]  (see below)
        ├── libgone.so.4 not found
        │     /opt/lib/libgone.so.4: no such file [--lib-dir]
        │     /usr/lib/libgone.so.4: other machine (aarch64) [default directories]
        ├── libpython3.11.so.1.0  the reference is taken out
        ├── libc.so.6 → /lib/x86_64-linux-gnu/libc.so.6 [ld.so.conf]
        │   └── ld-linux-x86-64.so.2 → /lib64/ld-linux-x86-64.so.2 [program interpreter]
        └── libm.so.6  not found on this machine; the target brings it
        demo/part.o  (object file)
        warning: RECORD does not list demo/part.o
        ");
    }

    fn chain(files: usize, last: usize) -> AuditReport {
        let mut report = samples::audit();
        report.warnings.clear();
        report.input = "l0.so".into();
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
            └── l0.so [RPATH]  (see above)
        ");
        let deep = plain(&tree(&chain(10_000, 0), false));
        assert_eq!(deep.matches("l77.so → ").count(), 1);
        assert!(deep.contains("(deeper than this is not shown)"));
    }
}
