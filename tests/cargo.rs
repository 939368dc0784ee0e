//! `spokeshave cargo` on real projects: the build's own outputs stay as cargo left them, run after run, and what is
//! bundled runs without what it was linked with.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spokeshave_testkit::snapshot::{Snapshot, contents, entry, snapshot};
use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome, Project, python};
use tempfile::TempDir;

/// A program that prints what the external library says.
const MAIN: &str = r#"
unsafe extern "C" { fn alpha() -> std::ffi::c_long; }
fn main() { println!("{}", unsafe { alpha() }); }
"#;

/// One that needs nothing.
const PLAIN: &str = r#"fn main() { println!("plain"); }"#;

/// A library that another program loads.
const CDYLIB: &str = r#"
unsafe extern "C" { fn alpha() -> std::ffi::c_long; }
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> std::ffi::c_long { unsafe { alpha() } }
"#;

/// A scratch directory with the external libraries, of which the first needs the second.
struct World {
    bench: Bench,
    libs: Libs,
}

impl World {
    fn new() -> World {
        let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
        let libs = Libs::new(Cc::gcc(), &bench.path("ext/lib"));
        std::os::unix::fs::symlink("libalpha-1.2.so.3", libs.dir.join("libalpha-1.2.so")).unwrap();
        World { bench, libs }
    }

    /// An empty project.
    fn project(&self) -> Project {
        Project::new(self.bench.path("project/x").parent().unwrap().to_owned())
    }

    /// The build script of a package that links the external library.
    fn build_rs(&self) -> String {
        let dir = self.libs.dir();
        format!(
            r#"fn main() {{
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-search=native={dir}");
    println!("cargo:rustc-link-lib=dylib=alpha-1.2");
    println!("cargo:rustc-link-arg=-Wl,-rpath-link,{dir}");
}}"#
        )
    }

    /// A project of one package with a program.
    fn app(&self) -> Project {
        self.project().package("", "app", "").file("build.rs", &self.build_rs()).file("src/main.rs", MAIN)
    }

    /// The program in the project's directory.
    fn command<S: AsRef<OsStr>>(&self, project: &Project, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.bench.command();
        project.prepare(&mut command).args(args);
        command
    }

    /// Runs the program in the project's directory.
    fn spokeshave<S: AsRef<OsStr>>(&self, project: &Project, args: impl IntoIterator<Item = S>) -> Outcome {
        Outcome::of(&mut self.command(project, args))
    }

    /// Does `look` while the external libraries are not where they were when they were linked.
    fn without_libraries<T>(&self, look: impl FnOnce() -> T) -> T {
        let away = self.bench.dir().join("away");
        fs_err::rename(&self.libs.dir, &away).unwrap();
        let seen = look();
        fs_err::rename(&away, &self.libs.dir).unwrap();
        seen
    }
}

/// What a program says, without any search path of the environment.
#[track_caller]
fn said(program: &Path) -> String {
    Outcome::of(Command::new(program).env_remove("LD_LIBRARY_PATH")).exits(0).stdout
}

/// What `answer()` of a library gives.
#[track_caller]
fn answer(library: &Path) -> String {
    let script = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())";
    let mut command = Command::new(python());
    Outcome::of(command.env_remove("LD_LIBRARY_PATH").args(["-c", script]).arg(library)).exits(0).stdout
}

/// Of what stands below a target directory, the artifacts and all that is the same inode; there must be more than one
/// name of each, or nothing is shown. Nothing of ours may stand there.
#[track_caller]
fn origins(target: &Path, artifacts: &[&str]) -> Snapshot {
    let mut all = snapshot(target);
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(".spokeshave") && name != ".spokeshave-bundle"
    };
    assert!(!all.keys().any(ours), "left in {}: {:?}", target.display(), all.keys());
    let inodes: BTreeSet<u64> = artifacts.iter().map(|name| entry(&target.join(name)).inode).collect();
    all.retain(|_, entry| inodes.contains(&entry.inode));
    assert!(all.len() >= 2 * artifacts.len(), "cargo makes hard links: {all:?}");
    all
}

