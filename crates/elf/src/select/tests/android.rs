use super::package::{Ask, Package};
use crate::target::{Architecture, Libc};

fn extension(note: Option<u32>, needs: &[&str]) -> Package {
    Package::new(Architecture::Aarch64, Libc::Android)
        .file("pkg/ext.so", needs)
        .with(|facts| facts.android_api = note)
}

#[test]
fn the_level_is_claimed_and_raised_by_evidence() {
    let claims = |package: &Package, claimed: &[&str]| package.ask(&Ask { claimed, ..Ask::default() });
    let package = extension(Some(24), &["libc.so", "libpython3.13.so"]);
    let selection = claims(&package, &["android_26_arm64_v8a"]);
    assert_eq!(selection.tags, ["android_26_arm64_v8a"]);
    assert_eq!(selection.tags_as_is, selection.tags);
    assert!(selection.removed.is_empty() && selection.missing.is_empty());

    let selection = claims(&package, &["android_21_arm64_v8a"]);
    assert_eq!(selection.tags, ["android_24_arm64_v8a"]);
    assert!(selection.warnings[0].contains("pkg/ext.so needs API level 24"), "{:?}", selection.warnings);

    let newer = extension(None, &["libc.so"]).versions("libc.so", &["LIBC", "LIBC_P"]);
    assert_eq!(claims(&newer, &["android_24_arm64_v8a"]).tags, ["android_28_arm64_v8a"]);
    let newest = extension(None, &["libc.so"]).versions("libc.so", &["LIBC_36", "LIBC_PRIVATE"]);
    assert_eq!(newest.auto().tags, ["android_36_arm64_v8a"]);
    assert_eq!(extension(None, &["libc.so"]).auto().tags, ["android_21_arm64_v8a"]);
}

#[test]
fn the_list_of_the_level_decides() {
    let package = extension(Some(24), &["libsync.so", "libvulkan.so", "libfoo.so"])
        .host("libfoo.so", &["libm.so"])
        .host("libsync.so", &[]);
    assert_eq!(package.plat("android_25").carried(&package), ["libfoo.so", "libsync.so"]);
    assert_eq!(package.plat("android_30_arm64_v8a").carried(&package), ["libfoo.so"]);
    assert_eq!(package.plat("android_30").tags, ["android_30_arm64_v8a"]);
    assert!(package.plat("android_30").tags_as_is.is_empty());
}

#[test]
fn refusals() {
    let package = extension(Some(24), &[]);
    assert!(package.plat("android_21").refused().contains("pkg/ext.so needs 24"));
    assert_eq!(package.plat("android_21").tags, ["android_24_arm64_v8a"]);
    assert!(package.plat("android_24_x86_64").refused().contains("it can't become"));
    assert!(package.plat("linux").refused().contains("Android"));
    let i686 = Package::new(Architecture::I686, Libc::Android).file("pkg/ext.so", &[]);
    assert!(i686.auto().refused().contains("no platform for API level"), "{}", i686.auto().refused());
}
