//! `spokeshave bundle`: build outputs in, a directory that runs anywhere out.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use spokeshave_testkit::snapshot::{Snapshot, contents, entry, snapshot};
use spokeshave_testkit::{ARCHES, Bench, Cc, Dynamic, Libs, Outcome};

/// What `cmake --build` would have left: two programs and a library of the project, linked with external libraries.
struct World {
    bench: Bench,
    libs: Libs,
    build: PathBuf,
}

impl World {
    /// `one` and `two` need `libalpha`, which needs `libbeta`; `two` and `plugin.so` do, too; `none` needs nothing.
    fn new() -> World {
        let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
        let libs = Libs::new(Cc::gcc(), &bench.path("ext/lib"));
        let build = bench.path("build/x").parent().unwrap().to_owned();
        libs.program(&build.join("one"), &[]);
        libs.program(&build.join("two"), &["-lm"]);
        Cc::gcc().build(
            &build.join("none"),
            "#include <stdio.h>\nint main() { puts(\"none\"); return 0; }",
            &[],
        );
        World { bench, libs, build }
    }

    fn binary(&self, name: &str) -> String {
        self.build.join(name).to_str().unwrap().to_owned()
    }

    /// `spokeshave bundle --lib-dir … -o dist` with more arguments.
    fn bundle(&self, args: &[&str]) -> Outcome {
        self.bench.spokeshave([&["bundle", "--linked-path", self.libs.dir(), "-o", "dist"], args].concat())
    }

    fn dist(&self) -> PathBuf {
        self.bench.dir().join("dist")
    }

    fn without_libraries<T>(&self, look: impl FnOnce() -> T) -> T {
        let away = self.bench.dir().join("away");
        fs_err::rename(&self.libs.dir, &away).unwrap();
        let seen = look();
        fs_err::rename(&away, &self.libs.dir).unwrap();
        seen
    }
}

#[track_caller]
fn said(program: &Path) -> String {
    Outcome::of(Command::new(program).env_remove("LD_LIBRARY_PATH")).stdout
}

fn files(found: &Snapshot) -> Vec<&str> {
    let files = found.iter().filter(|(_, entry)| entry.links > 0);
    files.map(|(path, _)| path.to_str().unwrap()).collect()
}

#[test]
fn binaries_share_the_carried_libraries() {
    let world = World::new();
    let before = snapshot(&world.build);
    let outcome = world.bundle(&[&world.binary("one"), &world.binary("two"), &world.binary("none")]).exits(0);
    for part in ["dist", "2 libraries", "libalpha-1.2.so.3", "libbeta.so.1", "3 binaries, 2 patched"] {
        assert!(outcome.stdout.contains(part), "{part} is not in\n{}", outcome.stdout);
    }
    assert_eq!(snapshot(&world.build), before);

    let found = snapshot(&world.dist());
    let libraries: Vec<_> = files(&found).into_iter().filter(|path| path.contains(".so")).collect();
    assert_eq!(libraries.len(), 2, "one copy of each: {libraries:?}");
    assert!(libraries.iter().all(|path| path.starts_with("one.libs/")), "{libraries:?}");
    assert!(
        found.values().all(|entry| entry.mode & 0o002 == 0),
        "nothing is for everybody to write: {found:?}"
    );
    world.without_libraries(|| {
        for name in ["one", "two"] {
            assert_eq!(said(&world.dist().join(name)), "42\n");
        }
        // The bundle can be moved.
        let moved = world.bench.path("else/where/moved");
        fs_err::rename(world.dist(), &moved).unwrap();
        assert_eq!(said(&moved.join("one")), "42\n");
        fs_err::rename(&moved, world.dist()).unwrap();
    });
    let (origin, copy) = (entry(&world.build.join("none")), entry(&world.dist().join("none")));
    assert!(origin.bytes == copy.bytes && origin.mode == copy.mode && origin.inode != copy.inode);
}

