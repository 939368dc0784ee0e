//! The platform tag follows what the binaries need.

use spokeshave_testkit::Wheel;

use crate::kit::Mac;

const A: &str = "int a(int x) { return x + 1; }";
const EXT: &str = "int a(int); int value(int x) { return a(x); }";

#[test]
fn a_newer_library_raises_the_tag() {
    let mac = Mac::new("x86_64");
    mac.lib("/opt/liba.dylib", "/opt/liba.dylib", A, &[">=12.3"]);
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib"]);
    let wheel = mac.repair(&[], &input);
    assert_eq!(wheel.platforms(), ["macosx_12_0_x86_64"]);
    let told = "warning: liba.dylib needs macOS 12.3 (x86_64), newer than the package claims";
    mac.try_repair(&[], &input).exits(0).complains(&[told]);
    mac.try_repair(&["--no-update-tags"], &input).exits(0).complains(&[told]);
    let outcome = mac.try_repair(&["--plat", "macosx_11_0_x86_64"], &input).exits(1);
    outcome.complains(&[
        "macosx_11_0_x86_64 can't be had",
        "liba.dylib: 12.3 (x86_64)",
        "ask for macosx_12_0_x86_64",
    ]);
    let wheel = mac.repair(&["--plat", "macosx_14_0_x86_64"], &input);
    assert_eq!(wheel.platforms(), ["macosx_14_0_x86_64"]);
}

#[test]
fn the_deployment_target_is_checked() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/liba.dylib", "/opt/liba.dylib", A, &[">=13.1"]);
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib"]);
    let repair = |target: &str| {
        let mut command = mac.bench.command();
        command.args(["repair", "-w", "out", "--sysroot", &mac.root()]).arg(&input);
        spokeshave_testkit::Outcome::of(command.env("MACOSX_DEPLOYMENT_TARGET", target))
    };
    repair("11.0")
        .exits(1)
        .complains(&["MACOSX_DEPLOYMENT_TARGET=11.0 can't be had", "liba.dylib: 13.1 (arm64)"]);
    repair("13.1").exits(0);
}

#[test]
fn a_tag_without_a_binary_for_it_goes() {
    let mac = Mac::new("arm64");
    let tree = spokeshave_testkit::Tree::new("demo-1.0-cp39-abi3-macosx_10_15_universal2");
    mac.build_for("arm64", &tree.path("demo/_ext.so"), "_ext.so", "int value(int x) { return x; }", &[]);
    let input = tree.pack(mac.bench.dir());
    let outcome = mac.try_repair(&[], &input).exits(0);
    outcome.complains(&["macosx_10_15_universal2 and has no binary for x86_64"]);
    let wheel = Wheel::new(mac.bench.path("out/demo-1.0-cp39-abi3-macosx_11_0_arm64.whl"));
    wheel.check();

    let tree = spokeshave_testkit::Tree::new("demo-1.0-cp39-abi3-macosx_10_15_x86_64");
    mac.build_for("arm64", &tree.path("demo/_ext.so"), "_ext.so", "int value(int x) { return x; }", &[]);
    let input = tree.pack(mac.bench.dir());
    mac.try_repair(&[], &input)
        .exits(1)
        .complains(&["the package has no binary for its platform (built for arm64"]);
}

#[test]
fn a_platform_of_another_format_is_no_pure_wheel() {
    let mac = Mac::new("arm64");
    let input = mac.wheel("int value(int x) { return x; }", &[]);
    let outcome = mac.try_repair(&["--plat", "manylinux_2_28_aarch64"], &input).exits(1);
    outcome.complains(&["the wheel is for macosx_11_0_arm64 and has no elf binary", "leave --plat out"]);
    assert!(!mac.bench.path("out").exists());

    // Built by a tool that knows only its host's name.
    let tree = spokeshave_testkit::Tree::new("demo-1.0-cp39-abi3-linux_x86_64");
    mac.build_for("arm64", &tree.path("demo/_ext.so"), "_ext.so", "int value(int x) { return x; }", &[]);
    let input = tree.pack(mac.bench.dir());
    mac.try_repair(&["--plat", "macosx_11_0_arm64"], &input).exits(0);
    Wheel::new(mac.bench.path("out/demo-1.0-cp39-abi3-macosx_11_0_arm64.whl")).check();
}
