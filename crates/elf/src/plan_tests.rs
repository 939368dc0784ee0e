use std::sync::Arc;

use spokeshave_core::{
    Artifact, Audit, AuditedArtifact, Bytes, Library, Location, Need, Role, Target as Leads,
};

use super::*;

fn path(text: &str) -> PackagePath {
    if text.is_empty() { PackagePath::root() } else { PackagePath::new(text).unwrap() }
}

fn need(name: &str, target: Leads) -> Need {
    Need { name: name.to_owned(), slice: None, target, rule: String::new(), tried: Vec::new() }
}

fn result(facts: ElfFacts, needs: Vec<Need>) -> AuditResult {
    let unreachable = vec![false; needs.len()];
    let detail = Arc::new(Detail { facts: Arc::new(facts), android: false, unreachable });
    AuditResult { status: Status::Active, needs, facts: Vec::new(), detail }
}

/// A package whose artifacts are these, and the library `libfoo.so.1` outside of it.
fn audit(artifacts: Vec<(&str, AuditResult)>) -> Audit {
    let artifacts = artifacts.into_iter().map(|(at, result)| {
        let artifact = Artifact {
            path: path(at),
            tree: path(if at.starts_with("demo-1.0.data/") { "demo-1.0.data/data" } else { "" }),
            origin: None,
            source: Arc::new(Bytes::from(Vec::new())),
            mode: 0o755,
            linked_paths: vec!["/build/lib".into(), "/old".into()],
        };
        AuditedArtifact { artifact, result }
    });
    let location = Location::Host("/lib/libfoo.so.1".into());
    let old =
        ElfFacts { soname: Some("libfoo.so.1".to_owned()), rpath: vec!["$ORIGIN".to_owned()], ..facts() };
    let library = Library {
        name: "libfoo.so.1".to_owned(),
        aliases: vec!["libfoo.so.1".to_owned()],
        location: location.clone(),
        real: location,
        source: Arc::new(Bytes::from(Vec::new())),
        mode: 0o644,
        role: Role::External,
        included: None,
        keep_name: false,
        version: None,
        variants: Vec::new(),
        result: result(old, Vec::new()),
    };
    Audit {
        artifacts: artifacts.collect(),
        libraries: vec![library],
        tags: Vec::new(),
        tags_as_is: Vec::new(),
        obstacles: Vec::new(),
        missing: Vec::new(),
        refusal: None,
        warnings: Vec::new(),
    }
}

fn facts() -> ElfFacts {
    ElfFacts { is_64: true, dynamic: true, ..ElfFacts::default() }
}

fn runpath(list: &str) -> ElfFacts {
    ElfFacts { runpath: vec![list.to_owned()], ..facts() }
}

fn carried() -> GraftedLib {
    GraftedLib {
        libraries: vec![0],
        original: "libfoo.so.1".to_owned(),
        aliases: vec!["libfoo.so.1".to_owned()],
        name: "libfoo-01234567.so.1".to_owned(),
        path: path("demo.libs/libfoo-01234567.so.1"),
        renamed: true,
        included: false,
        sha256: [0; 32],
        source: Arc::new(Bytes::from(Vec::new())),
        mode: 0o644,
    }
}

fn repaired(audit: &Audit, which: Which<'_>, grafted: &[GraftedLib]) -> Result<Changes> {
    let libs_dir = path("demo.libs");
    plan(Subject { audit, which }, &PatchKind::Repair { grafted, libs_dir: &libs_dir, strip: false })
}

/// What becomes of one artifact at `at`.
fn one(at: &str, result: AuditResult, grafted: &[GraftedLib]) -> Changes {
    repaired(&audit(vec![(at, result)]), Which::Artifact(0), grafted).unwrap()
}

fn search(tag: PathTag, entries: &[&str]) -> Option<SearchPath> {
    Some(SearchPath { tag, entries: entries.iter().map(|entry| (*entry).to_owned()).collect() })
}

#[test]
fn what_needs_a_carried_library_names_it_and_finds_it() {
    let changes = one(
        "demo/sub/x.so",
        result(runpath("/out:$ORIGIN/../in"), vec![need("libfoo.so.1", Leads::Library(0))]),
        &[carried()],
    );
    assert_eq!(changes.needed, [("libfoo.so.1".to_owned(), Some("libfoo-01234567.so.1".to_owned()))]);
    assert_eq!(changes.search_path, search(PathTag::Rpath, &["$ORIGIN/../in", "$ORIGIN/../../demo.libs"]));
    assert_eq!(changes.soname, None);
}

#[test]
fn nothing_is_written_where_nothing_is_needed() {
    let promised = || vec![need("libc.so.6", Leads::Library(7)), need("gone", Leads::Missing)];
    for list in ["$ORIGIN", "$ORIGIN/a:${ORIGIN}/a/", "$ORIGIN/$LIB", "$ORIGIN/../demo.libs"] {
        assert!(one("demo/x.so", result(runpath(list), promised()), &[]).is_empty(), "{list}");
    }
    let there = vec![need("libfoo-01234567.so.1", Leads::Library(0))];
    assert!(one("demo/x.so", result(runpath("$ORIGIN/../demo.libs"), there), &[carried()]).is_empty());
    for status in [Status::Inert(String::new()), Status::Foreign(String::new())] {
        let needs = vec![need("libfoo.so.1", Leads::Library(0))];
        let result = AuditResult { status, ..result(runpath("/out"), needs) };
        assert!(one("demo/x.so", result, &[carried()]).is_empty());
    }
}