#[test]
fn a_program_in_another_language_and_its_own_library() {
    let world = World::new();
    let cc = Cc::named("g++");
    let greet = r#"#include <string>
extern "C" long alpha(void);
std::string greet() { return "alpha says " + std::to_string(alpha()); }"#;
    let main = r#"#include <iostream>
#include <string>
std::string greet();
int main() { std::cout << greet() << std::endl; }"#;
    let [alpha, search] = world.libs.link_args();
    let library = world.binary("libgreet.so");
    let cpp = "-xc++";
    let source = |text: &str| {
        let path = world.bench.path("source.cc");
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // The compiler of the kit compiles C; an empty source and a named one are as good as one.
    let file = source(greet);
    cc.library(Path::new(&library), "libgreet.so", "", &[cpp, &file, "-xnone", &alpha, &search]);
    let file = source(main);
    let program = world.binary("greeter");
    let rpath = format!("-Wl,-rpath,{}", world.build.display());
    cc.build(Path::new(&program), "", &[cpp, &file, "-xnone", &library, &search, &rpath]);

    world.bundle(&["--artifact-dir", "bin", "--libs-dir", "lib/private", &program, &library]).exits(0);
    let found = snapshot(&world.dist());
    let listed = files(&found);
    assert!(listed.contains(&"bin/greeter") && listed.contains(&"bin/libgreet.so"), "{listed:?}");
    assert!(listed.iter().filter(|path| path.starts_with("lib/private/lib")).count() >= 2, "{listed:?}");
    let hidden = world.bench.dir().join("build-away");
    fs_err::rename(&world.build, &hidden).unwrap();
    world.without_libraries(|| {
        assert_eq!(said(&world.dist().join("bin/greeter")), "alpha says 42\n");
    });
    let dynamic = Dynamic::of(&world.dist().join("bin/greeter"));
    let paths = dynamic.rpath.unwrap_or_default();
    assert!(!paths.contains("build"), "no path of the build stays: {paths}");
}

#[test]
fn programs_of_other_architectures() {
    for arch in ARCHES.iter().filter(|arch| ["aarch64", "armv7l", "s390x"].contains(&arch.tag)) {
        let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
        let libs = Libs::new(arch.cc(), &bench.path("lib"));
        libs.program(&bench.path("build/app"), &[]);
        bench.spokeshave(["bundle", "--linked-path", libs.dir(), "-o", "dist", "build/app"]).exits(0);
        fs_err::remove_dir_all(&libs.dir).unwrap();
        assert_eq!(arch.run(&bench.path("dist/app"), &["x"]).exits(7).stdout, "42 x\n", "{}", arch.tag);
        // A program of this machine has no place beside it.
        Cc::gcc().build(&bench.path("build/here"), "int main() { return 0; }", &[]);
        bench
            .spokeshave(["bundle", "-l", libs.dir(), "-o", "both", "build/app", "build/here"])
            .exits(1)
            .complains(&["build/", "hint: "]);
        assert!(!bench.dir().join("both").exists());
    }
}

#[test]
fn the_same_bytes_every_time() {
    let world = World::new();
    let binaries = [world.binary("one"), world.binary("two"), world.binary("none")];
    let binaries = binaries.each_ref().map(String::as_str);
    world.bundle(&binaries).exits(0);
    let first = snapshot(&world.dist());
    for jobs in ["1", "4"] {
        world.bundle(&[&["--jobs", jobs], &binaries[..]].concat()).exits(0);
        assert_eq!(
            contents(&snapshot(&world.dist())),
            contents(&first),
            "into the same directory, --jobs {jobs}"
        );
    }
    // What an earlier bundle put there and this one does not is gone.
    world.bundle(&[&world.binary("none")]).exits(0);
    let found = snapshot(&world.dist());
    assert!(!files(&found).iter().any(|path| path.contains(".so") || *path == "one"), "{:?}", files(&found));
    assert_eq!(said(&world.dist().join("none")), "none\n");
}

#[test]
fn two_runs_on_one_binary_do_not_interleave() {
    let world = World::new();
    let one = world.binary("one");
    let other = fs_err::File::open(&one).unwrap();
    other.file().lock().unwrap();
    let mut command = world.bench.command();
    command.args(["bundle", "-l", world.libs.dir(), "-o", "dist", &one]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let stderr = BufReader::new(run.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let line = told.recv_timeout(Duration::from_secs(60)).expect("the run tells that it waits");
    assert!(line.contains(&format!("{one}: another run works on it, waiting")), "{line}");
    assert!(!world.dist().exists());
    drop(other);
    assert!(run.wait().unwrap().success());
    assert!(world.dist().join("one").exists());
}

#[test]
fn a_directory_with_strangers_is_refused() {
    let world = World::new();
    let one = world.binary("one");
    fs_err::create_dir(world.dist()).unwrap();
    world.bundle(&[&one]).exits(0);
    fs_err::write(world.dist().join("mine.txt"), "mine").unwrap();
    let before = snapshot(&world.dist());
    world.bundle(&[&one]).exits(1).complains(&["mine.txt", "hint: "]);
    assert_eq!(snapshot(&world.dist()), before);

    let file = world.bench.path("file");
    fs_err::write(&file, "mine").unwrap();
    let outcome = world.bench.spokeshave(["bundle", "-l", world.libs.dir(), "-o", "file", &one]);
    outcome.exits(1).complains(&["file", "hint: "]);
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "mine");
    let left: Vec<_> =
        snapshot(world.bench.dir()).into_keys().filter(|path| path.starts_with(".spokeshave")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn check_lists_what_a_repair_would_carry() {
    let world = World::new();
    let (one, none) = (world.binary("one"), world.binary("none"));
    let check = |args: &[&str]| world.bench.spokeshave([&["bundle", "--mode", "check"], args].concat());
    check(&["-l", world.libs.dir(), &one, &none]).exits(1).complains(&[
        "one",
        "libalpha-1.2.so.3",
        "libbeta.so.1",
    ]);
    check(&[&one]).exits(1).complains(&["libalpha-1.2.so.3"]);
    let passed = check(&[&none]).exits(0);
    assert!(passed.stdout.contains("nothing needs to be carried"), "{passed:?}");
    assert!(check(&["--json", &one]).exits(1).json()["output"].is_null(), "nothing was to be made");
    let excluded = ["-l", world.libs.dir(), "--exclude", "libalpha*", &one];
    check(&excluded).exits(0);
    world.bench.spokeshave(["bundle", &one]).exits(2).complains(&["--output"]);
    assert!(!world.dist().exists());
    assert!(!snapshot(world.bench.dir()).keys().any(|path| path.to_string_lossy().contains(".spokeshave")));
}

#[test]
fn plans_and_skips() {
    let world = World::new();
    let one = world.binary("one");
    let before = snapshot(&world.build);
    let planned = world.bundle(&["--dry-run", &one]).exits(0);
    assert!(planned.stdout.contains("would write") && planned.stdout.contains("libalpha"), "{planned:?}");
    assert!(!world.dist().exists());
    // Nobody looks for what is missing.
    world.bench.spokeshave(["bundle", "--mode", "skip", "-o", "dist", &one]).exits(0);
    assert_eq!(entry(&world.dist().join("one")).bytes, entry(Path::new(&one)).bytes);
    assert_eq!(snapshot(&world.build), before);
}

#[test]
fn options_of_a_repair() {
    let world = World::new();
    let one = world.binary("one");
    world.bundle(&["--no-mangle", "libbeta*", "--strip", "--dist-name", "demo", "--no-sbom", &one]).exits(0);
    let found = snapshot(&world.dist());
    let listed = files(&found);
    assert!(listed.contains(&"demo.libs/libbeta.so.1"), "{listed:?}");
    assert!(listed.iter().any(|path| path.starts_with("demo.libs/libalpha-1.2-")), "{listed:?}");
    assert!(!listed.iter().any(|path| path.ends_with(".json")), "{listed:?}");
    assert!(found[Path::new("one")].bytes.len() < entry(Path::new(&one)).bytes.len(), "stripped");
    world.without_libraries(|| assert_eq!(said(&world.dist().join("one")), "42\n"));

    let report = world.bundle(&["--json", &one]).exits(0).json();
    let sbom = report["sbom"].as_str().unwrap();
    let sbom: serde_json::Value =
        serde_json::from_slice(&fs_err::read(world.dist().join(sbom)).unwrap()).unwrap();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(report["artifacts"][0]["patched"], true);
    for name in ["../x", "a/b", ""] {
        world.bundle(&["--dist-name", name, &one]).exits(2).complains(&["--dist-name"]);
    }
    world.bundle(&["--libs-dir", "../x", &one]).exits(2).complains(&["--libs-dir", "climbs out"]);
}

#[test]
fn what_can_not_be_bundled() {
    let world = World::new();
    let one = world.binary("one");
    let text = world.bench.path("notes.txt");
    fs_err::write(&text, "hello").unwrap();
    let wasm = world.bench.path("module.wasm");
    fs_err::write(&wasm, b"\0asm\x01\0\0\0").unwrap();
    let twin = world.bench.path("other/one");
    fs_err::copy(&one, &twin).unwrap();
    for (input, parts) in [
        ("module.wasm", &["module.wasm", "WebAssembly", "hint: "][..]),
        ("notes.txt", &["notes.txt"]),
        ("absent", &["absent"]),
        ("no*.such", &["no*.such", "no file matches"]),
        ("build", &["build"]),
        ("other/one", &["other/one", "one"]),
    ] {
        let failed = world.bundle(&["--json", &one, input]).exits(1);
        assert_eq!(failed.json()["output"], "dist", "{input}");
        failed.complains(parts);
        assert!(!world.dist().exists(), "{input}");
    }
    fs_err::copy(&one, world.bench.path("two\nlines")).unwrap();
    world.bundle(&["two\nlines"]).exits(1).complains(&["two\nlines", "control characters", "hint: "]);
    let itself = world.bench.spokeshave(["bundle", "-o", &one, &one]).exits(1);
    itself.complains(&[&one, "is no directory", "hint: "]);
    let missing = world.bench.spokeshave(["bundle", "-o", "dist", &one, &world.binary("two")]).exits(1);
    missing.complains(&["libalpha-1.2.so.3", "one", "two"]);
    assert!(!snapshot(world.bench.dir()).keys().any(|path| path.to_string_lossy().contains(".spokeshave")));
}

/// A user may have no more threads left, as in a container that counts them.
#[test]
fn a_host_that_gives_no_threads() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    // Whoever runs the tests may be root, for whom nothing is counted; nobody must be able to get at everything.
    let exe = world.bench.path("bin/spokeshave");
    fs_err::copy(env!("CARGO_BIN_EXE_spokeshave"), &exe).unwrap();
    let open = |path: &Path| fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    open(world.bench.dir());
    open(&exe);
    let mut command = Command::new("prlimit");
    command.args(["--nproc=1:1", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(&exe).args(["bundle", "--jobs=8", "-o", "dist", "--linked-path", world.libs.dir()]);
    command.args([world.binary("one"), world.binary("two")]).current_dir(world.bench.dir());
    Outcome::of(&mut command).exits(0);
    world.without_libraries(|| assert_eq!(said(&world.dist().join("one")), "42\n"));
}