/// Panics unless a file looks as the linker made it.
#[track_caller]
fn as_linked(artifact: &Path) {
    let dynamic = Dynamic::of(artifact);
    let renamed = |name: &String| name.starts_with("libalpha") && name != "libalpha-1.2.so.3";
    let patched = dynamic.rpath.is_some() || dynamic.runpath.is_some() || dynamic.needed.iter().any(renamed);
    assert!(!patched, "{}: {dynamic:?}", artifact.display());
}

/// Builds and bundles three times. Cargo compiles only the first time, its outputs stay as they are, and the bundles
/// are the same bytes; `look` sees each while the external libraries are gone.
#[track_caller]
fn three_times(
    world: &World,
    (target, artifacts): (&Path, &[&str]),
    command: impl Fn() -> Command,
    out: &Path,
    look: impl Fn(&Path),
) {
    let mut first: Option<(Snapshot, Snapshot)> = None;
    for run in 1..=3 {
        let outcome = Outcome::of(&mut command()).exits(0);
        let works = |word: &str| outcome.stderr.lines().any(|line| line.trim_start().starts_with(word));
        assert!(works("Finished"), "cargo's progress is shown: {outcome:?}");
        assert_eq!([works("Compiling"), works("Running")], [run == 1; 2], "run {run}: {}", outcome.stderr);
        assert_eq!(works("Fresh"), run > 1, "run {run}: {}", outcome.stderr);

        let (origins, bundle) = (origins(target, artifacts), snapshot(out));
        assert!(!bundle.values().any(|entry| entry.links > 1), "it shares no file with anything: {bundle:?}");
        world.without_libraries(|| look(out));
        match &first {
            None => {
                artifacts.iter().for_each(|artifact| as_linked(&target.join(artifact)));
                first = Some((origins, bundle));
            }
            Some((origins_first, bundle_first)) => {
                assert_eq!(&origins, origins_first, "run {run}");
                assert_eq!(contents(&bundle), contents(bundle_first), "run {run}");
            }
        }
    }
}

