//! What is carried, under which name, and what refers to it afterwards: judged by readelf and CPython.

use std::path::Path;

use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, MAPS, Tree, Venv, Wheel, run};

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn libs(bench: &Bench) -> Libs {
    Libs::new(Cc::gcc(), &bench.path("lib"))
}

/// The first 8 hex digits of a file's sha256, by coreutils.
fn hash(file: impl AsRef<Path>) -> String {
    run("sha256sum", [file.as_ref()])[..8].to_owned()
}

/// Installs a wheel and evaluates `expression` with `demo._ext` as `ext`.
fn import(wheel: &Wheel, expression: &str) -> String {
    let venv = Venv::new();
    venv.install(&wheel.path);
    venv.run(&format!("from demo import _ext as ext; print({expression})")).trim().to_owned()
}

fn carried(wheel: &Wheel) -> Vec<String> {
    let names = wheel.names();
    names.iter().filter_map(|n| n.strip_prefix("demo.libs/")).map(str::to_owned).collect()
}

#[test]
fn every_reference_is_rewritten_and_cpython_loads_it() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let wheel = bench.repair(&["--lib-dir", libs.dir()], &input);

    let alpha = format!("libalpha-1.2-{}.so.3.0", hash(libs.file("libalpha-1.2.so.3")));
    let beta = format!("libbeta-{}.so.1", hash(libs.file("libbeta.so.1")));
    let mut names = carried(&wheel);
    names.sort();
    assert_eq!(names, [alpha.clone(), beta.clone()]);

    let ext = Dynamic::of(&wheel.member("demo/_ext.abi3.so"));
    assert_eq!(ext.needed[0], alpha);
    assert!(!ext.needed.contains(&"libalpha-1.2.so.3".into()), "{ext:?}");
    assert!(ext.version_files.contains(&alpha), "{ext:?}");
    assert_eq!(ext.rpath.as_deref(), Some("$ORIGIN/../demo.libs"));
    assert_eq!(ext.runpath, None);

    let dynamic = Dynamic::of(&wheel.member(&format!("demo.libs/{alpha}")));
    assert_eq!(dynamic.soname.as_deref(), Some(alpha.as_str()));
    assert_eq!(dynamic.needed[0], beta);
    assert_eq!((dynamic.rpath.as_deref(), dynamic.runpath), (Some("$ORIGIN"), None));

    let dynamic = Dynamic::of(&wheel.member(&format!("demo.libs/{beta}")));
    assert_eq!(dynamic.soname.as_deref(), Some(beta.as_str()));
    assert_eq!((dynamic.rpath, dynamic.runpath), (None, None));

    let alone = "demo/_alone.abi3.so";
    assert_eq!(
        wheel.read(alone),
        Wheel::new(input).read(alone),
        "nothing is needed there, nothing is written"
    );

    let venv = Venv::new();
    venv.install(&wheel.path);
    fs_err::remove_dir_all(&libs.dir).unwrap();
    let said = venv.run(&format!(
        "{MAPS}\nfrom demo import _ext, _alone\nprint(_ext.value(), _alone.value(), *outside(), sep='\\n')"
    ));
    let (values, outside) = said.split_at("42\n7\n".len());
    assert_eq!(values, "42\n7\n");
    let system = ["ld-linux-", "libc.", "libm.", "libpthread.", "libdl.", "libutil.", "librt.", "libz."];
    for file in outside.lines().filter(|f| f.contains(".so")) {
        let name = file.rsplit('/').next().unwrap();
        assert!(system.iter().any(|s| name.starts_with(s)), "{file} is mapped from outside");
    }
}

#[test]
fn it_survives_gnu_strip_and_a_second_repair() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["--lib-dir", libs.dir()], &libs.demo().pack(bench.dir()));
    let again = bench.repair(&[], &wheel.path);
    assert_eq!(wheel.name(), again.name());
    assert!(
        fs_err::read(&wheel.path).unwrap() == fs_err::read(&again.path).unwrap(),
        "the second repair changed it"
    );

    let venv = Venv::new();
    venv.install(&wheel.path);
    for name in carried(&wheel).iter().map(|n| format!("demo.libs/{n}")).chain(["demo/_ext.abi3.so".into()]) {
        let installed = run("find", [venv.dir().to_str().unwrap(), "-path", &format!("*/{name}")]);
        run("strip", [installed.trim()]);
        Dynamic::of(Path::new(installed.trim()));
    }
    assert_eq!(venv.run("from demo import _ext; print(_ext.value())"), "42\n");
}

