//! What is installed where, and what finds what there: siblings, `.data` trees, scripts, names that are taken.

use std::path::Path;
use std::process::Command;

use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome, Tree, Venv, python, run};

const TWO: &str = "long two(void) { return 2; }";

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn demo() -> Tree {
    Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "")
}

/// The extension `demo._ext`, whose `value()` is 2, linked against the library at `lib`.
fn extension(tree: &Tree, lib: &Path, args: &[&str]) {
    let args = [&[lib.to_str().unwrap()], args].concat();
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", "long two(void);", "two()", &args);
}

/// Repairs a wheel, which must fail with these words, and leaves nothing.
fn refused(bench: &Bench, args: &[&str], wheel: &Path, words: &[&str]) {
    let line = [&["repair", "-w", "out"], args, &[wheel.to_str().unwrap()]].concat();
    bench.spokeshave(line).exits(1).complains(words);
    assert!(fs_err::read_dir(bench.path("out/x").parent().unwrap()).unwrap().next().is_none());
}

#[test]
fn a_sibling_that_only_its_soname_tells_is_loaded() {
    let bench = bench();
    let tree = demo();
    let lib = tree.path("demo/lib/libtwo.so");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    extension(&tree, &lib, &[]);
    let wheel = bench.repair(&[], &tree.pack(bench.dir()));
    let ext = Dynamic::of(&wheel.member("demo/_ext.abi3.so"));
    assert_eq!((ext.needed[0].as_str(), ext.rpath.as_deref()), ("libtwo.so", Some("$ORIGIN/lib")));
    let venv = Venv::new();
    venv.install(&wheel.path);
    assert_eq!(venv.run("from demo import _ext; print(_ext.value())"), "2\n");
}

#[test]
fn no_search_path_leads_from_one_tree_of_data_to_another() {
    let bench = bench();
    let words =
        ["needs libtwo.so.1", "demo-1.0.data/data/lib/libtwo.so.1", "hint: put both into one directory"];
    let tree = demo();
    let lib = tree.path("demo-1.0.data/data/lib/libtwo.so.1");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    extension(&tree, &lib, &["-Wl,-rpath,$ORIGIN/../../../.."]);
    refused(&bench, &[], &tree.pack(bench.dir()), &words);

    let tree = demo().built("demo-1.0.data/data/lib/libtwo.so.1", &lib);
    let program = "long two(void); int main(void) { return two(); }";
    let out = tree.path("demo-1.0.data/scripts/tool");
    Cc::gcc().build(&out, program, &[lib.to_str().unwrap(), "-Wl,-rpath,$ORIGIN/../lib"]);
    refused(&bench, &[], &tree.pack(bench.dir()), &words);

    // Within one tree it is as in the package.
    let tree = demo().built("demo-1.0.data/data/lib/libtwo.so.1", &lib);
    let out = tree.path("demo-1.0.data/data/bin/tool");
    Cc::gcc().build(&out, program, &[lib.to_str().unwrap()]);
    let wheel = bench.repair(&[], &tree.pack(bench.dir()));
    let venv = Venv::new();
    venv.install(&wheel.path);
    Outcome::of(&mut venv.command("tool")).exits(2);
}

#[test]
fn programs_outside_the_package_get_no_path_to_what_is_included() {
    let bench = bench();
    let lib = bench.path("lib/libtwo.so.1");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    let tree = demo();
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", "", "1", &[]);
    Cc::gcc().build(&tree.path("demo-1.0.data/data/bin/tool"), "int main(void) { return 3; }", &[]);
    let args = ["-l", lib.parent().unwrap().to_str().unwrap(), "--include", "libtwo.so.1"];
    let wheel = bench.repair(&args, &tree.pack(bench.dir()));
    let rpath = |member: &str| Dynamic::of(&wheel.member(member)).rpath;
    assert_eq!(rpath("demo/_ext.abi3.so").as_deref(), Some("$ORIGIN/../demo.libs"));
    assert_eq!(rpath("demo-1.0.data/data/bin/tool"), None);
}

