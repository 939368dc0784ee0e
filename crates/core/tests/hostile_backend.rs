//! A backend that does what none may do: the build's output stays as it was, and the error names the backend.

#![cfg(unix)]
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use spokeshave_core::pipeline::{BundleOptions, Engine, Mode, Origin};
use spokeshave_core::{
    About, Artifact, Audit, AuditResult, AuditedArtifact, Context, Edit, FactsCache, FileId, Layout,
    Location, NameHash, Options, PackagePath, PatchKind, Repairer, Result, Silent, Status, Subject,
};

type Edits = fn(&[u8]) -> Vec<Edit>;

/// What it predicts, what it gives, and what it does besides.
struct Hostile {
    predicts: bool,
    edits: Edits,
    /// The call during which it does its deed.
    when: &'static str,
    deed: fn(&Path),
    /// The origin that it was told of in the audit.
    seen: OnceLock<PathBuf>,
}

static ABOUT: About = About {
    name: "hostile",
    formats: "everything",
    tag_prefixes: &[],
    options: &[],
    hash_before: ".so",
    name_hash: NameHash::File,
    folds_case: false,
    strips: false,
    merge: None,
};

impl Hostile {
    /// An honest one that changes nothing.
    fn idle() -> Hostile {
        Hostile { predicts: false, edits: |_| Vec::new(), when: "", deed: |_| {}, seen: OnceLock::new() }
    }

    fn reaches(&self, call: &str) {
        if self.when == call
            && let Some(origin) = self.seen.get()
        {
            (self.deed)(origin);
        }
    }
}

impl Repairer for Hostile {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn recognizes(&self, _head: &[u8], _len: u64) -> bool {
        true
    }

    fn audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
        let origin = set.iter().find_map(|artifact| artifact.origin.as_ref());
        origin.map(|origin| self.seen.set(origin.clone()));
        self.reaches(if origin.is_some() { "audit" } else { "read-back" });
        // All that it is handed is read-only: what can be changed is a copy.
        for artifact in set {
            let mut copy = artifact.source.open()?.to_vec();
            copy.fill(0);
            let mut shared = artifact.source.clone();
            assert!(Arc::get_mut(&mut shared).is_none());
            let location = Location::Package(artifact.path.clone());
            if let Some(bytes) = cx.files.read(&location)? {
                bytes.to_vec().clear();
            }
        }
        let audited = |artifact: &Artifact| AuditedArtifact {
            // Its own idea of what the artifact is counts for nothing.
            artifact: Artifact {
                source: Arc::new(spokeshave_core::Bytes::from(vec![0])),
                ..artifact.clone()
            },
            result: AuditResult {
                status: Status::Active,
                needs: Vec::new(),
                facts: Vec::new(),
                detail: Arc::new(artifact.origin.is_some()),
            },
        };
        Ok(Audit {
            artifacts: set.iter().map(audited).collect(),
            libraries: Vec::new(),
            tags: Vec::new(),
            tags_as_is: Vec::new(),
            obstacles: Vec::new(),
            missing: Vec::new(),
            refusal: None,
            warnings: Vec::new(),
        })
    }

    fn note(&self, _file: FileId, _bytes: &[u8], _cache: &FactsCache) -> Result<()> {
        self.reaches("note");
        Ok(())
    }

    fn patch_required(&self, audit: &Audit, _kind: &PatchKind<'_>) -> Result<Vec<bool>> {
        self.reaches("patch_required");
        // The repaired package, which has no origin, is as it should be.
        let first = |audited: &AuditedArtifact| audited.artifact.origin.is_some();
        Ok(audit.artifacts.iter().map(|audited| self.predicts && first(audited)).collect())
    }

    fn patch(&self, _subject: Subject<'_>, old: &[u8], _kind: &PatchKind<'_>) -> Result<Vec<Edit>> {
        self.reaches("patch");
        Ok((self.edits)(old))
    }

    fn libs_dir(&self, _layout: &Layout<'_>) -> Result<PackagePath> {
        assert!(self.when != "libs_dir", "no directory");
        Ok(PackagePath::new("libs")?)
    }
}

/// A build output with a second link, as cargo makes them.
struct Scene {
    dir: tempfile::TempDir,
}

/// Bytes, permission bits, modification time (seconds, nanoseconds), links, inode.
type State = (Vec<u8>, u32, (i64, i64), u64, u64);

impl Scene {
    fn new() -> Scene {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        fs_err::create_dir(scene.path("target")).unwrap();
        fs_err::write(scene.path("target/app"), b"the bytes that the build made").unwrap();
        let file = std::fs::OpenOptions::new().append(true).open(scene.path("target/app")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)).unwrap();
        fs_err::hard_link(scene.path("target/app"), scene.path("target/app-0123")).unwrap();
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn state(&self) -> State {
        let meta = fs_err::metadata(self.path("target/app")).unwrap();
        let bytes = fs_err::read(self.path("target/app")).unwrap();
        (bytes, meta.mode(), (meta.mtime(), meta.mtime_nsec()), meta.nlink(), meta.ino())
    }

