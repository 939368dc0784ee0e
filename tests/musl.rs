//! musl: its own loader runs what was repaired.

use spokeshave_testkit::{ALPHA, Bench, Cc, Dynamic, Libs, Outcome, Tree};

#[test]
fn the_loader_of_musl_finds_what_is_carried() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let libs = Libs::new(Cc::musl(), &bench.path("lib"));
    let [alpha, search] = libs.link_args();
    let tree = Tree::new("demo-1.0-py3-none-linux_x86_64").file("demo/__init__.py", "");
    libs.program(&tree.path("demo-1.0.data/scripts/tool"), &[]);
    let source = format!("{ALPHA} long plug(void) {{ return alpha() + 1; }}");
    Cc::musl().library(&tree.path("demo/libplug.so"), "libplug.so", &source, &[&alpha, &search]);
    let wheel = bench.repair(&["-l", libs.dir()], &tree.pack(bench.dir()));
    fs_err::remove_dir_all(&libs.dir).unwrap();
    assert!(wheel.platforms().iter().all(|tag| tag.starts_with("musllinux_1_")), "{}", wheel.name());

    let plug = wheel.member("demo/libplug.so");
    assert_eq!(Dynamic::of(&plug).rpath.as_deref(), Some("$ORIGIN/../demo.libs"));
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
    Cc::musl().build(&opener, source, &[]);
    let run = |program: &std::path::Path, arg: &std::path::Path| {
        Outcome::of(std::process::Command::new(program).arg(arg).env_remove("LD_LIBRARY_PATH"))
    };
    assert_eq!(run(&opener, &plug).exits(0).stdout, "43\n");
    let said = run(&wheel.member("demo.scripts/tool"), "x".as_ref()).exits(7);
    assert_eq!(said.stdout, "42 x\n");
}