#[test]
fn a_program_is_built_once_and_bundled_three_times() {
    let world = World::new();
    let project = world.app();
    let target = project.path("target");
    let command = || world.command(&project, ["cargo", "--", "build", "--release", "-v"]);
    let out = target.join("release/spokeshave");
    three_times(&world, (&target, &["release/app"]), command, &out, |out| {
        assert_eq!(said(&out.join("app")), "42\n");
        let carried = snapshot(&out.join("app.libs"));
        let libraries = carried.keys().filter(|path| path.to_string_lossy().contains(".so"));
        assert_eq!(libraries.count(), 2, "{carried:?}");
    });
    let said = Outcome::of(&mut command()).exits(0).stdout;
    for part in ["from target/release/app\n", "written   target/release/spokeshave in"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let origin = Outcome::of(Command::new(target.join("release/app")).env_remove("LD_LIBRARY_PATH"));
    assert_ne!(origin.code, Some(0), "the program of the build finds no library, or the test shows nothing");
    let plain = Outcome::of(project.cargo().args(["build", "--release", "-v"])).exits(0);
    assert!(plain.stderr.contains("Fresh app") && !plain.stderr.contains("Compiling"), "{plain:?}");
}

#[test]
fn a_library_is_built_once_and_bundled_three_times() {
    let world = World::new();
    let project = world
        .project()
        .package("", "plug", "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]")
        .file("build.rs", &world.build_rs())
        .file("src/lib.rs", CDYLIB);
    let target = project.path("target");
    let command = || world.command(&project, ["cargo", "-o", "dist", "--", "build", "--release", "-v"]);
    three_times(&world, (&target, &["release/libplug.so"]), command, &project.path("dist"), |out| {
        assert_eq!(answer(&out.join("libplug.so")), "42\n");
        assert!(out.join("plug.libs").is_dir());
    });
}

#[test]
fn of_two_programs_one_needs_nothing() {
    let world = World::new();
    // The build script's arguments are for one program only: the other does not even name the library.
    let build =
        world.build_rs().replace("rustc-link-lib=dylib=alpha-1.2", "rustc-link-arg-bin=app=-lalpha-1.2");
    let project = world
        .project()
        .package("", "two", "")
        .file("build.rs", &build)
        .file("src/bin/app.rs", MAIN)
        .file("src/bin/plain.rs", PLAIN);
    let target = project.path("target");
    let command = || world.command(&project, ["cargo", "-o", "dist", "--", "build", "--release", "-v"]);
    let artifacts = ["release/app", "release/plain"];
    three_times(&world, (&target, &artifacts), command, &project.path("dist"), |out| {
        assert_eq!(said(&out.join("app")), "42\n");
        assert_eq!(said(&out.join("plain")), "plain\n");
        let (origin, copy) = (entry(&target.join("release/plain")), entry(&out.join("plain")));
        assert!(origin.bytes == copy.bytes && origin.mode == copy.mode, "{origin:?} {copy:?}");
        assert_ne!(origin.inode, copy.inode);
        assert_ne!(entry(&target.join("release/app")).bytes, entry(&out.join("app")).bytes);
    });
}

#[test]
fn a_target_directory_on_another_file_system() {
    let world = World::new();
    let project = world.app();
    let elsewhere = TempDir::with_prefix_in("spokeshave-test-", "/dev/shm").unwrap();
    let command = || {
        let mut command = world.command(&project, ["cargo", "-o", "dist", "--", "build", "--release", "-v"]);
        command.env("CARGO_TARGET_DIR", elsewhere.path());
        command
    };
    let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&fs_err::metadata(path).unwrap());
    assert_ne!(device(elsewhere.path()), device(&project.dir), "the test needs two file systems");
    let out = project.path("dist");
    three_times(&world, (elsewhere.path(), &["release/app"]), command, &out, |out| {
        assert_eq!(said(&out.join("app")), "42\n");
    });
}

