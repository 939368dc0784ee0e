//! Android's rules, of which no loader runs here, and ABIs that one machine has several of.

use super::kit::{Scene, edge, member, package};

/// What the NDK puts into every library.
const ANDROID_NOTE: &str =
    ".section .note.android.ident,\"a\",%note\n.long 8,4,1\n.asciz \"Android\"\n.long 24\n";

#[test]
fn android_knows_runpath_in_the_package_only() {
    let mut s = Scene::new("gcc");
    fs_err::write(s.path("note.s"), ANDROID_NOTE).unwrap();
    let note = "@/note.s";
    let liba = s.lib("a/liba.so", "", &[], &[note]);
    s.lib("host/libb.so", "", &[], &[note]);
    let runpath = ["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../lib:@/host", note];
    let one = s.lib("one.so", "", &["liba.so", "libb.so", "libc.so"], &runpath);
    let rpath = ["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../lib", note];
    let two = s.lib("two.so", "", &["liba.so"], &rpath);
    s.set("LD_LIBRARY_PATH", "@/host");
    let set = vec![member("p/one.so", one), member("p/two.so", two), member("lib/liba.so", liba)];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/one.so", "liba.so").rule, "RUNPATH of p/one.so");
    let missing = edge(&closure, "p/one.so", "libb.so");
    assert_eq!(missing.to, None);
    assert_eq!(
        missing.tried.iter().map(|t| t.why.as_str()).collect::<Vec<_>>(),
        ["no such file", "a path of the host"]
    );
    assert_eq!(edge(&closure, "p/one.so", "libc.so").to, None);
    assert_eq!(edge(&closure, "p/two.so", "liba.so").rule, crate::search::SIBLING);

    s.options.lib_dirs = vec![s.path("host")];
    let closure = s.closure_of(set.clone(), package(&set)).unwrap();
    assert_eq!(edge(&closure, "p/one.so", "libb.so").rule, "--lib-dir");
}

#[test]
fn arm_float_abis_do_not_mix() {
    let s = Scene::new("arm-linux-gnueabihf-gcc");
    let soft = ["-march=armv7-a", "-mfloat-abi=soft"];
    s.lib("soft/liba.so", "", &[], &soft);
    s.lib("hard/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &["-Wl,-rpath,@/soft:@/hard"]);
    let closure = s.closure("root.so").unwrap();
    let found = edge(&closure, "root.so", "liba.so");
    assert_eq!(found.tried[0].why, "other ABI (soft float)");
    assert!(closure.nodes[found.to.unwrap()].location.to_string().ends_with("/hard/liba.so"));
}

#[test]
fn auditwheel_s_variable_stands_before_the_loader_s() {
    let mut s = Scene::new("gcc");
    s.lib("a/liba.so", "", &[], &[]);
    s.lib("b/liba.so", "", &[], &[]);
    s.lib("root.so", "", &["liba.so"], &[]);
    s.set("LD_LIBRARY_PATH", "@/a");
    assert_eq!(edge(&s.closure("root.so").unwrap(), "root.so", "liba.so").rule, "LD_LIBRARY_PATH");
    s.set("AUDITWHEEL_LD_LIBRARY_PATH", "@/b");
    assert_eq!(edge(&s.closure("root.so").unwrap(), "root.so", "liba.so").rule, "AUDITWHEEL_LD_LIBRARY_PATH");
}