#[test]
fn an_included_library_is_carried_under_the_name_that_is_opened() {
    let bench = bench();
    let lib = bench.path("lib/libtwo.so.1");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    std::os::unix::fs::symlink("libtwo.so.1", lib.with_file_name("libtwo.so")).unwrap();
    let tree = demo();
    let declarations = r#"
#include <dlfcn.h>
long two(void);
static long opened(void) { return dlopen("libtwo.so", RTLD_NOW) ? two() : -1; }"#;
    let out = tree.path("demo/_ext.abi3.so");
    Cc::gcc().extension(&out, "_ext", declarations, "opened()", &[lib.to_str().unwrap()]);
    let dir = lib.parent().unwrap();
    let args = ["-l", dir.to_str().unwrap(), "--include", "libtwo.so"];
    let wheel = bench.repair(&args, &tree.pack(bench.dir()));
    let venv = Venv::new();
    venv.install(&wheel.path);
    fs_err::remove_dir_all(dir).unwrap();
    assert_eq!(venv.run("from demo import _ext; print(_ext.value())"), "2\n");
}

#[test]
fn what_stands_where_a_library_would_go_is_not_overwritten() {
    let bench = bench();
    let lib = bench.path("lib/libtwo.so.1");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    let dir = lib.parent().unwrap().to_str().unwrap();
    for (member, option) in [
        ("demo/libtwo.so.1", ["--include", "libtwo.so.1=demo"]),
        ("demo/libtwo.so.1/x", ["--include", "libtwo.so.1=demo"]),
        ("demo.libs", ["--no-mangle", "*"]),
    ] {
        let tree = demo().file(member, "text");
        extension(&tree, &lib, &[]);
        let taken = member.trim_end_matches("/x");
        refused(&bench, &[&["-l", dir][..], &option].concat(), &tree.pack(bench.dir()), &[taken, "hint:"]);
    }
}

#[test]
fn a_library_that_an_earlier_repair_carried_takes_the_place_of_its_copy() {
    let bench = bench();
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    let once = bench.repair(&["-l", libs.dir()], &libs.demo().pack(bench.dir()));
    let carried = [once.find("demo.libs/libalpha", ""), once.find("demo.libs/libbeta", "")];
    // What installers put into platlib is in the same place.
    for (scheme, same) in
        [("", true), ("", false), ("demo-1.0.data/platlib/", true), ("demo-1.0.data/platlib/", false)]
    {
        let mut tree = demo();
        for name in &carried {
            tree = tree.built(&format!("{scheme}{name}"), &once.member(name));
            if !same {
                run("strip", [tree.path(&format!("{scheme}{name}"))]);
            }
        }
        libs.extension(&tree.path("demo/_more.abi3.so"), &[]);
        let twice = bench.repair(&["-l", libs.dir()], &tree.pack(bench.dir()));
        for name in &carried {
            let found =
                twice.find(if same { scheme } else { "demo.libs/" }, name.trim_start_matches("demo.libs/"));
            assert!(once.read(name) == twice.read(&found), "{found}");
            assert_eq!(twice.names().iter().filter(|member| member.ends_with(name)).count(), 1);
        }
    }
}

#[test]
fn the_same_repair_twice_changes_nothing() {
    let bench = bench();
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    for more in [&["--include", "libbeta.so.1", "--mangle-included"][..], &["--strip"], &["--no-mangle", "*"]]
    {
        let args = [&["-l", libs.dir()], more].concat();
        let once = bench.repair(&args, &libs.demo().pack(bench.dir()));
        let twice = bench.repair(&args, &once.path);
        assert!(fs_err::read(once.path).unwrap() == fs_err::read(twice.path).unwrap(), "{more:?}");
    }
}

#[test]
fn search_paths_that_stay_inside_are_left_as_they_are() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-cp39-abi3-manylinux_2_5_x86_64.manylinux1_x86_64");
    let search = "-Wl,-rpath,$ORIGIN/x:$ORIGIN/x:${ORIGIN}/../y/";
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", "", "1", &[search]);
    let input = tree.pack(bench.dir());
    let wheel = bench.repair(&[], &input);
    assert!(fs_err::read(&wheel.path).unwrap() == fs_err::read(input).unwrap());
}

#[test]
fn a_binary_in_a_wheel_for_any_platform_is_not_passed_over_silently() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-py3-none-any");
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", "", "1", &[]);
    let input = tree.pack(bench.dir());
    let input = input.to_str().unwrap();
    bench.spokeshave(["repair", "-w", "out", input]).exits(0).complains(&["demo/_ext.abi3.so", "--plat"]);
    let report = bench.spokeshave(["show", "--json", input]).exits(0);
    assert!(report.stdout.contains("demo/_ext.abi3.so"), "{}", report.stdout);
}