#[test]
fn a_workspace_with_a_target_and_the_dev_profile_as_cargos_subcommand() {
    let world = World::new();
    let project = world
        .project()
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\", \"plug\"]\nresolver = \"3\"\n")
        .package("app", "app", "[dependencies]\nplug-pkg = { path = \"../plug\" }")
        .file("app/build.rs", &world.build_rs())
        .file("app/src/main.rs", &MAIN.replace("alpha() }", "alpha() + i64::from(plug::seven()) }"))
        .package("plug", "plug-pkg", "[lib]\nname = \"plug\"\ncrate-type = [\"cdylib\", \"rlib\"]")
        .file("plug/src/lib.rs", "pub fn seven() -> i32 { 7 }\n#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { seven() }");
    let target = project.path("target");
    let platform = "x86_64-unknown-linux-gnu";

    // As `cargo spokeshave`, which finds the program in the PATH; and without `--`.
    let bin = Path::new(env!("CARGO_BIN_EXE_cargo-spokeshave")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths(std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path))).unwrap();
    let command = || {
        let mut command = project.cargo();
        command.args(["spokeshave", "build", "--workspace", "--target", platform, "-v"]).env("PATH", &path);
        command
    };
    let debug = target.join(platform).join("debug");
    let artifacts = ["app", "libplug.so"];
    three_times(&world, (&debug, &artifacts), command, &debug.join("spokeshave"), |out| {
        assert_eq!(said(&out.join("app")), "49\n");
        assert_eq!(answer(&out.join("libplug.so")), "7\n");
        assert!(out.join("app.libs").is_dir(), "two packages: the first artifact names the whole");
    });

    // Only one member: what it depends on is linked into it, and its own name is the whole's.
    let outcome =
        world.spokeshave(&project, ["cargo", "-o", "one", "--json", "--", "build", "-p", "app"]).exits(0);
    let report = outcome.json();
    let paths: Vec<_> =
        report["artifacts"].as_array().unwrap().iter().map(|a| a["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["app"]);
}

#[test]
fn a_program_is_built_once_and_three_editable_copies_are_made() {
    let world = World::new();
    let project = world.app();
    let target = project.path("target");
    let out = project.path("out");
    fs_err::create_dir(&out).unwrap();
    let both = r#""${CARGO:-cargo}" build --release -v && "$0" editable --linked-path "$1" -o out/app target/release/app"#;
    let command = || {
        let mut command = Command::new("sh");
        command.args(["-c", both, env!("CARGO_BIN_EXE_spokeshave"), world.libs.dir()]);
        project.prepare(&mut command);
        command
    };
    three_times(&world, (&target, &["release/app"]), command, &out, |out| {
        let Dynamic { rpath, runpath, .. } = Dynamic::of(&out.join("app"));
        assert_eq!(rpath.or(runpath).as_deref(), Some(world.libs.dir()));
    });
    assert_eq!(said(&out.join("app")), "42\n");
}

/// Cargo's outputs were made without us before, so that our first run has something to spoil.
#[test]
fn a_build_that_was_there_before_stays_as_it_is() {
    let world = World::new();
    let project = world.app();
    Outcome::of(project.cargo().args(["build", "--release"])).exits(0);
    let target = project.path("target");
    let before = origins(&target, &["release/app"]);
    for args in [&["--no-mangle", "libalpha*"][..], &["--strip"], &["--mode", "skip"], &["--dry-run"]] {
        let line = [&["cargo", "-o", "dist"], args, &["--", "build", "--release"]].concat();
        world.spokeshave(&project, line).exits(0);
        assert_eq!(origins(&target, &["release/app"]), before, "{args:?}");
    }
    world
        .spokeshave(&project, ["cargo", "-o", "other", "--mode", "check", "--", "build", "--release"])
        .exits(1)
        .complains(&["libalpha-1.2.so.3", "libbeta.so.1"]);
    assert_eq!(origins(&target, &["release/app"]), before);
    assert!(!project.path("other").exists());
}

#[test]
fn the_flags_of_the_compiler_say_where_libraries_are() {
    let world = World::new();
    let main = MAIN.replace("unsafe extern", "#[link(name = \"alpha-1.2\")] unsafe extern");
    let project = world.project().package("", "app", "").file("src/main.rs", &main);
    // One that nothing on the way makes absolute.
    std::os::unix::fs::symlink(&world.libs.dir, project.path("lib")).unwrap();
    let search = format!("-Clink-arg=-Wl,-rpath-link,{}", world.libs.dir());
    let runs: [(&[&str], Option<String>); 2] = [
        (&["build"], Some(format!("-Lnative=lib {search}"))),
        (&["rustc", "--", "-L", "lib", &search], None),
    ];
    for (number, (args, flags)) in runs.into_iter().enumerate() {
        let out = format!("dist{number}");
        let mut command = world.command(&project, ["cargo", "-o", &out, "--"]);
        command.args(args);
        if let Some(flags) = flags {
            command.env("RUSTFLAGS", flags);
        }
        Outcome::of(&mut command).exits(0);
        world.without_libraries(|| assert_eq!(said(&project.path(out).join("app")), "42\n"));
    }
}

#[test]
fn examples_when_they_are_asked_for() {
    let world = World::new();
    let project =
        world.project().package("", "app", "").file("src/lib.rs", "").file("examples/shown.rs", PLAIN);
    world.spokeshave(&project, ["cargo", "-o", "dist", "--", "build", "--example", "shown"]).exits(0);
    assert_eq!(said(&project.path("dist/shown")), "plain\n");
    let none = world.spokeshave(&project, ["cargo", "-o", "none", "--", "build", "--all-targets"]).exits(1);
    none.complains(&["cargo built nothing to bundle", "hint: ", "cdylib", "--example"]);
    assert!(!project.path("none").exists());
}

/// What cargo built may have the very name that the bundle would have.
#[test]
fn a_program_with_the_name_of_this_one() {
    let world = World::new();
    let project = world.project().package("", "spokeshave", "").file("src/main.rs", PLAIN);
    for _ in 0..2 {
        world.spokeshave(&project, ["cargo", "--", "build"]).exits(0);
        assert_eq!(said(&project.path("target/debug/spokeshave-bundle/spokeshave")), "plain\n");
        assert_eq!(said(&project.path("target/debug/spokeshave")), "plain\n");
    }
}

#[test]
fn failures_of_cargo_are_told() {
    let world = World::new();
    let project = world.project().package("", "app", "").file("src/main.rs", "fn main() { nonsense }");
    let failed = world.spokeshave(&project, ["cargo", "--json", "-o", "dist", "--", "build"]).exits(1);
    assert_eq!(failed.json()["output"], "dist");
    failed.complains(&["cannot find value `nonsense`", "cargo failed", "nothing is bundled", "hint: "]);
    assert!(!project.path("dist").exists() && !project.path("target/debug/spokeshave").exists());

    world
        .spokeshave(&project, ["cargo", "--", "build", "--message-format=short"])
        .exits(1)
        .complains(&["--message-format", "hint: "]);
    let mut command = world.command(&project, ["cargo", "--", "build"]);
    Outcome::of(command.env("CARGO", "/no/such/cargo")).exits(1).complains(&[
        "/no/such/cargo",
        "can't be run",
        "hint: ",
    ]);
    world.spokeshave(&project, ["cargo"]).exits(2).complains(&["<CARGO_ARGUMENTS>"]);
}

/// What a program that cargo runs reads and prints is its own business.
#[test]
fn programs_that_cargo_runs_have_the_streams() {
    let world = World::new();
    let main = r#"
use std::io::{Read as _, Write as _};
fn main() {
    let mut said = String::new();
    std::io::stdin().read_to_string(&mut said).unwrap();
    std::io::stdout().write_all(b"{\"reason\":\"mine\"}\n\xff\x1b[1m").unwrap();
    print!("{said}{:?}", std::env::args().skip(1).collect::<Vec<_>>());
}"#;
    let project = world.project().package("", "app", "").file("src/main.rs", main);
    let run = |args: &[&str]| {
        let mut command = world.command(&project, ["cargo"]);
        command.args(args).args(["--", "run", "-q", "--", "-x", "--"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"from stdin").unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done
    };
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let printed = b"{\"reason\":\"mine\"}\n\xff\x1b[1mfrom stdin[\"-x\", \"--\"]";
    let shown = run(&["-q", "-o", "one"]);
    assert!(shown.stdout == printed, "{}", String::from_utf8_lossy(&shown.stdout));
    let json = run(&["--json", "-o", "two"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["output"], "two");
    assert!(contains(&json.stderr, printed), "{}", String::from_utf8_lossy(&json.stderr));
    assert!(project.path("two/app").exists());
}

/// A path that a build script gives without its beginning is one where rustc runs: in the workspace's root.
#[test]
fn relative_search_paths_of_build_scripts() {
    let world = World::new();
    let build = world.build_rs().replace(&format!("native={}", world.libs.dir()), "native=vendored");
    let project = world
        .project()
        .file("Cargo.toml", "[workspace]\nmembers = [\"crates/app\"]\nresolver = \"3\"\n")
        .package("crates/app", "app", "")
        .file("crates/app/build.rs", &build)
        .file("crates/app/src/main.rs", MAIN);
    std::os::unix::fs::symlink(&world.libs.dir, project.path("vendored")).unwrap();
    let out: PathBuf = project.path("dist");
    world.spokeshave(&project, ["cargo", "-o", "dist", "--", "build"]).exits(0);
    world.without_libraries(|| assert_eq!(said(&out.join("app")), "42\n"));
}
