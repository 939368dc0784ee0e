//! What is in the package, and what the options say.

use std::sync::Arc;

use spokeshave_core::{Bytes, Error, Globs, Include, Location, OptionValues, PackagePath};

use super::kit::{Scene, artifact, edge, locations, member, node, package};
use crate::search::{LOADED, SIBLING};

fn scene() -> Scene {
    Scene::new("gcc")
}

fn names(closure: &crate::closure::Closure) -> Vec<String> {
    locations(closure).iter().map(|location| location.file_name()).collect()
}

#[test]
fn origin_stays_inside_the_package() {
    let s = scene();
    let liba = s.lib("liba.so", "", &[], &[]);
    let root =
        s.lib("ext.so", "", &["liba.so", "libb.so"], &["-Wl,-rpath,$ORIGIN/../x.libs:$ORIGIN/../../../out"]);
    let set = vec![member("pkg/ext.so", root), member("x.libs/liba.so", liba)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(closure.nodes.len(), 2);
    let found = edge(&closure, "pkg/ext.so", "liba.so");
    assert_eq!((found.to, found.rule.as_str()), (Some(1), "RUNPATH of pkg/ext.so"));
    let tried = &edge(&closure, "pkg/ext.so", "libb.so").tried;
    assert!(tried.iter().any(|t| t.why == "leads out of the package"), "{tried:?}");
    assert_eq!(node(&closure, "liba.so").aliases, ["liba.so"]);
}

#[test]
fn trees_are_installed_apart() {
    let s = scene();
    let liba = s.lib("liba.so", "", &[], &[]);
    let root = s.lib("tool.so", "", &["liba.so"], &["-Wl,-rpath,$ORIGIN/../lib:$ORIGIN/../../../p"]);
    let tree = PackagePath::new("x.data/data").unwrap();
    let mut tool = member("x.data/data/bin/tool.so", root);
    tool.tree = tree.clone();
    let set = vec![tool.clone(), member("p/liba.so", liba.clone())];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    let found = edge(&closure, "bin/tool.so", "liba.so");
    assert_eq!(found.rule, SIBLING);
    assert!(found.tried.iter().any(|t| t.why == "is installed elsewhere"), "{:?}", found.tried);

    let mut inside = member("x.data/data/lib/liba.so", liba);
    inside.tree = tree;
    let set = vec![tool, inside];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert!(edge(&closure, "bin/tool.so", "liba.so").rule.starts_with("RUNPATH of "));
}

#[test]
fn a_sibling_is_the_last_resort() {
    let s = scene();
    let one = s.lib("liba.so.1.2", "liba.so.1", &[], &[]);
    let root = s.lib("ext.so", "", &["liba.so.1", "libm.so.6"], &[]);
    let set = vec![member("pkg/ext.so", root), member("other/liba.so.1.2", one.clone())];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "pkg/ext.so", "liba.so.1").rule, SIBLING);
    assert_eq!(edge(&closure, "pkg/ext.so", "libm.so.6").rule, "ld.so.conf");

    // The file name outweighs the soname, the same directory outweighs others.
    let more = [set.clone(), vec![member("third/liba.so.1", one.clone())]].concat();
    let closure = s.closure_of(more.clone(), package(&more)).unwrap();
    assert_eq!(edge(&closure, "pkg/ext.so", "liba.so.1").to, Some(2));
    let more = [more, vec![member("pkg/liba.so.1", one.clone())]].concat();
    let closure = s.closure_of(more.clone(), package(&more)).unwrap();
    assert_eq!(edge(&closure, "pkg/ext.so", "liba.so.1").to, Some(3));

    // Two that are equally good: none is taken, both are named.
    let set = [set, vec![member("third/liba.so.1.2", one)]].concat();
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    let missing = edge(&closure, "pkg/ext.so", "liba.so.1");
    assert_eq!(missing.to, None);
    assert_eq!(missing.tried.iter().filter(|t| t.rule == SIBLING).count(), 2);
}

