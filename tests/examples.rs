//! The commands of README.md, on the wheels of `examples/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_testkit::{Bench, Macho, Outcome, Venv, Wheel, python};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The words behind `cargo run --release --` in a text.
fn command_in(text: &str) -> Vec<&str> {
    let start = "cargo run --release -- ";
    let line = text.lines().find_map(|line| line.trim().strip_prefix(start));
    line.expect("no command in the text").split_whitespace().collect()
}

/// Runs the command of a text in `root`, no shell between.
fn repaired(bench: &Bench, root: &Path, text: &str) -> Vec<Wheel> {
    let mut command = bench.command();
    let out = bench.path("out");
    command.current_dir(root).args(command_in(text)).arg("-w").arg(&out);
    let outcome = Outcome::of(&mut command).exits(0);
    let names = ["libgreet.so.1", "libtext.so.2", "manylinux2014_x86_64", "manylinux2014_aarch64"];
    for name in names.into_iter().chain(["libgreet.1.dylib", "libtext.2.dylib", "macosx_11_0_arm64"]) {
        assert!(outcome.stdout.contains(name), "it says what it did: {outcome:?}");
    }
    let mut wheels: Vec<PathBuf> =
        fs_err::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    wheels.sort();
    wheels.into_iter().map(Wheel::new).collect()
}

fn check(wheels: &[Wheel]) {
    let [mac, arm, intel] = wheels else { panic!("not three wheels") };
    for (wheel, arch) in [(arm, "aarch64"), (intel, "x86_64")] {
        wheel.check();
        assert_eq!(wheel.platforms(), [format!("manylinux2014_{arch}"), format!("manylinux_2_17_{arch}")]);
        wheel.find("demo.libs/libgreet-", ".so.1");
        wheel.find("demo.libs/libtext-", ".so.2");
    }
    mac.check();
    assert_eq!(mac.platforms(), ["macosx_11_0_arm64"]);
    let greet = mac.find("demo.dylibs/libgreet.1-", ".dylib");
    let slice = |name: &str| Macho::of(&mac.member(name)).slices.remove(0);
    let module = slice("demo/_greeting.abi3.so");
    assert!(module.names().contains(&format!("@loader_path/../{greet}").as_str()), "{module:?}");
    assert!(module.rpaths.is_empty() && module.signature.is_some_and(|signature| signature.flags == 2));
    let text = mac.find("demo.dylibs/libtext.2-", ".dylib").replace("demo.dylibs/", "@loader_path/");
    assert!(slice(&greet).names().contains(&text.as_str()));

    let venv = Venv::new();
    venv.install(&intel.path);
    let said = venv.run("import demo; print(demo.greet('you'))");
    assert!(said.contains("you"), "{said}");
}

#[test]
fn the_first_command_works() {
    let readme = fs_err::read_to_string(root().join("README.md")).unwrap();
    let guide = fs_err::read_to_string(root().join("examples/README.md")).unwrap();
    assert_eq!(command_in(&readme), command_in(&guide));
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    check(&repaired(&bench, &root(), &readme));
}

#[test]
fn the_examples_can_be_built_again() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let copy = bench.path("copy/examples");
    spokeshave_testkit::run("cp", [Path::new("-r"), &root().join("examples"), &copy]);
    let built = |file: &str| fs_err::read(copy.join("lib").join(file)).unwrap();
    let libs = [
        "x86_64/libgreet.so.1",
        "x86_64/libtext.so.2",
        "aarch64/libgreet.so.1",
        "aarch64/libtext.so.2",
        "macos/libgreet.1.dylib",
        "macos/libtext.2.dylib",
    ];
    let before = libs.map(built);
    Outcome::of(Command::new(copy.join("build.sh")).env("PYTHON", python())).exits(0);
    assert!(before == libs.map(built), "the libraries are not what their sources say");
    let readme = fs_err::read_to_string(root().join("README.md")).unwrap();
    check(&repaired(&bench, copy.parent().unwrap(), &readme));
}
