use super::*;
use crate::facts::{Dylib, MinOs};

fn slice(arch: Arch, platform: u32) -> Slice {
    Slice { arch, min_os: vec![MinOs { platform, version: 0x000b_0300 }], ..Slice::default() }
}

fn file(slices: &[Slice]) -> MachoFacts {
    MachoFacts { fat: slices.len() > 1, slices: slices.to_vec(), inert: None }
}

const X86_64H: Arch = Arch { cpusubtype: 8, ..Arch::X86_64 };
const ARM64E: Arch = Arch { cpusubtype: 0x8000_0002, ..Arch::ARM64 };

#[test]
fn versions() {
    assert_eq!(Version::from_nibbles(0x000a_0f01), Version::new(10, 15));
    assert_eq!(Version::from_nibbles(0x000a_1000), Version::new(11, 0));
    assert_eq!(Version::parse("11"), Some(Version::new(11, 0)));
    assert_eq!(Version::parse("10.9"), Some(Version::new(10, 9)));
    assert_eq!(Version::parse("10.x"), None);
    assert_eq!(Version::new(13, 6).in_tags(), Version::new(13, 0));
    assert!(Version::new(10, 9) < Version::new(10, 15));
}

#[test]
fn tags_name_machines() {
    let tag = MacTag::parse("macosx_10_9_universal2").unwrap();
    assert_eq!((tag.version, tag.machines), (Version::new(10, 9), vec![Machine::X86_64, Machine::Arm64]));
    assert_eq!(MacTag::parse("macosx_11_0_x86_64").unwrap().machines, [Machine::X86_64]);
    for bad in ["macosx_11_x86_64", "macosx_11_0", "ios_13_0_arm64_iphoneos", "macosx_11_0_sparc"] {
        assert_eq!(MacTag::parse(bad), None, "{bad}");
    }
}

#[test]
fn dyld_takes_the_slice_that_runs() {
    let cases = [
        (Arch::ARM64, vec![Arch::X86_64, Arch::ARM64], Some(1)),
        (Arch::ARM64, vec![ARM64E], None),
        (ARM64E, vec![Arch::ARM64, ARM64E], Some(1)),
        (ARM64E, vec![Arch::ARM64], None),
        (X86_64H, vec![Arch::X86_64], Some(0)),
        (X86_64H, vec![Arch::X86_64, X86_64H], Some(1)),
        (Arch::X86_64, vec![X86_64H], None),
    ];
    for (process, slices, expected) in cases {
        let slices: Vec<Slice> = slices.into_iter().map(|arch| slice(arch, PLATFORM_MACOS)).collect();
        assert_eq!(slice_for(process, &file(&slices)), expected, "{process} of {}", archs(&file(&slices)));
    }
    assert_eq!(slice_for(Arch::ARM64, &file(&[slice(Arch::ARM64, 2)])), None, "iOS");
}

#[test]
fn a_package_is_for_what_its_tags_say() {
    let claims = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let arm = Target::decide(&claims(&["macosx_11_0_arm64"]), None, &[]);
    assert!(arm.accepts(&slice(Arch::ARM64, PLATFORM_MACOS)));
    assert!(!arm.accepts(&slice(Arch::ARM64, 2)));
    assert!(!arm.accepts(&slice(Arch::X86_64, PLATFORM_MACOS)));
    let intel = file(&[slice(Arch::X86_64, PLATFORM_MACOS)]);
    assert_eq!(arm.misfit(&intel).as_deref(), Some("built for x86_64, the package is for arm64"));
    let fat = Arc::new(file(&[slice(Arch::X86_64, PLATFORM_MACOS), slice(Arch::ARM64, PLATFORM_MACOS)]));
    let for_intel = |target: Target| target.machines.into_iter().collect::<Vec<_>>() == [Machine::X86_64];
    let claimed = claims(&["macosx_11_0_arm64"]);
    assert!(for_intel(Target::decide(&claimed, Some("macosx_11_0_x86_64"), std::slice::from_ref(&fat))));
    assert!(for_intel(Target::decide(
        &claims(&["macosx_11_0_universal2"]),
        None,
        &[Arc::new(intel.clone())]
    )));

    // A fat library that a repair has carried says nothing of the rest.
    let mut carried = MachoFacts::clone(&fat);
    for slice in &mut carried.slices {
        slice.id = Some(Dylib { name: "/DLC/demo.dylibs/libx.dylib".to_owned(), ..dylib() });
    }
    assert!(for_intel(Target::decide(&[], None, &[Arc::new(intel), Arc::new(carried)])));
}

fn dylib() -> Dylib {
    Dylib { name: String::new(), current_version: 0, compatibility_version: 0 }
}