#[test]
fn one_copy_of_a_file_whatever_its_names() {
    let bench = bench();
    let dir = bench.path("lib/x").parent().unwrap().to_owned();
    // Without a soname, what the linker records is the name it was given.
    Cc::gcc().build(&dir.join("libtwo.so"), "long two(void) { return 2; }", &["-shared", "-fPIC"]);
    std::os::unix::fs::symlink("libtwo.so", dir.join("libother.so")).unwrap();
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    let search = format!("-L{}", dir.display());
    for (name, lib) in [("_ext", "-ltwo"), ("_more", "-lother")] {
        let out = tree.path(&format!("demo/{name}.abi3.so"));
        Cc::gcc().extension(&out, name, "long two(void);", "two()", &[&search, lib]);
    }
    let wheel = bench.repair(&["-l", dir.to_str().unwrap()], &tree.pack(bench.dir()));
    let name = format!("libtwo-{}.so", hash(dir.join("libtwo.so")));
    assert_eq!(carried(&wheel), [name.as_str()]);
    for ext in ["demo/_ext.abi3.so", "demo/_more.abi3.so"] {
        assert_eq!(Dynamic::of(&wheel.member(ext)).needed[0], name);
    }
    assert_eq!(import(&wheel, "ext.value()"), "2");
}

#[test]
fn a_name_that_another_tool_has_hashed_stays() {
    let bench = bench();
    let lib = bench.path("lib/libtwo-0123abcd.so.1");
    Cc::gcc().library(&lib, "libtwo-0123abcd.so.1", "long two(void) { return 2; }", &[]);
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    let out = tree.path("demo/_ext.abi3.so");
    Cc::gcc().extension(&out, "_ext", "long two(void);", "two()", &[lib.to_str().unwrap()]);
    let wheel = bench.repair(&["-l", lib.parent().unwrap().to_str().unwrap()], &tree.pack(bench.dir()));
    assert_eq!(carried(&wheel), ["libtwo-0123abcd.so.1"]);
    assert_eq!(import(&wheel, "ext.value()"), "2");
}

#[test]
fn search_paths_keep_what_is_inside_and_lose_what_leads_out() {
    let bench = bench();
    let libs = libs(&bench);
    for (flag, at) in [("--disable-new-dtags", "one"), ("--enable-new-dtags", "two")] {
        let tree = libs.demo();
        Cc::gcc().library(
            &tree.path("demo/inside/libinside.so"),
            "libinside.so",
            "long inside(void) { return 1; }",
            &[],
        );
        let inside = tree.path("demo/inside/libinside.so");
        let path = format!(
            "-Wl,{flag},-rpath,/opt/nowhere:$ORIGIN/inside:$ORIGIN/../../../out:relative:$ORIGIN/../demo/inside:{}",
            libs.dir()
        );
        libs.extension(
            &tree.path("demo/_ext.abi3.so"),
            &["-Wl,--no-as-needed", inside.to_str().unwrap(), &path],
        );
        // libalpha's own need is no business of a DT_RUNPATH.
        let wheel = bench.repair(&["-l", libs.dir()], &tree.pack(&bench.path(at)));
        let ext = Dynamic::of(&wheel.member("demo/_ext.abi3.so"));
        assert_eq!(ext.runpath, None, "{flag}: DT_RPATH is written, a DT_RUNPATH is folded into it");
        let rpath = ext.rpath.unwrap();
        let entries: Vec<&str> = rpath.split(':').collect();
        assert_eq!(entries[0], "$ORIGIN/inside", "{flag}");
        assert_eq!(*entries.last().unwrap(), "$ORIGIN/../demo.libs", "{flag}");
        assert!(entries.iter().all(|e| e.starts_with("$ORIGIN")) && !rpath.contains("out"), "{rpath}");
        assert_eq!(import(&wheel, "ext.value()"), "42");
    }
}