/// Two versions of `demo`, whose program `tool` needs a carried library and returns `version`.
fn tool(bench: &Bench, version: &str) -> spokeshave_testkit::Wheel {
    let lib = bench.path(&format!("lib{version}/libtwo.so.1"));
    Cc::gcc().library(&lib, "libtwo.so.1", &format!("long two(void) {{ return {version}; }}"), &[]);
    let tree = Tree::new(&format!("demo-{version}-py3-none-linux_x86_64"));
    let out = tree.path(&format!("demo-{version}.data/scripts/tool"));
    let program = "long two(void); int main(void) { return two(); }";
    Cc::gcc().build(&out, program, &[lib.to_str().unwrap()]);
    bench.repair(&["-l", lib.parent().unwrap().to_str().unwrap()], &tree.pack(bench.dir()))
}

#[test]
fn a_moved_program_is_found_wherever_its_script_is_installed() {
    let bench = bench();
    let (one, two) = (tool(&bench, "1"), tool(&bench, "2"));
    let venv = Venv::new();
    venv.install(&one.path);
    Outcome::of(&mut venv.command("tool")).exits(1);

    // Another version beside it, run by the same interpreter.
    let own = venv.python();
    let own = own.to_str().unwrap();
    for option in ["--target", "--prefix"] {
        let to = bench.path(&format!("to{option}/x")).parent().unwrap().to_owned();
        let to = to.to_str().unwrap();
        let wheel = two.path.to_str().unwrap();
        let pip = ["-m", "pip", "--python", own, "install", "-q", "--no-deps", "--no-warn-script-location"];
        run(python(), pip.into_iter().chain(["--ignore-installed", option, to, wheel]));
        Outcome::of(&mut Command::new(format!("{to}/bin/tool"))).exits(2);
    }
    let again = bench.repair(&[], &one.path);
    assert!(fs_err::read(&one.path).unwrap() == fs_err::read(&again.path).unwrap());
}

#[test]
fn two_copies_of_a_file_that_load_different_libraries_are_not_mixed_up() {
    let bench = bench();
    let tree = demo();
    let first = bench.path("a/libx.so.1");
    for (dir, name, value) in [("a", "_ext", "1"), ("b", "_more", "2")] {
        let lib = bench.path(&format!("{dir}/liby.so.1"));
        Cc::gcc().library(&lib, "liby.so.1", &format!("long y(void) {{ return {value}; }}"), &[]);
        let x = lib.with_file_name("libx.so.1");
        match dir {
            "a" => Cc::gcc().library(
                &x,
                "libx.so.1",
                "long y(void); long x(void) { return y(); }",
                &[lib.to_str().unwrap(), "-Wl,-rpath,$ORIGIN"],
            ),
            _ => drop(fs_err::copy(&first, &x).unwrap()),
        }
        let rpath = format!("-Wl,-rpath,{}", lib.parent().unwrap().display());
        let out = tree.path(&format!("demo/{name}.abi3.so"));
        Cc::gcc().extension(&out, name, "long x(void);", "x()", &[x.to_str().unwrap(), &rpath]);
    }
    let words = ["a/libx.so.1", "b/libx.so.1", "load different libraries"];
    refused(&bench, &[], &tree.pack(bench.dir()), &words);
}

#[test]
fn nothing_is_carried_to_data() {
    let bench = bench();
    let lib = bench.path("lib/libtwo.so.1");
    Cc::gcc().library(&lib, "libtwo.so.1", TWO, &[]);
    let tree = demo();
    extension(&tree, &lib, &[]);
    let input = tree.pack(bench.dir());
    for dest in ["demo-1.0.data/data/lib", "demo-1.0.data/platlib/demo"] {
        let include = format!("libtwo.so.1={dest}");
        let args = ["-l", lib.parent().unwrap().to_str().unwrap(), "--include", &include];
        refused(&bench, &args, &input, &[dest, "can't be carried to .data"]);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let bench = bench();
    let fifo = bench.path("demo-1.0-py3-none-any.whl");
    let fifo = fifo.to_str().unwrap();
    run("mkfifo", [fifo]);
    for args in [&["repair", "-w", "out"][..], &["show"], &["tree"]] {
        bench.spokeshave([args, &[fifo]].concat()).exits(1).complains(&["is no regular file"]);
    }
    bench.spokeshave(["show", "/dev/zero"]).exits(1).complains(&["/dev/zero: is no regular file"]);
}
