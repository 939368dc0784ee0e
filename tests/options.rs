//! Where libraries come from, and which tag is asked for.

use spokeshave_testkit::{Bench, Cc, Dynamic, Libs, Outcome, Tree, Venv, Wheel};

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn libs(bench: &Bench) -> Libs {
    Libs::new(Cc::gcc(), &bench.path("lib"))
}

fn import(wheel: &Wheel, expression: &str) -> String {
    let venv = Venv::new();
    venv.install(&wheel.path);
    venv.run(&format!("from demo import _ext as ext; print({expression})")).trim().to_owned()
}

/// A wheel with `demo._ext`, whose `value()` is this expression.
fn wheel_of(declarations: &str, value: &str, args: &[&str]) -> Tree {
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    Cc::gcc().extension(&tree.path("demo/_ext.abi3.so"), "_ext", declarations, value, args);
    tree
}

#[test]
fn the_environment_names_directories() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    for name in ["LD_LIBRARY_PATH", "AUDITWHEEL_LD_LIBRARY_PATH"] {
        let mut command = bench.command();
        command.args(["repair", "-w", name]).arg(&input).env(name, libs.dir());
        Outcome::of(&mut command).exits(0);
        assert_eq!(fs_err::read_dir(bench.dir().join(name)).unwrap().count(), 1);
    }
}

#[test]
fn the_system_list_is_replaced_or_left_out() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let path = format!("/nowhere:{}", libs.dir());
    assert_eq!(import(&bench.repair(&["--ldpaths", &path], &input), "ext.value()"), "42");
    let input = wheel_of("void *curl_easy_init(void);", "!!curl_easy_init()", &["-lcurl"]).pack(bench.dir());
    let args = ["repair", "--no-system-paths", "-w", "out", input.to_str().unwrap()];
    bench.spokeshave(args).exits(1).complains(&["libcurl.so.4"]);
}

#[test]
fn a_sysroot_is_searched_instead_of_the_host() {
    let bench = bench();
    let libs = Libs::new(Cc::gcc(), &bench.path("root/opt/special"));
    fs_err::create_dir_all(bench.path("root/etc/x").parent().unwrap()).unwrap();
    fs_err::write(bench.path("root/etc/ld.so.conf"), "\n# here\ninclude /etc/ld.so.conf.d/*.conf\n").unwrap();
    fs_err::create_dir_all(bench.path("root/etc/ld.so.conf.d/x").parent().unwrap()).unwrap();
    fs_err::write(bench.path("root/etc/ld.so.conf.d/a.conf"), "/opt/special\n").unwrap();
    let input = libs.demo().pack(bench.dir());
    assert_eq!(import(&bench.repair(&["--sysroot", "root"], &input), "ext.value()"), "42");
    bench.spokeshave(["repair", "-w", "out", input.to_str().unwrap()]).exits(1);
}

#[test]
fn libraries_that_need_each_other() {
    let bench = bench();
    let [one, two] = ["lib/libone.so.1", "lib/libtwo.so.1"].map(|name| bench.path(name));
    let cc = Cc::gcc();
    cc.library(&two, "libtwo.so.1", "long two(void) { return 2; }", &[]);
    cc.library(
        &one,
        "libone.so.1",
        "long two(void); long one(void) { return 1 + two(); }",
        &[two.to_str().unwrap()],
    );
    let back = "long one(void); long two(void) { return 2; } long again(void) { return one(); }";
    cc.library(&two, "libtwo.so.1", back, &[one.to_str().unwrap()]);
    let input = wheel_of("long one(void);", "one()", &[one.to_str().unwrap()]).pack(bench.dir());
    let wheel = bench.repair(&["-l", "lib"], &input);
    let [one, two] = ["libone-", "libtwo-"].map(|n| wheel.find(&format!("demo.libs/{n}"), ".so.1"));
    assert!(two.ends_with(&Dynamic::of(&wheel.member(&one)).needed[0]));
    assert!(one.ends_with(&Dynamic::of(&wheel.member(&two)).needed[0]));
    assert_eq!(import(&wheel, "ext.value()"), "3");
}

