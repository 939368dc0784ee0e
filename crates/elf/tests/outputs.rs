//! Build outputs through the library's doors, judged by the real loader.

#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_core::pipeline::{BundleOptions, BundleReport, EditableReport, Engine, Mode, Origin};
use spokeshave_core::{Error, Options, PackagePath, Result, Silent, backends};
use spokeshave_elf as _;
use spokeshave_testkit::{Cc, Dynamic, Libs, Outcome};

/// A build: `target/app` needs `target/libown.so`, and both need libraries of `ext/` that need others of it.
struct Build {
    dir: tempfile::TempDir,
    cc: Cc,
}

impl Build {
    fn new() -> Build {
        Build::by(Cc::gcc())
    }

    fn by(cc: Cc) -> Build {
        let build = Build { dir: tempfile::tempdir().unwrap(), cc };
        let libs = Libs::new(build.cc.clone(), &build.path("ext"));
        let [alpha, below] = libs.link_args();
        // Its soname is not its file name, as with many build tools.
        build.cc.library(
            &build.path("target/libown.so"),
            "libown.so.1",
            "long alpha(void); long own(void) { return alpha() + 1; }",
            &[&alpha, &below],
        );
        build.program("app", "own() + alpha()", &[&build.text("target/libown.so"), &alpha, &below]);
        build
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }

    /// Builds `target/NAME`, which prints `value`.
    fn program(&self, name: &str, value: &str, args: &[&str]) {
        let source = format!(
            "#include <stdio.h>\nlong own(void); long alpha(void);\nint main(void) {{ printf(\"%ld\\n\", (long){value}); return 0; }}"
        );
        self.cc.build(&self.path("target").join(name), &source, args);
    }

    /// Lets the linker find what the libraries need.
    fn below(&self) -> String {
        format!("-Wl,-rpath-link,{}", self.text("ext"))
    }

    fn origin(&self, name: &str) -> Origin {
        Origin { path: self.path("target").join(name), linked_paths: vec![self.path("ext")] }
    }

    fn options(&self) -> BundleOptions {
        BundleOptions {
            out: self.path("out"),
            dist_name: "app".to_owned(),
            artifact_dir: PackagePath::root(),
            libs_dir: None,
            mode: Mode::Repair,
            sbom: true,
            dry_run: false,
            jobs: 2,
        }
    }

    fn bundle_by(&self, names: &[&str], by: &BundleOptions, options: &Options) -> Result<BundleReport> {
        let origins: Vec<Origin> = names.iter().map(|name| self.origin(name)).collect();
        with_engine(options, |engine| engine.bundle(&origins, by))
    }

    fn bundle(&self, names: &[&str]) -> BundleReport {
        self.bundle_by(names, &self.options(), &Options::default()).unwrap()
    }

    fn editable(&self, name: &str, out: &str) -> Result<EditableReport> {
        with_engine(&Options::default(), |engine| engine.editable(&self.origin(name), &self.path(out)))
    }

    /// What the program prints when nothing of the build is there any more.
    fn prints(&self, program: &str) -> String {
        let hidden = [("target", "target.hidden"), ("ext", "ext.hidden")];
        hidden.iter().for_each(|(at, to)| fs_err::rename(self.path(at), self.path(to)).unwrap());
        let outcome = run(&self.path(program));
        hidden.iter().for_each(|(at, to)| fs_err::rename(self.path(to), self.path(at)).unwrap());
        outcome.exits(0).stdout.trim().to_owned()
    }
}

