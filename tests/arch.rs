//! Wheels of other architectures, repaired here and loaded by their own glibc under qemu.

use spokeshave_testkit::{ALPHA, ARCHES, Arch, Bench, Dynamic, Libs, Tree, Wheel};

/// A wheel with a program among its scripts and a library in its package, both of which need `libalpha`; and a
/// program outside that opens the library.
fn repaired(bench: &Bench, arch: &Arch) -> Wheel {
    let cc = arch.cc();
    let libs = Libs::new(cc.clone(), &bench.path("lib"));
    let [alpha, search] = libs.link_args();
    let tree = Tree::new(&format!("demo-1.0-py3-none-linux_{}", arch.tag)).file("demo/__init__.py", "");
    libs.program(&tree.path("demo-1.0.data/scripts/tool"), &[]);
    let source = format!("{ALPHA} long plug(void) {{ return alpha() + 1; }}");
    cc.library(&tree.path("demo/libplug.so"), "libplug.so", &source, &[&alpha, &search]);
    let wheel = bench.repair(&["-l", libs.dir()], &tree.pack(bench.dir()));
    fs_err::remove_dir_all(&libs.dir).unwrap();
    wheel
}

#[track_caller]
fn runs_under_qemu(tag: &str) {
    let arch = ARCHES.iter().find(|arch| arch.tag == tag).unwrap();
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let wheel = repaired(&bench, arch);
    for platform in wheel.platforms() {
        assert!(
            platform.starts_with("manylinux_2_") || platform == format!("manylinux2014_{tag}"),
            "{platform}"
        );
        assert!(platform.ends_with(&format!("_{tag}")), "{platform}");
    }
    let alpha = wheel.find("demo.libs/libalpha-1.2-", ".so.3.0");
    let alpha = alpha.strip_prefix("demo.libs/").unwrap();
    let plug = Dynamic::of(&wheel.member("demo/libplug.so"));
    assert_eq!(plug.needed[0], alpha);
    assert_eq!(plug.rpath.as_deref(), Some("$ORIGIN/../demo.libs"));

    let opener = bench.path("opener");
    let source = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *lib = dlopen(words[1], RTLD_NOW);
    if (!lib) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    printf("%ld\n", ((long (*)(void))dlsym(lib, "plug"))());
    return 0;
}"#;
    arch.cc().build(&opener, source, &["-ldl"]);
    let plug = wheel.member("demo/libplug.so");
    assert_eq!(arch.run(&opener, &[plug.to_str().unwrap()]).exits(0).stdout, "43\n");

    let said = arch.run(&wheel.member("demo.scripts/tool"), &["x"]).exits(7);
    assert_eq!(said.stdout, "42 x\n");
}

#[test]
fn aarch64() {
    runs_under_qemu("aarch64");
}

#[test]
fn armv7l() {
    runs_under_qemu("armv7l");
}

#[test]
fn i686() {
    runs_under_qemu("i686");
}

#[test]
fn ppc64le() {
    runs_under_qemu("ppc64le");
}

#[test]
fn riscv64() {
    runs_under_qemu("riscv64");
}

#[test]
fn s390x_is_big_endian() {
    runs_under_qemu("s390x");
}