#[test]
fn a_search_path_that_leads_out_goes_even_when_nothing_is_carried() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", "", "5", &["-Wl,-rpath,/home/builder/lib"]);
    let input = tree.pack(bench.dir());
    let wheel = bench.repair(&[], &input);
    let ext = Dynamic::of(&wheel.member("demo/_ext.abi3.so"));
    assert_eq!((ext.rpath, ext.runpath), (None, None));
    let size = |wheel: &Wheel| wheel.read("demo/_ext.abi3.so").len();
    assert_eq!(size(&wheel), size(&Wheel::new(input)), "an edit in place");
    assert_eq!(carried(&wheel), [""; 0]);
    assert_eq!(import(&wheel, "ext.value()"), "5");
}

#[test]
fn libpython_is_taken_out_without_growth_or_a_search_path() {
    let bench = bench();
    let python = bench.path("lib/libpython3.11.so.1.0");
    Cc::gcc().library(&python, "libpython3.11.so.1.0", "int nothing_of_python;", &[]);
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    let out = tree.path("demo/_ext.abi3.so");
    Cc::gcc().extension(&out, "_ext", "", "5", &["-Wl,--no-as-needed", python.to_str().unwrap()]);
    let input = tree.pack(bench.dir());
    assert!(Dynamic::of(&out).needed.contains(&"libpython3.11.so.1.0".into()));
    let wheel = bench.repair(&["-l", python.parent().unwrap().to_str().unwrap()], &input);
    let ext = Dynamic::of(&wheel.member("demo/_ext.abi3.so"));
    assert_eq!(ext.needed, ["libc.so.6"]);
    assert_eq!(ext.rpath, None);
    assert_eq!(carried(&wheel), [""; 0]);
    assert_eq!(wheel.read("demo/_ext.abi3.so").len(), Wheel::new(input).read("demo/_ext.abi3.so").len());
    assert_eq!(import(&wheel, "ext.value()"), "5");
}

#[test]
fn a_program_among_the_scripts_moves_behind_a_shim() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = libs.demo();
    libs.program(&tree.path("demo-1.0.data/scripts/tool"), &[]);
    Cc::gcc().build(&tree.path("demo-1.0.data/scripts/plain"), "int main(void) { return 3; }", &[]);
    let input = tree.pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir()], &input);
    let plain = "demo-1.0.data/scripts/plain";
    assert_eq!(wheel.read(plain), Wheel::new(input).read(plain), "a program that needs nothing stays");
    assert!(wheel.read("demo-1.0.data/scripts/tool").starts_with(b"#!python"));
    let tool = Dynamic::of(&wheel.member("demo.scripts/tool"));
    assert_eq!(tool.rpath.as_deref(), Some("$ORIGIN/../demo.libs"));

    let venv = Venv::new();
    venv.install(&wheel.path);
    fs_err::remove_dir_all(&libs.dir).unwrap();
    let said = spokeshave_testkit::Outcome::of(venv.command("tool").args(["a b", "-x", "--", "ü"])).exits(7);
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("42 a b -x -- ü\n", ""));
    spokeshave_testkit::Outcome::of(&mut venv.command("plain")).exits(3);
}

/// `libplug.so.1` is opened by name only and needs `libalpha`.
fn plugin(libs: &Libs) -> Tree {
    let [alpha, search] = libs.link_args();
    Cc::gcc().library(
        Path::new(&libs.file("libplug.so.1")),
        "libplug.so.1",
        "long alpha(void); long plug(void) { return alpha() + 1; }",
        &[&alpha, &search],
    );
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    let declarations = r#"
#include <dlfcn.h>
static long plug(void) {
    void *lib = dlopen("libplug.so.1", RTLD_NOW);
    if (!lib) { fprintf(stderr, "%s\n", dlerror()); return -1; }
    return ((long (*)(void))dlsym(lib, "plug"))();
}"#;
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", declarations, "plug()", &["-ldl"]);
    tree
}