    /// Every path below the directory.
    fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut pending = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = pending.pop() {
            for entry in fs_err::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.strip_prefix(self.dir.path()).unwrap().display().to_string());
                if path.is_dir() {
                    pending.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// Bundles, or makes an editable copy, with this backend.
    fn run(&self, backend: Hostile, bundle: bool) -> Result<()> {
        let backends: [&'static dyn Repairer; 1] = [Box::leak(Box::new(backend))];
        let options = Options::default();
        let engine =
            Engine { backends: &backends, options: &options, env: &BTreeMap::new(), events: &Silent };
        let origin = Origin { path: self.path("target/app"), linked_paths: vec!["/linked".into()] };
        if !bundle {
            return engine.editable(&origin, &self.path("out")).map(drop);
        }
        let by = BundleOptions {
            out: self.path("out"),
            dist_name: "app".to_owned(),
            artifact_dir: PackagePath::root(),
            libs_dir: None,
            mode: Mode::Repair,
            sbom: true,
            dry_run: false,
            jobs: 2,
        };
        engine.bundle(&[origin], &by).map(drop)
    }
}

/// Runs it through the doors: it must fail with this text, write nothing and leave nothing, and unless it `writes` to
/// the build's output itself that must be as before.
#[track_caller]
fn fails(backend: impl Fn() -> Hostile, writes: bool, doors: &[bool], says: &[&str]) {
    for bundle in doors {
        let scene = Scene::new();
        let (state, paths) = (scene.state(), scene.paths());
        let error = format!("{:#}", scene.run(backend(), *bundle).unwrap_err());
        for part in says {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
        assert_eq!(scene.paths(), paths, "{error}");
        if !writes {
            assert_eq!(scene.state(), state, "{error}");
        }
    }
}

const BOTH: &[bool] = &[true, false];

#[test]
fn what_it_is_handed_leads_to_no_byte_of_the_build() {
    let scene = Scene::new();
    let state = scene.state();
    scene.run(Hostile::idle(), true).unwrap();
    assert_eq!(scene.state(), state);
    let out = fs_err::metadata(scene.path("out/app")).unwrap();
    assert_ne!(out.ino(), state.4);
    assert_eq!((fs_err::read(scene.path("out/app")).unwrap(), out.mode()), (state.0, state.1));
}

#[test]
fn a_false_unchanged_is_an_error_that_names_it() {
    let liar = || Hostile { edits: |_| vec![Edit::new(0..3, *b"HAHA")], ..Hostile::idle() };
    fails(liar, false, BOTH, &["app: predicts no change, but changes it", "the hostile backend"]);
}

#[test]
fn a_false_changed_is_harmless() {
    let scene = Scene::new();
    let state = scene.state();
    scene.run(Hostile { predicts: true, ..Hostile::idle() }, true).unwrap();
    assert_eq!((scene.state(), fs_err::read(scene.path("out/app")).unwrap()), (state.clone(), state.0));
    assert!(!scene.path("target/.spokeshave").exists());
}

#[test]
fn an_honest_patch_goes_to_the_output_alone() {
    let scene = Scene::new();
    let state = scene.state();
    scene
        .run(Hostile { predicts: true, edits: |_| vec![Edit::new(0..3, *b"new")], ..Hostile::idle() }, true)
        .unwrap();
    assert_eq!(scene.state(), state);
    assert_eq!(fs_err::read(scene.path("out/app")).unwrap(), b"new bytes that the build made");
}

#[test]
fn who_writes_to_the_origin_is_found_and_named() {
    let in_place = |path: &Path| fs_err::write(path, b"THE BYTES THAT THE BUILD MADE").unwrap();
    let by_rename = |path: &Path| {
        let other = path.with_extension("tmp");
        fs_err::write(&other, b"THE BYTES THAT THE BUILD MADE").unwrap();
        fs_err::rename(other, path).unwrap();
    };
    let truncates = |path: &Path| {
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(3).unwrap();
    };
    let removes = |path: &Path| {
        // Only once: what is gone can't be removed again.
        let _ = fs_err::remove_file(path);
        fs_err::write(path, b"THE BYTES THAT THE BUILD MADE").unwrap();
    };
    for deed in [in_place as fn(&Path), by_rename, truncates, removes] {
        for when in ["audit", "patch_required", "patch"] {
            let writer = || Hostile { when, deed, predicts: true, ..Hostile::idle() };
            fails(writer, true, BOTH, &["app: changed while the backend `hostile` worked on it"]);
        }
        for when in ["note", "read-back"] {
            let writer = || Hostile {
                when,
                deed,
                predicts: true,
                edits: |_| vec![Edit::new(0..3, *b"new")],
                ..Hostile::idle()
            };
            fails(writer, true, &[true], &["app: changed while the backend `hostile` worked on it"]);
        }
    }
}

#[test]
#[allow(clippy::reversed_empty_ranges)]
fn edits_that_do_not_fit_are_an_error_that_names_it() {
    let edits: [Edits; 5] = [
        |old| vec![Edit::new(0..old.len() as u64 + 1, *b"")],
        |_| vec![Edit::new(0..4, *b""), Edit::new(3..5, *b"")],
        |_| vec![Edit::new(u64::MAX - 1..u64::MAX, *b"x")],
        |_| vec![Edit::new(5..4, *b"x")],
        |_| vec![Edit::new(u64::MAX..0, *b"x")],
    ];
    for edits in edits {
        let fumbler = || Hostile { predicts: true, edits, ..Hostile::idle() };
        fails(fumbler, false, BOTH, &["app: gives an edit that does not fit", "the hostile backend"]);
    }
}

#[test]
fn a_panic_is_an_error_that_names_it() {
    for when in ["audit", "patch_required", "patch"] {
        let bomb = || Hostile { when, deed: |_| panic!("boom"), predicts: true, ..Hostile::idle() };
        fails(bomb, false, BOTH, &["the hostile backend panicked: boom"]);
    }
    let bomb = || Hostile { when: "libs_dir", ..Hostile::idle() };
    fails(bomb, false, &[true], &["the hostile backend panicked: no directory"]);
    let bomb = || Hostile {
        when: "note",
        deed: |_| panic!("boom"),
        predicts: true,
        edits: |_| vec![Edit::new(0..3, *b"new")],
        ..Hostile::idle()
    };
    fails(bomb, false, &[true], &["the hostile backend panicked: boom"]);
}
