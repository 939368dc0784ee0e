//! glibc's rules against ld.so.

use object::elf;

use super::kit::{Scene, edge, node};

const RPATH: &str = "-Wl,--disable-new-dtags";
const RUNPATH: &str = "-Wl,--enable-new-dtags";

fn scene() -> Scene {
    Scene::new("gcc")
}

#[test]
fn rpath_of_the_loading_chain_is_inherited() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libleaf.so", "@/a/libmid.so", "@/root.so"]);
    let rule = &edge(&s.closure("root.so").unwrap(), "libmid.so", "libleaf.so").rule.clone();
    assert!(rule.starts_with("RPATH of ") && rule.ends_with("/root.so"), "{rule}");
}

#[test]
fn rpath_of_an_intermediate_loader_is_inherited() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/../b"]);
    s.lib("b/libleaf.so", "", &["libtip.so"], &[]);
    s.lib("b/libtip.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so"], &[RPATH, "-Wl,-rpath,@/a"]);
    assert_eq!(s.agreed("root.so").unwrap().len(), 4);
}

#[test]
fn runpath_is_not_inherited() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so"], &[RUNPATH, "-Wl,-rpath,$ORIGIN/a"]);
    assert_eq!(s.agreed("root.so"), Err("libleaf.so".to_owned()));
}

#[test]
fn a_runpath_of_the_loader_hides_the_chain() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[RUNPATH, "-Wl,-rpath,$ORIGIN/../b"]);
    s.lib("a/libleaf.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/a"]);
    assert_eq!(s.agreed("root.so"), Err("libleaf.so".to_owned()));
}

#[test]
fn a_runpath_in_the_middle_of_the_chain_hides_nothing() {
    let s = scene();
    s.lib("a/libmid.so", "", &["libleaf.so"], &[RUNPATH, "-Wl,-rpath,$ORIGIN/../b"]);
    s.lib("b/libleaf.so", "", &["libtip.so"], &[]);
    s.lib("a/libtip.so", "", &[], &[]);
    s.lib("b/libtip.so", "", &[], &[]);
    s.lib("root.so", "", &["libmid.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/a"]);
    assert_eq!(
        s.agreed("root.so").unwrap(),
        ["@/a/../b/libleaf.so", "@/a/libmid.so", "@/a/libtip.so", "@/root.so"]
    );
}

#[test]
fn library_path_stands_between_rpath_and_runpath() {
    for (tags, expected) in [(RPATH, "@/a/liba.so"), (RUNPATH, "@/b/liba.so")] {
        let mut s = scene();
        s.lib("a/liba.so", "", &[], &[]);
        s.lib("b/liba.so", "", &[], &[]);
        s.lib("root.so", "", &["liba.so"], &[tags, "-Wl,-rpath,@/a"]);
        s.set("LD_LIBRARY_PATH", "/nowhere;@/b:/elsewhere");
        assert_eq!(s.agreed("root.so").unwrap(), [expected, "@/root.so"]);
    }
}

#[test]
fn rpath_beside_runpath_is_ignored() {
    let s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &[RUNPATH, "-Wl,-rpath,@/b", "-Wl,--depaudit=@/a"]);
    assert!(s.agreed("root.so").is_err());
    s.retag("root.so", elf::DT_DEPAUDIT, elf::DT_RPATH);
    assert!(s.agreed("root.so").is_err());
}