#[test]
fn a_copy_on_the_host_is_the_package_s() {
    let s = scene();
    let built = s.lib("build/liba.so", "", &[], &[]);
    let root = s.lib("ext.so", "", &["liba.so"], &["-Wl,-rpath,@/build"]);
    let mut copy = member("pkg/liba.so", built.clone());
    copy.source = Arc::new(Bytes::read(&built).unwrap());
    let set = vec![member("pkg/ext.so", root), copy];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(closure.nodes.len(), 2);
    assert_eq!(edge(&closure, "pkg/ext.so", "liba.so").rule, SIBLING);
}

#[test]
fn the_first_context_that_finds_it_wins() {
    let s = scene();
    let lib = s.lib("libmid.so", "", &["libleaf.so"], &[]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("b/libleaf.so", "", &[], &[]);
    let old = "-Wl,--disable-new-dtags";
    let none = s.lib("none.so", "", &["libmid.so"], &[old, "-Wl,-rpath,$ORIGIN"]);
    let one = s.lib("one.so", "", &["libmid.so"], &[old, "-Wl,-rpath,$ORIGIN:@/a"]);
    let two = s.lib("two.so", "", &["libmid.so"], &[old, "-Wl,-rpath,$ORIGIN:@/b"]);
    // The library comes first in the set and is still no root: its own context would not find the leaf.
    let set = vec![
        member("p/libmid.so", lib),
        member("p/none.so", none),
        member("p/one.so", one),
        member("p/two.so", two),
    ];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    let found = edge(&closure, "p/libmid.so", "libleaf.so");
    assert_eq!(found.rule, "RPATH of p/one.so");
    assert_eq!(names(&closure), ["libmid.so", "none.so", "one.so", "two.so", "libleaf.so"]);
}

#[test]
fn what_others_need_is_no_root() {
    let mut s = scene();
    let lib = s.lib("libmid.so", "", &["libleaf.so"], &[]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("b/libleaf.so", "", &[], &[]);
    let one = s.lib("one.so", "", &["libmid.so"], &["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN:@/a"]);
    s.set("LD_LIBRARY_PATH", "@/b");
    let set = vec![member("p/libmid.so", lib), member("p/one.so", one)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/libmid.so", "libleaf.so").rule, "RPATH of p/one.so");
}

#[test]
fn every_load_must_find_what_the_package_has() {
    let s = scene();
    let mid = s.lib("libmid.so", "", &["libx.so"], &[]);
    let x = s.lib("libx.so", "", &[], &[]);
    let one = s.lib("one.so", "", &["libmid.so", "libx.so"], &["-Wl,-rpath,$ORIGIN:$ORIGIN/x"]);
    let two = s.lib("two.so", "", &["libmid.so"], &["-Wl,-rpath,$ORIGIN"]);
    let set = vec![member("p/one.so", one), member("p/libmid.so", mid), member("p/x/libx.so", x)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/libmid.so", "libx.so").rule, LOADED);
    // Whoever imports `two` alone has no libx in the process yet.
    let set = [set, vec![member("p/two.so", two)]].concat();
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/libmid.so", "libx.so").rule, SIBLING);
}

#[test]
fn artifacts_in_a_circle() {
    let s = scene();
    let a = s.lib("liba.so", "", &["libb.so"], &[]);
    let b = s.lib("libb.so", "", &["liba.so"], &["-Wl,-rpath,$ORIGIN"]);
    let set = vec![member("p/liba.so", a), member("p/libb.so", b)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/liba.so", "libb.so").rule, SIBLING);
    assert_eq!(edge(&closure, "p/libb.so", "liba.so").to, Some(0));
}

#[test]
fn build_outputs_are_found_by_their_origin() {
    let s = scene();
    let lib = s.lib("build/libx.so", "", &[], &[]);
    let root = s.lib("build/app.so", "", &["libx.so"], &["-Wl,-rpath,$ORIGIN"]);
    let set = vec![artifact("bin/app.so", Some(root)), artifact("lib/libx.so", Some(lib))];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(closure.nodes.len(), 2);
    assert_eq!(edge(&closure, "build/app.so", "libx.so").to, Some(1));
}

#[test]
fn lib_dir_stands_first_but_for_the_package() {
    let mut s = scene();
    let inside = s.lib("in/liba.so", "", &[], &["-Wl,--build-id"]);
    s.lib("dir/liba.so", "", &[], &[]);
    s.lib("dir/libb.so", "", &[], &[]);
    s.lib("rpath/libb.so", "", &[], &[]);
    let flags = ["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN:@/rpath"];
    let root = s.lib("ext.so", "", &["liba.so", "libb.so"], &flags);
    s.options.lib_dirs = vec![s.path("dir")];
    let set = vec![member("p/ext.so", root), member("p/liba.so", inside)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/ext.so", "liba.so").rule, "RPATH of p/ext.so");
    assert_eq!(edge(&closure, "p/ext.so", "libb.so").rule, "--lib-dir");
}

#[test]
fn the_link_path_of_the_build_is_searched() {
    let s = scene();
    s.lib("linked/liba.so", "", &["libb.so"], &[]);
    s.lib("linked/libb.so", "", &[], &[]);
    let root = s.lib("app.so", "", &["liba.so"], &[]);
    let mut app = artifact("app.so", Some(root));
    app.linked_paths.push(s.path("linked"));
    let set = vec![app];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(closure.nodes.len(), 3);
}

#[test]
fn ldpaths_and_no_system_paths() {
    let mut s = scene();
    s.lib("dir/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so", "libm.so.6"], &[]);
    let mut values = OptionValues::default();
    values.push("ldpaths", Some(format!("{}:/nowhere", s.path("dir").display())));
    s.options.backend = values;
    let closure = s.closure("root.so").unwrap();
    assert_eq!(edge(&closure, "root.so", "liba.so").rule, "--ldpaths");
    assert_eq!(edge(&closure, "root.so", "libm.so.6").to, None);

    s.options.backend = OptionValues::default();
    s.options.backend.push("no-system-paths", None);
    let closure = s.closure("root.so").unwrap();
    assert!(edge(&closure, "root.so", "libm.so.6").tried.is_empty());
}

#[test]
fn excluded_libraries_are_not_walked() {
    let mut s = scene();
    s.lib("a/liba.so.1", "libodd.so", &["libgone.so"], &[]);
    s.link("a/liba.so.1", "a/liba.so");
    s.lib("root.so", "", &["liba.so"], &["-Wl,-rpath,@/a"]);
    let missing =
        |s: &Scene| s.closure("root.so").unwrap().nodes.iter().flat_map(|n| &n.needs).any(|e| e.to.is_none());
    assert!(missing(&s));
    for pattern in ["liba.so", "liba.so.1", "/*/a/liba.so.1"] {
        s.options.exclude = Globs::new([pattern]).unwrap();
        assert!(!missing(&s), "{pattern}");
        assert_eq!(s.closure("root.so").unwrap().nodes.len(), 2);
    }
}

#[test]
fn included_libraries_are_nodes() {
    let mut s = scene();
    s.lib("a/libplug.so.1", "", &["libdep.so"], &[]);
    s.lib("a/libdep.so", "", &[], &[]);
    s.lib("root.so", "", &[], &["-Wl,--disable-new-dtags", "-Wl,-rpath,@/a"]);
    s.options.include = vec!["libplug.so.1".parse().unwrap()];
    let closure = s.closure("root.so").unwrap();
    assert_eq!(names(&closure), ["root.so", "libplug.so.1", "libdep.so"]);
    assert_eq!(node(&closure, "libplug.so.1").included, Some(0));
    assert_eq!(node(&closure, "libdep.so").included, None);
    assert_eq!(
        edge(&closure, "libplug.so.1", "libdep.so").rule,
        format!("RPATH of {}", s.path("root.so").display())
    );

    let dest = PackagePath::new("x").unwrap();
    s.options.include =
        vec![Include { lib: s.path("a/libplug.so.1").display().to_string(), dest: Some(dest) }];
    assert_eq!(node(&s.closure("root.so").unwrap(), "libplug.so.1").name, "libplug.so.1");

    // A package that has it already does not get it again.
    let set =
        vec![member("p/root.so", s.path("root.so")), member("p.libs/libplug.so.1", s.path("a/libdep.so"))];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(names(&closure), ["root.so", "libplug.so.1"]);

    s.options.include = vec!["libnone.so".parse().unwrap(), "/none/libnone.so".parse().unwrap()];
    let error = s.closure("root.so").err().unwrap().downcast::<Error>().unwrap();
    assert!(
        error.what.contains("libnone.so (looked at: ")
            && error.what.contains("/none/libnone.so: no such file")
    );
}

#[test]
fn a_name_already_loaded_says_so() {
    let s = scene();
    s.lib("a/liba.so", "", &["libb.so"], &[]);
    s.lib("a/libb.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so", "libb.so"], &["-Wl,-rpath,@/a"]);
    assert_eq!(edge(&s.closure("root.so").unwrap(), "liba.so", "libb.so").rule, LOADED);
}

#[test]
fn what_nothing_loads_and_what_is_foreign_has_no_needs() {
    let s = scene();
    let root = s.lib("ext.so", "", &["libm.so.6"], &[]);
    let foreign = s.lib_by("aarch64-linux-gnu-gcc", "arm.so", "", &["libm.so.6"], &[]);
    let object = s.path("object.o");
    let source = s.path("empty.c");
    assert!(
        std::process::Command::new("gcc")
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(&object)
            .status()
            .unwrap()
            .success()
    );
    let set = vec![member("p/ext.so", root), member("p/arm.so", foreign), member("p/object.o", object)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/ext.so", "libm.so.6").rule, "ld.so.conf");
    assert!(node(&closure, "p/arm.so").needs.is_empty());
    assert_eq!(node(&closure, "p/object.o").facts.inert, Some("object file"));
}

#[test]
fn damaged_libraries_are_named() {
    let s = scene();
    let path = s.lib("a/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &["-Wl,-rpath,@/a"]);
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes[..200]).unwrap();
    let error = s.closure("root.so").err().unwrap().downcast::<Error>().unwrap();
    assert_eq!(error.path.as_deref(), path.to_str());
    // What is no ELF file at all (a linker script, say) is passed over.
    fs_err::write(&path, "INPUT(libx.so)").unwrap();
    assert_eq!(edge(&s.closure("root.so").unwrap(), "root.so", "liba.so").tried[0].why, "not an ELF file");
}

#[test]
fn a_sysroot_is_the_whole_world() {
    let mut s = Scene::new("aarch64-linux-gnu-gcc");
    s.lib("root.so", "", &["libm.so.6", "libpthread.so.0"], &["-Wl,-rpath,/lib"]);
    s.options.sysroot = Some("/usr/aarch64-linux-gnu".into());
    let closure = s.closure("root.so").unwrap();
    let found = edge(&closure, "root.so", "libm.so.6");
    assert!(found.rule.starts_with("RUNPATH of "), "{}", found.rule);
    for node in closure.nodes.iter().skip(1) {
        assert!(matches!(&node.location, Location::Host(path) if path.starts_with("/usr/aarch64-linux-gnu")));
    }
    // The same set as the real loader's, under qemu.
    let output = std::process::Command::new("qemu-aarch64")
        .args(["-L", "/usr/aarch64-linux-gnu", "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1", "--list"])
        .arg(s.path("root.so"))
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut real: Vec<&str> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    real.retain(|name| name.starts_with("lib"));
    let mut ours: Vec<String> =
        names(&closure).into_iter().skip(1).filter(|name| !name.starts_with("ld-")).collect();
    real.sort();
    ours.sort();
    assert_eq!(ours, real);
}