#[test]
fn entries_that_lead_out_go() {
    for (list, left) in [
        ("/out", &[][..]),
        ("$ORIGIN/../..", &[]),
        ("$ORIGIN/..:", &["$ORIGIN/.."]),
        ("lib:$ORIGINAL:$LIB:$ORIGIN", &["$ORIGIN"]),
    ] {
        let changes = one("demo/x.so", result(runpath(list), Vec::new()), &[]);
        assert_eq!(changes.search_path, search(PathTag::Runpath, left), "{list}");
    }
}

#[test]
fn a_reference_to_libpython_is_taken_out_and_nothing_else_is_done() {
    let changes = one("demo/x.so", result(facts(), vec![need("libpython3.11.so.1.0", Leads::Removed)]), &[]);
    let expected = Changes { needed: vec![("libpython3.11.so.1.0".to_owned(), None)], ..Changes::default() };
    assert_eq!(changes, expected);
}

#[test]
fn a_carried_library_gets_its_name_and_loses_its_search_path() {
    let (audit, lib) = (audit(Vec::new()), carried());
    let grafted = [lib.clone()];
    let changes = repaired(&audit, Which::Grafted(&lib), &grafted).unwrap();
    assert_eq!(changes.soname.as_deref(), Some("libfoo-01234567.so.1"));
    assert_eq!(changes.search_path, search(PathTag::Rpath, &[]));
    let kept = GraftedLib { renamed: false, ..lib };
    assert_eq!(repaired(&audit, Which::Grafted(&kept), &grafted).unwrap().soname, None);
}

#[test]
fn what_is_included_is_found_from_the_package() {
    let lib = [GraftedLib { included: true, renamed: false, ..carried() }];
    let changes = one("demo/x.so", result(facts(), Vec::new()), &lib);
    assert_eq!(changes.search_path, search(PathTag::Rpath, &["$ORIGIN/../demo.libs"]));
    assert!(one("demo-1.0.data/data/bin/x", result(facts(), Vec::new()), &lib).is_empty());
}

/// `demo/x.so` asks for `name`, which only a search path of its own will find, with these facts.
fn sibling(facts: ElfFacts, name: &str, at: &str, android: bool) -> Result<Changes> {
    let mut asks = result(facts.clone(), vec![need(name, Leads::Artifact(1))]);
    asks.detail = Arc::new(Detail { facts: Arc::new(facts), android, unreachable: vec![true] });
    let audit = audit(vec![("demo/x.so", asks), (at, result(super::tests::facts(), Vec::new()))]);
    repaired(&audit, Which::Artifact(0), &[])
}

#[test]
fn a_sibling_is_found_by_its_file_name() {
    let changes = sibling(facts(), "libbar.so", "demo/lib/libbar.so", false).unwrap();
    assert_eq!((changes.needed.len(), changes.search_path), (0, search(PathTag::Rpath, &["$ORIGIN/lib"])));
    for name in ["libbar.so.1", "/build/libbar.so"] {
        let changes = sibling(facts(), name, "demo/libbar.so", false).unwrap();
        assert_eq!(changes.needed, [(name.to_owned(), Some("libbar.so".to_owned()))]);
        assert_eq!(changes.search_path, search(PathTag::Rpath, &["$ORIGIN"]));
    }
}

#[test]
fn a_sibling_out_of_reach_is_an_error() {
    let error = sibling(facts(), "libbar.so", "demo-1.0.data/data/lib/libbar.so", false).unwrap_err();
    assert!(error.to_string().starts_with("demo/x.so: needs libbar.so, and no search path"), "{error}");
    // The path is there, and the loader's rules did not find it all the same.
    assert!(sibling(runpath("$ORIGIN"), "libbar.so", "demo/libbar.so", false).is_err());
}

#[test]
fn android_gets_runpath_for_an_rpath_that_its_loader_does_not_read() {
    let rpath = ElfFacts { rpath: vec!["$ORIGIN".to_owned()], ..facts() };
    let changes = sibling(rpath, "libbar.so", "demo/libbar.so", true).unwrap();
    assert_eq!(changes.search_path, search(PathTag::Runpath, &["$ORIGIN"]));
}

#[test]
fn strip_is_asked_for_where_there_is_something_to_drop() {
    let libs_dir = path("demo.libs");
    let kind = PatchKind::Repair { grafted: &[], libs_dir: &libs_dir, strip: true };
    for strippable in [false, true] {
        let audit = audit(vec![("x.so", result(ElfFacts { strippable, ..facts() }, Vec::new()))]);
        let changes = plan(Subject { audit: &audit, which: Which::Artifact(0) }, &kind).unwrap();
        assert_eq!(changes, Changes { strip: strippable, ..Changes::default() });
    }
}

#[test]
fn editable_only_adds_what_the_build_linked_from() {
    for (facts, tag, entries) in [
        (facts(), PathTag::Runpath, &["/build/lib", "/old"][..]),
        (ElfFacts { rpath: vec!["/old".to_owned()], ..facts() }, PathTag::Rpath, &["/old", "/build/lib"]),
    ] {
        let audit = audit(vec![("x.so", result(facts, Vec::new()))]);
        let subject = Subject { audit: &audit, which: Which::Artifact(0) };
        let changes = plan(subject, &PatchKind::Editable).unwrap();
        assert_eq!(changes, Changes { search_path: search(tag, entries), ..Changes::default() });
    }
}

#[test]
fn another_backends_audit_is_an_error() {
    let audit = audit(vec![("x.so", AuditResult { detail: Arc::new(()), ..result(facts(), Vec::new()) })]);
    assert!(repaired(&audit, Which::Artifact(0), &[]).is_err());
}