fn with_engine<T>(options: &Options, call: impl FnOnce(&Engine<'_>) -> T) -> T {
    let backends = backends().unwrap();
    call(&Engine { backends: &backends, options, env: &BTreeMap::new(), events: &Silent })
}

fn run(program: &Path) -> Outcome {
    Outcome::of(Command::new(program).env_remove("LD_LIBRARY_PATH").current_dir("/"))
}

/// Every file below a directory: path, permission bits, bytes.
fn snapshot(dir: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut files = Vec::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs_err::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let mode = fs_err::metadata(&path).unwrap().mode();
                files.push((path.clone(), mode, fs_err::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_program_its_library_and_two_levels_of_external_ones() {
    let build = Build::new();
    let before = snapshot(&build.path("target"));
    let report = build.bundle(&["app", "libown.so"]);
    assert_eq!(build.prints("out/app"), "85");
    assert_eq!(snapshot(&build.path("target")), before);

    let carried: Vec<(&str, &[String])> =
        report.carried.iter().map(|lib| (lib.original.as_str(), &lib.needed_by[..])).collect();
    assert_eq!(
        carried,
        [
            ("libalpha-1.2.so.3.0", &["app".to_owned(), "libown.so".to_owned()][..]),
            ("libbeta.so.1", &["libalpha-1.2.so.3".to_owned()][..])
        ]
    );
    assert!(report.artifacts.iter().all(|artifact| artifact.patched && artifact.backend == Some("elf")));
    let app = Dynamic::of(&build.path("out/app"));
    assert_eq!(app.rpath.as_deref(), Some("$ORIGIN:$ORIGIN/app.libs"), "{app:?}");
    let bill = fs_err::read_to_string(build.path("out").join(report.sbom.unwrap())).unwrap();
    assert!(bill.contains("libbeta.so.1") && bill.contains("\"application\""), "{bill}");
}

#[test]
fn a_bundle_of_a_bundle_is_the_same() {
    let build = Build::new();
    build.bundle(&["app", "libown.so"]);
    let origin = |name: &str| Origin { path: build.path("out").join(name), linked_paths: Vec::new() };
    let by = BundleOptions { out: build.path("again"), sbom: false, ..build.options() };
    let report =
        with_engine(&Options::default(), |engine| engine.bundle(&[origin("app"), origin("libown.so")], &by));
    assert!(report.unwrap().artifacts.iter().all(|artifact| !artifact.patched));
    let names = |dir: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let root = build.path(dir);
        let files = snapshot(&root).into_iter().map(|(path, _, bytes)| (path, bytes));
        let files = files.map(|(path, bytes)| (path.strip_prefix(&root).unwrap().to_path_buf(), bytes));
        files
            .filter(|(path, _)| path.starts_with("app") || path.starts_with("libown.so"))
            .filter(|(path, _)| !path.ends_with("app.cdx.json"))
            .collect()
    };
    assert_eq!(names("again"), names("out"));
    assert_eq!(build.prints("again/app"), "85");
}

/// A program's `$ORIGIN` is where it really is; the kernel follows links before the loader begins.
#[test]
fn a_link_to_a_program_is_bundled_as_the_program() {
    let build = Build::new();
    let rpath = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../ext";
    build.program("app", "alpha()", &[&build.text("ext/libalpha-1.2.so.3"), &build.below(), rpath]);
    fs_err::create_dir_all(build.path("usr/deep/bin")).unwrap();
    std::os::unix::fs::symlink(build.path("target/app"), build.path("usr/deep/bin/tool")).unwrap();
    let tool = Origin { path: build.path("usr/deep/bin/tool"), linked_paths: Vec::new() };
    with_engine(&Options::default(), |engine| engine.bundle(&[tool], &build.options())).unwrap();
    assert!(!fs_err::symlink_metadata(build.path("out/tool")).unwrap().is_symlink());
    assert_eq!(build.prints("out/tool"), "42");
}

#[test]
fn for_musl_too() {
    let build = Build::by(Cc::musl());
    let report = build.bundle(&["app", "libown.so"]);
    assert_eq!(report.carried.len(), 2);
    assert_eq!(build.prints("out/app"), "85");
}

#[test]
fn the_same_bytes_whatever_the_jobs_and_how_often() {
    let build = Build::new();
    let mut bundles = Vec::new();
    for jobs in [1, 2, 7, 1] {
        let by = BundleOptions { jobs, ..build.options() };
        build.bundle_by(&["libown.so", "app"], &by, &Options::default()).unwrap();
        bundles.push(snapshot(&build.path("out")));
    }
    bundles.dedup();
    assert_eq!(bundles.len(), 1);
}

#[test]
fn directories_of_the_bundle_may_be_chosen() {
    let build = Build::new();
    let dir = |path| PackagePath::new(path).unwrap();
    let by =
        BundleOptions { artifact_dir: dir("usr/bin"), libs_dir: Some(dir("usr/lib/app")), ..build.options() };
    let report = build.bundle_by(&["app", "libown.so"], &by, &Options::default()).unwrap();
    assert_eq!(build.prints("out/usr/bin/app"), "85");
    assert_eq!(report.artifacts[1].path, "usr/bin/libown.so");
    assert!(report.carried.iter().all(|lib| lib.path.starts_with("usr/lib/app/lib")));
    assert_eq!(report.sbom.as_deref(), Some("usr/lib/app/app.cdx.json"));
}

#[test]
fn what_a_search_path_of_the_build_says_ends_with_the_build() {
    let build = Build::new();
    let (alpha, below) = (build.text("ext/libalpha-1.2.so.3"), build.below());
    let rpath =
        format!("-Wl,--disable-new-dtags,-rpath,{}:$ORIGIN/../ext:$ORIGIN/deps:$ORIGIN", build.text("ext"));
    build.program("app", "own() + alpha()", &[&build.text("target/libown.so"), &alpha, &below, &rpath]);
    let mut origin = build.origin("app");
    origin.linked_paths.clear();
    let own = build.origin("libown.so");
    with_engine(&Options::default(), |engine| engine.bundle(&[origin, own], &build.options())).unwrap();
    assert_eq!(build.prints("out/app"), "85");
    let app = Dynamic::of(&build.path("out/app"));
    assert_eq!(app.rpath.as_deref(), Some("$ORIGIN:$ORIGIN/app.libs"), "{app:?}");
    assert_eq!(app.runpath, None);
}

/// Of two libraries of that name, the one that is bundled is meant, and not the one that an RPATH leads to.
#[test]
fn binaries_that_are_bundled_together_find_each_other() {
    let build = Build::new();
    build.cc.library(&build.path("old/libown.so.1"), "libown.so.1", "long own(void) { return 1; }", &[]);
    let rpath = format!("-Wl,-rpath,{}", build.text("old"));
    build.program("app", "own()", &[&build.text("target/libown.so"), &build.below(), &rpath]);
    assert_eq!(run(&build.path("target/app")).exits(0).stdout.trim(), "1");
    build.bundle(&["app", "libown.so"]);
    assert_eq!(build.prints("out/app"), "43");
}

#[test]
fn what_needs_nothing_is_delivered_as_it_is() {
    let build = Build::new();
    build.program("plain", "7", &[]);
    build.program("alone", "8", &["-static"]);
    let report = build.bundle(&["plain", "alone", "app", "libown.so"]);
    let patched: Vec<bool> = report.artifacts.iter().map(|artifact| artifact.patched).collect();
    assert_eq!(patched, [false, false, true, true]);
    assert_eq!((report.left_alone.len(), report.left_alone[0].reason.as_str()), (1, "static program"));
    for (name, says) in [("plain", "7"), ("alone", "8"), ("app", "85")] {
        assert_eq!(build.prints(&format!("out/{name}")), says);
        let (origin, out) = (build.path("target").join(name), build.path("out").join(name));
        let (origin, out) = (fs_err::metadata(origin).unwrap(), fs_err::metadata(out).unwrap());
        assert_ne!((origin.dev(), origin.ino()), (out.dev(), out.ino()));
        assert_eq!((origin.mode(), origin.nlink(), out.nlink()), (out.mode(), 1, 1));
    }
}

#[test]
fn a_program_above_every_platform_is_bundled_with_a_warning() {
    let build = Build::new();
    let (alpha, below) = (build.text("ext/libalpha-1.2.so.3"), build.below());
    build.program("app", "alpha()", &[&alpha, &below, "-Wl,-z,x86-64-v3"]);
    let report = build.bundle(&["app"]);
    assert_eq!((report.tags, report.carried.len()), (vec!["linux_x86_64".to_owned()], 2));
    assert!(report.warnings[0].contains("needs x86-64-v3"), "{:?}", report.warnings);
    assert_eq!(build.prints("out/app"), "42");
    let asked = Options { plat: Some("manylinux_2_28_x86_64".to_owned()), ..Options::default() };
    let error = build.bundle_by(&["app"], &build.options(), &asked).unwrap_err();
    assert!(error.to_string().contains("can't be manylinux_2_28_x86_64"), "{error}");
}

/// An extension must not bring the interpreter's library along; a program that runs Python must.
#[test]
fn a_library_of_a_program_keeps_its_python() {
    let build = Build::new();
    let python = "libpython3.99.so.1.0";
    build.cc.library(&build.path("ext").join(python), python, "long run(void) { return 3; }", &[]);
    let run = ["long run(void); long own(void) { return run(); }", &build.text(&format!("ext/{python}"))];
    build.cc.library(&build.path("target/libown.so"), "libown.so", run[0], &[run[1]]);
    build.program("app", "own()", &[&build.text("target/libown.so"), &build.below()]);
    build.bundle(&["app", "libown.so"]);
    assert_eq!(build.prints("out/app"), "3");

    let module = "long run(void); long PyInit_ext(void) { return run(); }";
    build.cc.library(&build.path("target/ext.so"), "ext.so", module, &[run[1]]);
    let report = build.bundle(&["ext.so"]);
    assert_eq!(Dynamic::of(&build.path("out/ext.so")).needed, Vec::<String>::new());
    assert!(report.carried.is_empty());
}

#[test]
fn a_check_lists_what_is_external_and_writes_nothing() {
    let build = Build::new();
    let before = snapshot(build.dir.path());
    let by = BundleOptions { mode: Mode::Check, ..build.options() };
    let error = build.bundle_by(&["app", "libown.so"], &by, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("libalpha-1.2.so.3 ("), "{error}");
    assert!(error.contains("needed by app, libown.so") && error.contains("libbeta.so.1 ("), "{error}");
    fs_err::rename(build.path("ext"), build.path("moved")).unwrap();
    let error = build.bundle_by(&["app", "libown.so"], &by, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("libalpha-1.2.so.3 (not found), needed by "), "{error}");
    fs_err::rename(build.path("moved"), build.path("ext")).unwrap();
    assert_eq!(snapshot(build.dir.path()), before);

    let exclude = spokeshave_core::Globs::new(["libalpha*"]).unwrap();
    let report =
        build.bundle_by(&["app", "libown.so"], &by, &Options { exclude, ..Options::default() }).unwrap();
    assert!(report.artifacts.iter().all(|artifact| artifact.hold.is_none() && !artifact.patched));
    assert!(!build.path("out").exists());
}

#[test]
fn a_dry_run_plans_and_skip_copies() {
    let build = Build::new();
    let before = snapshot(build.dir.path());
    let dry = BundleOptions { dry_run: true, ..build.options() };
    let plan = build.bundle_by(&["app", "libown.so"], &dry, &Options::default()).unwrap();
    assert_eq!(snapshot(build.dir.path()), before);
    let real = build.bundle(&["app", "libown.so"]);
    let names = |report: &BundleReport| report.carried.iter().map(|lib| lib.path.clone()).collect::<Vec<_>>();
    assert_eq!((names(&plan), plan.sbom), (names(&real), real.sbom));

    let skip = BundleOptions { mode: Mode::Skip, out: build.path("skipped"), ..build.options() };
    build.bundle_by(&["app"], &skip, &Options::default()).unwrap();
    assert_eq!(
        fs_err::read(build.path("skipped/app")).unwrap(),
        fs_err::read(build.path("target/app")).unwrap()
    );
}

#[test]
fn what_can_not_be_bundled_is_refused() {
    let build = Build::new();
    fs_err::create_dir(build.path("target/other")).unwrap();
    fs_err::copy(build.path("target/app"), build.path("target/other/app")).unwrap();
    fs_err::write(build.path("target/text"), "text").unwrap();
    Cc::named("i686-linux-gnu-gcc").build(&build.path("target/narrow"), "int main(void) { return 0; }", &[]);
    for (names, says) in [
        (&["app", "other/app"][..], "has the same name as"),
        (&["text"], "no backend recognizes this"),
        (&["app", "narrow"], "built for i686"),
        (&[], "no binary is named"),
        (&["nowhere"], "nowhere"),
    ] {
        let error = build.bundle_by(names, &build.options(), &Options::default()).unwrap_err();
        assert!(format!("{error:#}").contains(says), "{names:?}: {error:#}");
        assert!(!build.path("out").exists() && !build.path("target/.spokeshave").exists());
    }
    build.bundle(&["app", "libown.so"]);
    let before = snapshot(&build.path("out"));
    let within = [Origin { path: build.path("out/app"), linked_paths: Vec::new() }];
    for mode in [Mode::Repair, Mode::Skip] {
        let by = BundleOptions { mode, ..build.options() };
        let error = with_engine(&Options::default(), |engine| engine.bundle(&within, &by)).unwrap_err();
        assert!(error.to_string().contains("lies in the directory that the bundle is to become"), "{error}");
    }
    assert_eq!(snapshot(&build.path("out")), before);
    let relative = Origin { linked_paths: vec!["ext".into()], ..build.origin("app") };
    let error = with_engine(&Options::default(), |engine| engine.bundle(&[relative], &build.options()));
    assert!(error.unwrap_err().to_string().contains("must be absolute"));
}

#[test]
fn an_editable_program_finds_its_linked_paths() {
    let build = Build::new();
    build.program("direct", "alpha()", &[&build.text("ext/libalpha-1.2.so.3"), &build.below()]);
    let before = snapshot(&build.path("target"));
    assert_ne!(run(&build.path("target/direct")).code, Some(0));
    let report = build.editable("direct", "direct").unwrap();
    assert!(report.patched && report.warnings.is_empty(), "{report:?}");
    assert_eq!(run(&build.path("direct")).exits(0).stdout.trim(), "42");
    assert_eq!(snapshot(&build.path("target")), before);
    let mode = |path: &str| fs_err::metadata(build.path(path)).unwrap().mode();
    assert_eq!(mode("direct"), mode("target/direct"));

    // A copy of the copy has nothing to add.
    fs_err::copy(build.path("direct"), build.path("target/again")).unwrap();
    let report = build.editable("again", "again").unwrap();
    assert!(!report.patched && report.warnings[0].contains("already"), "{report:?}");
    assert_eq!(fs_err::read(build.path("again")).unwrap(), fs_err::read(build.path("direct")).unwrap());
}

/// No tag is at stake when nothing leaves this machine.
#[test]
fn an_editable_says_nothing_of_platforms() {
    let build = Build::new();
    let alpha = build.text("ext/libalpha-1.2.so.3");
    build.program("app", "alpha()", &[&alpha, &build.below(), "-Wl,-z,x86-64-v3"]);
    let report = build.editable("app", "copy").unwrap();
    assert!(report.patched && report.warnings.is_empty(), "{report:?}");
}

#[test]
fn an_editable_that_can_not_be_made_says_why() {
    let build = Build::new();
    build.program("alone", "8", &["-static"]);
    let report = build.editable("alone", "alone").unwrap();
    assert!(!report.patched && report.warnings[0].contains("static program"), "{report:?}");

    let fails = |origin: &Origin, out: &Path| {
        with_engine(&Options::default(), |engine| engine.editable(origin, out)).unwrap_err()
    };
    let before = snapshot(&build.path("target"));
    fs_err::hard_link(build.path("target/app"), build.path("link")).unwrap();
    std::os::unix::fs::symlink(build.path("target/app"), build.path("symlink")).unwrap();
    for out in ["target/app", "link", "symlink"] {
        let error = fails(&build.origin("app"), &build.path(out));
        assert!(error.to_string().contains("is the build's own output"), "{out}: {error:#}");
        assert!(error.downcast_ref::<Error>().unwrap().hint.is_some());
    }
    for dir in ["/a:b", "/a$ORIGIN"] {
        let odd = Origin { linked_paths: vec![dir.into()], ..build.origin("app") };
        let error = fails(&odd, &build.path("out"));
        assert!(error.to_string().contains("can't stand in a search path"), "{error:#}");
    }
    assert_eq!(snapshot(&build.path("target")), before);
    assert!(!build.path("out").exists());
}
