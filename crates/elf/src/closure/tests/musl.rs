//! musl's rules, where they differ from glibc's, against its loader.

use super::kit::{Scene, edge};

/// What tells that a library is musl's.
const LIBC: &str = "libc.so";

fn scene() -> Scene {
    Scene::new("musl-gcc")
}

#[test]
fn runpath_is_inherited() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so", LIBC], &["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libleaf.so", "@/a/libmid.so", "@/root.so"]);
}

#[test]
fn library_path_comes_first() {
    let mut s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("b/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so", LIBC], &["-Wl,--disable-new-dtags", "-Wl,-rpath,@/a"]);
    s.set("LD_LIBRARY_PATH", "@/b");
    assert_eq!(s.agreed("root.so").unwrap(), ["@/b/liba.so", "@/root.so"]);
}

#[test]
fn another_token_voids_the_list() {
    let s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so", LIBC], &["-Wl,-rpath,$LIB:@/a"]);
    assert_eq!(s.agreed("root.so"), Err("liba.so".to_owned()));
    s.lib("root2.so", "", &["liba.so", LIBC], &["-Wl,-rpath,${ORIGIN}/b:$ORIGIN/a"]);
    assert!(s.agreed("root2.so").is_ok());
}

#[test]
fn sonames_are_not_compared() {
    let s = scene();
    s.lib("a/libx.so", "libx.so.1", &[], &[]);
    s.lib("b/libx.so.1", "libx.so.1", &[], &[]);
    s.lib("a/liby.so", "", &["libx.so.1"], &["-Wl,-rpath,@/b"]);
    s.lib("root.so", "", &["libx.so", "liby.so", LIBC], &["-Wl,-rpath,@/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libx.so", "@/a/liby.so", "@/b/libx.so.1", "@/root.so"]);
}

#[test]
fn one_file_under_two_names_is_one_library() {
    let s = scene();
    s.lib("a/libx.so.1.0", "", &[], &[]);
    s.link("a/libx.so.1.0", "a/libx.so.1");
    s.link("a/libx.so.1.0", "a/libx.so");
    s.lib("root.so", "", &["libx.so.1", "libx.so", LIBC], &["-Wl,-rpath,@/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libx.so.1", "@/root.so"]);
}

#[test]
fn origin_of_a_symlinked_library_is_the_links_directory() {
    let s = scene();
    s.lib("real/libmid.so", "", &["libleaf.so"], &["-Wl,-rpath,$ORIGIN"]);
    s.lib("real/libleaf.so", "", &[], &[]);
    s.lib("links/libleaf.so", "", &[], &[]);
    s.link("real/libmid.so", "links/libmid.so");
    s.lib("root.so", "", &["libmid.so", LIBC], &["-Wl,-rpath,$ORIGIN/links"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/links/libleaf.so", "@/links/libmid.so", "@/root.so"]);
}

#[test]
fn the_loader_holds_the_c_library() {
    let s = scene();
    s.lib("root.so", "", &["libpthread.so.0", "libc.musl-x86_64.so.1", LIBC], &[]);
    assert!(s.agreed("root.so").is_ok());
    let closure = s.closure("root.so").unwrap();
    assert_eq!(edge(&closure, "root.so", LIBC).rule, "the loader itself");
    assert_eq!(closure.nodes.len(), 2);
}

#[test]
fn glibc_libraries_are_passed_over() {
    let s = scene();
    s.lib_by("gcc", "a/liba.so", "", &["libc.so.6"], &[]);
    s.lib("root.so", "", &["liba.so", LIBC], &["-Wl,-rpath,@/a"]);
    let closure = s.closure("root.so").unwrap();
    assert_eq!(edge(&closure, "root.so", "liba.so").tried[0].why, "other C library (glibc)");
}