#[test]
fn two_libraries_of_one_name_are_both_carried() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    for (name, value) in [("_ext", 1), ("_more", 2)] {
        let lib = bench.path(&format!("{name}/libsame.so.1"));
        let source = format!("long same(void) {{ return {value}; }}");
        Cc::gcc().library(&lib, "libsame.so.1", &source, &[]);
        // DT_RPATH, as two builds with other prefixes leave it.
        let path = format!("-Wl,-rpath,{}", lib.parent().unwrap().display());
        let out = tree.path(&format!("demo/{name}.abi3.so"));
        Cc::gcc().extension(&out, name, "long same(void);", "same()", &[lib.to_str().unwrap(), &path]);
    }
    let wheel = bench.repair(&[], &tree.pack(bench.dir()));
    let libs: Vec<String> =
        wheel.names().into_iter().filter(|n| n.starts_with("demo.libs/libsame-")).collect();
    assert_eq!(libs.len(), 2, "{libs:?}");
    let venv = Venv::new();
    venv.install(&wheel.path);
    for order in ["_ext, _more", "_more, _ext"] {
        let said = venv.run(&format!("from demo import {order}; print(_ext.value(), _more.value())"));
        assert_eq!(said, "1 2\n");
    }
}

#[test]
fn an_include_that_is_nowhere_is_an_error_and_a_path_is_taken() {
    let bench = bench();
    let libs = libs(&bench);
    let input = wheel_of("", "5", &[]).pack(bench.dir());
    let args = ["repair", "--include", "libgone.so.9", "-w", "out", input.to_str().unwrap()];
    bench.spokeshave(args).exits(1).complains(&["libgone.so.9"]);
    assert!(!bench.dir().join("out").exists());
    let wheel = bench.repair(&["--include", &libs.file("libbeta.so.1")], &input);
    wheel.find("demo.libs/libbeta.so.1", "");
    assert_eq!(
        Dynamic::of(&wheel.member("demo/_ext.abi3.so")).rpath.as_deref(),
        Some("$ORIGIN/../demo.libs")
    );
}

#[test]
fn the_tag_asked_for() {
    let bench = bench();
    let input = wheel_of("", "5", &[]).pack(bench.dir());
    let tags = |args: &[&str]| bench.repair(args, &input).platforms().join(" ");
    let best = "manylinux1_x86_64 manylinux_2_5_x86_64";
    assert_eq!(tags(&[]), best);
    assert!(tags(&["--plat", "manylinux_2_28_x86_64"]).contains("manylinux_2_5_x86_64"));
    assert_eq!(tags(&["--plat", "manylinux_2_28", "--only-plat"]), "manylinux_2_28_x86_64");
    assert_eq!(
        tags(&["--plat", "manylinux2014_x86_64", "--only-plat"]),
        "manylinux2014_x86_64 manylinux_2_17_x86_64"
    );
    assert_eq!(tags(&["--plat", "linux"]), "linux_x86_64");
    assert_eq!(tags(&["--no-update-tags"]), "linux_x86_64");
    let mut command = bench.command();
    command
        .args(["repair", "--only-plat", "-w", "out"])
        .arg(&input)
        .env("AUDITWHEEL_PLAT", "manylinux_2_31_x86_64");
    Outcome::of(&mut command).exits(0);
    assert!(bench.dir().join("out/demo-1.0-cp39-abi3-manylinux_2_31_x86_64.whl").exists());
    bench.spokeshave(["repair", "--plat", "manylinux_2_28_aarch64", input.to_str().unwrap()]).exits(1);
    let outcome = bench.spokeshave(["repair", "--plat", "nonsense", input.to_str().unwrap()]);
    assert_ne!(outcome.code, Some(0));
    assert!(!bench.dir().join("wheelhouse").exists());
}

#[test]
fn names_with_build_tags_several_pythons_and_several_platforms() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = Tree::new("Some.Demo_x-1.0+local.1-2b-cp39.cp310-abi3.none-linux_x86_64")
        .file("demo/__init__.py", "");
    libs.extension(&tree.path("demo/_ext.abi3.so"), &[]);
    let wheel = bench.repair(&["-l", "lib"], &tree.pack(bench.dir()));
    assert!(
        wheel.name().starts_with("Some.Demo_x-1.0+local.1-2b-cp39.cp310-abi3.none-manylinux_2_"),
        "{}",
        wheel.name()
    );
    wheel.find("Some.Demo_x.libs/libbeta-", ".so.1");
}

#[test]
fn the_same_wheel_twice_and_two_that_would_be_one() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(&bench.path("in"));
    let again = libs.demo().file("demo/more.py", "").pack(&bench.path("other"));
    let twice = [&input, &input].map(|w| w.to_str().unwrap());
    bench.spokeshave([&["repair", "-l", "lib", "-w", "out"][..], &twice].concat()).exits(0);
    // Two inputs must never silently become one output.
    let both = [&input, &again].map(|w| w.to_str().unwrap());
    let outcome = bench.spokeshave([&["repair", "-l", "lib", "-w", "both"][..], &both].concat());
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
}