#[test]
fn of_several_rpaths_the_last_counts() {
    let s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("b/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &[RPATH, "-Wl,-rpath,@/a", "-Wl,--depaudit=@/b"]);
    let first = s.agreed("root.so").unwrap();
    s.retag("root.so", elf::DT_DEPAUDIT, elf::DT_RPATH);
    assert_ne!(s.agreed("root.so").unwrap(), first);
}

#[test]
fn tokens() {
    let s = scene();
    s.lib("lib/x86_64-linux-gnu/liba.so", "", &[], &[]);
    s.lib("x$FOO/libb.so", "", &[], &[]);
    s.lib("y/libc1.so", "", &[], &[]);
    let path = "-Wl,-rpath,${ORIGIN}/$LIB:@/x$FOO:${NOTHING}:$ORIGINAL:@/$ORIGIN:$ORIGIN/${LIB}/../../y";
    s.lib("root.so", "", &["liba.so", "libb.so", "libc1.so"], &[RPATH, path]);
    assert_eq!(s.agreed("root.so").unwrap().len(), 4);
}

#[test]
fn platform_is_the_baseline() {
    let s = scene();
    // The loader's own value depends on the processor; ours is the plainest.
    for platform in ["x86_64", "haswell", "xeon_phi"] {
        s.lib(&format!("{platform}/liba.so"), "", &[], &[]);
    }
    s.lib("root.so", "", &["liba.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/$PLATFORM"]);
    assert!(
        s.real("root.so").unwrap()[1].ends_with("/liba.so")
            || s.real("root.so").unwrap()[0].ends_with("/liba.so")
    );
    assert!(s.ours("root.so").unwrap().iter().any(|path| path.ends_with("/x86_64/liba.so")));
}

#[test]
fn origin_of_a_symlinked_library_is_the_links_directory() {
    let s = scene();
    s.lib("real/libmid.so", "", &["libleaf.so"], &[RPATH, "-Wl,-rpath,$ORIGIN"]);
    s.lib("real/libleaf.so", "", &[], &[]);
    s.lib("links/libleaf.so", "", &[], &[]);
    s.link("real/libmid.so", "links/libmid.so");
    s.lib("root.so", "", &["libmid.so"], &[RPATH, "-Wl,-rpath,$ORIGIN/links"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/links/libleaf.so", "@/links/libmid.so", "@/root.so"]);
}

#[test]
fn needs_with_a_slash_are_opened() {
    let s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("a/libb.so", "", &[], &[]);
    s.lib("root.so", "", &["$ORIGIN/a/liba.so", "@/a/libb.so"], &[]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/liba.so", "@/a/libb.so", "@/root.so"]);
    s.lib("broken.so", "", &["@/a/libnone.so"], &[]);
    assert!(s.agreed("broken.so").is_err());
}

#[test]
fn a_loaded_soname_or_name_is_reused() {
    let s = scene();
    // By soname: liby asks for the name that is only libx's DT_SONAME.
    s.lib("a/libx.so", "libx.so.1", &[], &[]);
    s.lib("b/libx.so.1", "libx.so.1", &[], &[]);
    s.lib("b/liby.so", "", &["libx.so.1"], &[RPATH, "-Wl,-rpath,$ORIGIN"]);
    s.lib("root.so", "", &["libx.so", "liby.so"], &[RPATH, "-Wl,-rpath,@/a:@/b"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libx.so", "@/b/liby.so", "@/root.so"]);
    // By requested name.
    s.lib("b/libz.so", "", &["libx.so"], &[RPATH, "-Wl,-rpath,$ORIGIN"]);
    s.lib("b/libx.so", "", &[], &[]);
    s.lib("root2.so", "", &["libx.so", "libz.so"], &[RPATH, "-Wl,-rpath,@/a:@/b"]);
    assert_eq!(s.agreed("root2.so").unwrap(), ["@/a/libx.so", "@/b/libz.so", "@/root2.so"]);
}

#[test]
fn one_file_under_two_names_is_one_library() {
    let s = scene();
    s.lib("a/libx.so.1.0", "", &[], &[]);
    s.link("a/libx.so.1.0", "a/libx.so.1");
    s.link("a/libx.so.1.0", "a/libx.so");
    s.lib("root.so", "", &["libx.so.1", "libx.so"], &[RPATH, "-Wl,-rpath,@/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/libx.so.1", "@/root.so"]);
    assert_eq!(node(&s.closure("root.so").unwrap(), "libx.so.1").aliases, ["libx.so", "libx.so.1"]);
}

#[test]
fn breadth_comes_first() {
    let s = scene();
    s.lib("a/liba.so", "", &["libv.so"], &[RPATH, "-Wl,-rpath,$ORIGIN"]);
    s.lib("a/libv.so", "", &[], &[]);
    s.lib("b/libv.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so", "libv.so"], &[RPATH, "-Wl,-rpath,@/b:@/a"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/a/liba.so", "@/b/libv.so", "@/root.so"]);

    // The second's needs come before those of what the first needs, and after those of the first.
    let here = [RPATH, "-Wl,-rpath,$ORIGIN"];
    for dir in ["x", "y", "z"] {
        s.lib(&format!("{dir}/libw.so"), "", &[], &[]);
    }
    s.lib("x/libfirst.so", "", &["libdeep.so"], &here);
    s.lib("x/libdeep.so", "", &["libw.so"], &here);
    s.lib("y/libsecond.so", "", &["libw.so"], &here);
    s.lib("z/libthird.so", "", &["libw.so"], &here);
    s.lib("deep.so", "", &["libfirst.so", "libsecond.so", "libthird.so"], &[RPATH, "-Wl,-rpath,@/x:@/y:@/z"]);
    assert!(s.agreed("deep.so").unwrap().contains(&"@/y/libw.so".to_owned()));
}

#[test]
fn other_machines_are_passed_over() {
    let s = scene();
    s.lib_by("aarch64-linux-gnu-gcc", "arm64/liba.so", "", &[], &[]);
    s.lib_by("i686-linux-gnu-gcc", "i386/liba.so", "", &[], &[]);
    s.lib_by("s390x-linux-gnu-gcc", "s390x/liba.so", "", &[], &[]);
    s.lib("x86/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &[RPATH, "-Wl,-rpath,@/none:@/arm64:@/i386:@/s390x:@/x86"]);
    assert_eq!(s.agreed("root.so").unwrap(), ["@/root.so", "@/x86/liba.so"]);
    let why: Vec<String> = edge(&s.closure("root.so").unwrap(), "root.so", "liba.so")
        .tried
        .iter()
        .map(|t| t.why.clone())
        .collect();
    let expected = [
        "no such directory",
        "other machine (aarch64)",
        "other class (32-bit)",
        "other byte order (big-endian)",
    ];
    assert_eq!(why, expected);
}

#[test]
fn system_directories_and_nodefaultlib() {
    let s = scene();
    s.lib("root.so", "", &["libm.so.6"], &[]);
    assert_eq!(s.agreed("root.so").unwrap()[1..], ["@/root.so"]);
    let rule = edge(&s.closure("root.so").unwrap(), "root.so", "libm.so.6").rule.clone();
    assert_eq!(rule, "ld.so.conf");
    s.lib("bare.so", "", &["libm.so.6"], &["-Wl,-z,nodefaultlib"]);
    assert_eq!(s.agreed("bare.so"), Err("libm.so.6".to_owned()));
}

#[test]
fn hwcaps_variants_stay_behind() {
    let s = scene();
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("a/glibc-hwcaps/x86-64-v2/liba.so", "", &[], &[]);
    s.lib("a/glibc-hwcaps/x86-64-v3/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &[RPATH, "-Wl,-rpath,@/a"]);
    let closure = s.closure("root.so").unwrap();
    let found = node(&closure, "/a/liba.so");
    assert_eq!(found.variants.len(), 2);
    let real = s.real("root.so").unwrap();
    let taken = real.iter().find(|path| path.ends_with("liba.so")).unwrap();
    let known = found.variants.iter().any(|variant| variant.to_str() == Some(taken));
    assert!(known || *taken == found.location.to_string(), "{taken}");

    s.lib("b/glibc-hwcaps/x86-64-v2/libb.so", "", &[], &[]);
    s.lib("only.so", "", &["libb.so"], &[RPATH, "-Wl,-rpath,@/b"]);
    let closure = s.closure("only.so").unwrap();
    let why: Vec<&str> = edge(&closure, "only.so", "libb.so").tried.iter().map(|t| t.why.as_str()).collect();
    assert_eq!(why[..2], ["no such file", "only for better processors"]);
}

#[test]
fn what_was_tried_is_what_the_loader_tried() {
    let s = scene();
    s.lib("e/libother.so", "", &[], &[]);
    fs_err::create_dir(s.path("empty")).unwrap();
    s.lib("root.so", "", &["libnone.so"], &[RPATH, "-Wl,-rpath,@/empty:@/none:@/e"]);
    let opener = s.real("root.so");
    assert_eq!(opener, Err("libnone.so".to_owned()));
    let output = std::process::Command::new(s.path("opener"))
        .arg(s.path("root.so"))
        .env("LD_DEBUG", "libs")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    let trace = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = |path: &str| path.ends_with("libnone.so") && path.starts_with(s.path("").to_str().unwrap());
    let hwcaps = ["/glibc-hwcaps/", "/tls/", "/haswell/", "/xeon_phi/", "/avx512_1/", "/x86_64/"];
    let real: Vec<&str> = trace
        .lines()
        .filter_map(|line| line.split_once("trying file=").map(|(_, path)| path.trim()))
        .filter(|path| wanted(path) && !hwcaps.iter().any(|dir| path.contains(dir)))
        .collect();
    let closure = s.closure("root.so").unwrap();
    let tried = &edge(&closure, "root.so", "libnone.so").tried;
    let ours: Vec<&str> = tried.iter().map(|t| t.path.as_str()).filter(|path| wanted(path)).collect();
    assert_eq!(ours, real);
    let rest: Vec<&str> = tried.iter().map(|t| t.rule.as_str()).skip(3).collect();
    assert!(rest.contains(&"ld.so.conf") && rest.contains(&"default directory"), "{rest:?}");
}