#[test]
fn an_included_library_is_found_by_dlopen() {
    let bench = bench();
    let libs = libs(&bench);
    let input = plugin(&libs).pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir(), "--include", "libplug.so.1"], &input);
    let names = carried(&wheel);
    assert!(names.contains(&"libplug.so.1".into()), "under its own name: {names:?}");
    assert!(names.iter().any(|n| n.starts_with("libalpha-1.2-")), "its dependencies hashed: {names:?}");
    assert_eq!(
        Dynamic::of(&wheel.member("demo/_ext.abi3.so")).rpath.as_deref(),
        Some("$ORIGIN/../demo.libs")
    );
    let venv = Venv::new();
    venv.install(&wheel.path);
    fs_err::remove_dir_all(&libs.dir).unwrap();
    assert_eq!(venv.run("from demo import _ext; print(_ext.value())"), "43\n");
    let again = bench.repair(&[], &wheel.path);
    assert!(fs_err::read(&wheel.path).unwrap() == fs_err::read(&again.path).unwrap());
}

#[test]
fn an_included_library_goes_where_it_is_told_or_is_hashed() {
    let bench = bench();
    let libs = libs(&bench);
    let input = plugin(&libs).pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir(), "--include", "libplug.so.1=demo/plugins"], &input);
    let plug = Dynamic::of(&wheel.member("demo/plugins/libplug.so.1"));
    assert_eq!(plug.rpath.as_deref(), Some("$ORIGIN/../../demo.libs"));
    let wheel = bench.repair(&["-l", libs.dir(), "--include", "libplug.so.1", "--mangle-included"], &input);
    wheel.find("demo.libs/libplug-", ".so.1");
}

#[test]
fn no_mangle_keeps_a_name() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["-l", libs.dir(), "--no-mangle", "libbeta*"], &libs.demo().pack(bench.dir()));
    let alpha = wheel.find("demo.libs/libalpha-1.2-", ".so.3.0");
    assert_eq!(Dynamic::of(&wheel.member(&alpha)).needed[0], "libbeta.so.1");
    assert_eq!(Dynamic::of(&wheel.member("demo.libs/libbeta.so.1")).soname.as_deref(), Some("libbeta.so.1"));
    assert_eq!(import(&wheel, "ext.value()"), "42");
}

#[test]
fn exclude_leaves_a_library_to_the_target() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let wheel = bench.repair(&["-l", libs.dir(), "--exclude", "libbeta.so.*"], &input);
    let alpha = wheel.find("demo.libs/libalpha-1.2-", ".so.3.0");
    assert_eq!(carried(&wheel).len(), 1);
    assert_eq!(Dynamic::of(&wheel.member(&alpha)).needed[0], "libbeta.so.1");
    // By the path that --lib-dir leads to.
    let wheel = bench.repair(&["-l", libs.dir(), "--exclude", &libs.file("libbeta*")], &input);
    assert_eq!(carried(&wheel).len(), 1);
    assert_eq!(Dynamic::of(&wheel.member(&alpha)).needed[0], "libbeta.so.1");
    // By soname though the library is nowhere: its subtree is not walked.
    fs_err::remove_dir_all(&libs.dir).unwrap();
    let wheel = bench.repair(&["--exclude", "libalpha-1.2.so.3"], &input);
    assert_eq!(carried(&wheel), [""; 0]);
    assert_eq!(Dynamic::of(&wheel.member("demo/_ext.abi3.so")).needed[0], "libalpha-1.2.so.3");
}

#[test]
fn strip_drops_symbols_and_debug_sections() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["-l", libs.dir(), "--strip"], &libs.demo().pack(bench.dir()));
    let files = carried(&wheel).iter().map(|n| format!("demo.libs/{n}")).collect::<Vec<_>>();
    for file in files.iter().map(String::as_str).chain(["demo/_ext.abi3.so", "demo/_alone.abi3.so"]) {
        Dynamic::of(&wheel.member(file));
        let sections = run("readelf", ["-SW", wheel.member(file).to_str().unwrap()]);
        assert!(!sections.contains(".symtab") && !sections.contains(".comment"), "{file}: {sections}");
    }
    assert_eq!(import(&wheel, "ext.value()"), "42");
}

#[test]
fn the_libraries_directory_has_the_suffix_asked_for() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["-l", libs.dir(), "-L", ".native"], &libs.demo().pack(bench.dir()));
    wheel.find("demo.native/libbeta-", ".so.1");
    assert_eq!(
        Dynamic::of(&wheel.member("demo/_ext.abi3.so")).rpath.as_deref(),
        Some("$ORIGIN/../demo.native")
    );
}
