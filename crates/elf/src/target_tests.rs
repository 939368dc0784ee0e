use std::sync::Arc;

use spokeshave_core::{Bytes, PackagePath};

use super::*;

#[test]
fn architectures_of_real_libraries() {
    let libraries = [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", Some(Architecture::X86_64)),
        ("/usr/i686-linux-gnu/lib/libc.so.6", Some(Architecture::I686)),
        ("/usr/aarch64-linux-gnu/lib/libc.so.6", Some(Architecture::Aarch64)),
        ("/usr/arm-linux-gnueabihf/lib/libc.so.6", Some(Architecture::Armv7l)),
        ("/usr/powerpc64le-linux-gnu/lib/libc.so.6", Some(Architecture::Ppc64le)),
        ("/usr/s390x-linux-gnu/lib/libc.so.6", Some(Architecture::S390x)),
        ("/usr/riscv64-linux-gnu/lib/libc.so.6", Some(Architecture::Riscv64)),
        ("/usr/mips-linux-gnu/lib/libc.so.6", None),
    ];
    for (path, expected) in libraries {
        let facts = ElfFacts::read(&fs_err::read(path).unwrap()).unwrap();
        assert_eq!(architecture(&facts), expected, "{path}");
    }
}

#[test]
fn tags() {
    for arch in Architecture::ALL {
        assert_eq!(Architecture::of_tag(&format!("manylinux_2_17_{arch}")), Some(arch));
    }
    assert_eq!(Architecture::of_tag("android_24_arm64_v8a"), Some(Architecture::Aarch64));
    assert_eq!(Architecture::of_tag("manylinux_2_17"), None);
    assert_eq!(Architecture::of_tag("linux_armv6l"), None);
    assert_eq!(libc_of_tag("musllinux_1_2_x86_64"), Some(Libc::Musl));
    assert_eq!(libc_of_tag("linux_x86_64"), None);
}

fn decide(facts: ElfFacts, name: &str, claimed: &[&str], plat: Option<&str>) -> Target {
    let artifact = Artifact {
        path: PackagePath::new(name).unwrap(),
        tree: PackagePath::root(),
        origin: None,
        source: Arc::new(Bytes::from(Vec::new())),
        mode: 0o755,
        linked_paths: Vec::new(),
    };
    let claimed: Vec<String> = claimed.iter().map(|tag| (*tag).to_owned()).collect();
    Target::decide(&[artifact], &[Arc::new(facts)], &claimed, plat)
}

fn x86_64(needed: &[&str]) -> ElfFacts {
    ElfFacts {
        is_64: true,
        machine: elf::EM_X86_64.0,
        needed: needed.iter().map(|name| (*name).to_owned()).collect(),
        ..ElfFacts::default()
    }
}

#[test]
fn what_decides() {
    let libc = |target: Target| target.libc;
    let linux = ["linux_x86_64"];
    assert_eq!(libc(decide(x86_64(&["libc.so.6"]), "x.so", &linux, None)), Libc::Glibc);
    assert_eq!(libc(decide(x86_64(&["libc.musl-x86_64.so.1"]), "x.so", &linux, None)), Libc::Musl);
    assert_eq!(libc(decide(x86_64(&["libc.so"]), "x.so", &linux, None)), Libc::Musl);
    assert_eq!(libc(decide(x86_64(&["libc.so"]), "x.so", &["android_24_x86_64"], None)), Libc::Android);
    assert_eq!(libc(decide(x86_64(&["libc.so.6"]), "x.so", &linux, Some("musllinux_1_2"))), Libc::Musl);
    assert_eq!(libc(decide(x86_64(&["libc.so.6"]), "x.so", &linux, Some("auto"))), Libc::Glibc);
    assert_eq!(libc(decide(x86_64(&[]), "x.cpython-312-x86_64-linux-musl.so", &linux, None)), Libc::Musl);
    assert_eq!(libc(decide(x86_64(&[]), "x.so", &[], None)), Libc::Glibc);
    let android = ElfFacts { android_api: Some(24), ..x86_64(&["libc.so"]) };
    assert_eq!(libc(decide(android, "x.so", &[], None)), Libc::Android);
    let interpreter = ElfFacts { interp: Some("/lib/ld-musl-x86_64.so.1".to_owned()), ..x86_64(&[]) };
    assert_eq!(libc(decide(interpreter, "x", &[], None)), Libc::Musl);

    let target = decide(x86_64(&[]), "x.so", &["manylinux_2_17_aarch64"], None);
    assert_eq!(target.architecture, Some(Architecture::Aarch64));
    assert!(!target.accepts(&x86_64(&[])));
    assert_eq!(decide(x86_64(&[]), "x.so", &[], None).architecture, Some(Architecture::X86_64));
}
