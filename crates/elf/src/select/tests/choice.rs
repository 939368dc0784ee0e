use spokeshave_core::Role;

use super::package::{Ask, Package};
use crate::facts::VersionNeed;
use crate::select::NodeRole;
use crate::target::{Architecture, Libc};

/// An extension that asks glibc for these versions.
fn extension(versions: &[&str]) -> Package {
    Package::x86_64()
        .file("pkg/ext.so", &["libc.so.6"])
        .versions("libc.so.6", versions)
        .host("libc.so.6", &[])
}

#[test]
fn the_versions_decide() {
    for (version, tags) in [
        ("GLIBC_2.2.5", &["manylinux_2_5_x86_64", "manylinux1_x86_64"][..]),
        ("GLIBC_2.12", &["manylinux_2_12_x86_64", "manylinux2010_x86_64"]),
        ("GLIBC_2.14", &["manylinux_2_17_x86_64", "manylinux2014_x86_64"]),
        ("GLIBC_2.18", &["manylinux_2_24_x86_64"]),
        ("GLIBC_2.29", &["manylinux_2_31_x86_64"]),
        ("GLIBC_ABI_DT_RELR", &["manylinux_2_36_x86_64"]),
        ("GLIBC_2.41", &["manylinux_2_41_x86_64"]),
    ] {
        let selection = extension(&["GLIBC_2.2.5", version]).auto();
        assert_eq!(selection.tags, tags, "{version}");
        assert_eq!(selection.tags_as_is, tags, "{version}");
        assert_eq!(selection.refusal, None);
    }
}

#[test]
fn what_no_policy_allows_is_refused() {
    for version in ["GLIBC_2.99", "GLIBC_PRIVATE", "NEWLIBC_1"] {
        let package = extension(&["GLIBC_2.2.5", version]);
        let selection = package.auto();
        assert_eq!(selection.tags, ["linux_x86_64"]);
        assert_eq!(selection.tags_as_is, ["linux_x86_64"]);
        assert!(selection.refused().contains(version), "{}", selection.refused());
        let linux = package.plat("linux");
        assert_eq!((linux.tags, linux.refusal), (vec!["linux_x86_64".to_owned()], None));
    }
    let other = || extension(&[]).file("pkg/b.so", &[]);
    let narrow = "PyUnicodeUCS2_AsUTF8String";
    for (package, symbol) in [
        (other().undefined(&["malloc", "PyFPE_jbuf"]), "PyFPE_jbuf"),
        (other().narrow_python(narrow), narrow),
    ] {
        let selection = package.auto();
        assert_eq!(selection.tags, ["linux_x86_64"]);
        assert!(selection.refused().contains(symbol));
    }
    // The published wheels for `cp27m` ask for it without knowing what it is.
    assert_eq!(other().undefined(&[narrow]).auto().tags[0], "manylinux_2_5_x86_64");
}

#[test]
fn versions_of_carried_libraries_travel_along() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libxml2.so.2", "libc.so.6"])
        .versions("libxml2.so.2", &["LIBXML2_2.4.30"])
        .versions("libc.so.6", &["GLIBC_2.2.5"])
        .host("libxml2.so.2", &["libm.so.6", "libc.so.6"])
        .versions("libm.so.6", &["GLIBC_2.27"])
        .host("libm.so.6", &["libc.so.6"])
        .versions("libc.so.6", &["GLIBC_PRIVATE"])
        .host("libc.so.6", &[]);
    let selection = package.auto();
    // libxml2 pushes the tag down; what the promised libm asks for is its own business.
    assert_eq!(selection.tags, ["manylinux_2_27_x86_64"]);
    assert_eq!(selection.tags_as_is, ["linux_x86_64"]);
    assert_eq!(selection.carried(&package), ["libxml2.so.2"]);
    assert_eq!(selection.roles[package.index("libm.so.6")], NodeRole::Library(Role::Promised));
}

#[test]
fn carries_as_little_as_it_can_unless_told() {
    // Nothing but old versions: manylinux_2_5 fits, but only manylinux_2_12 promises libexpat.
    let package = extension(&["GLIBC_2.2.5"]).file("pkg/b.so", &["libexpat.so.1"]).host("libexpat.so.1", &[]);
    let selection = package.auto();
    assert_eq!(selection.tags, ["manylinux_2_12_x86_64", "manylinux2010_x86_64"]);
    assert!(selection.carried(&package).is_empty());
    assert!(selection.obstacles(&|_, _, _| None).iter().any(|o| o.what == "libexpat.so.1" && o.repairable));

    let selection = package.plat("manylinux1");
    assert_eq!(selection.tags, ["manylinux_2_5_x86_64", "manylinux1_x86_64"]);
    assert_eq!(selection.carried(&package), ["libexpat.so.1"]);

    // Asked for a laxer one, the wheel is made by its own list, and no better name is given to it that would carry more.
    let selection = package.plat("manylinux_2_28_x86_64");
    let tags = ["manylinux_2_12_x86_64", "manylinux2010_x86_64", "manylinux_2_28_x86_64"];
    assert_eq!(selection.tags, tags);
    assert_eq!(selection.tags_as_is, tags);
    assert!(selection.carried(&package).is_empty());
    let only = package.ask(&Ask { plat: Some("manylinux_2_28"), only_plat: true, ..Ask::default() });
    assert_eq!(only.tags, ["manylinux_2_28_x86_64"]);
    assert_eq!(only.tags_as_is, only.tags);
}

#[test]
fn asked_for_too_much() {
    let package = extension(&["GLIBC_2.14", "GLIBC_2.29"]);
    let selection = package.plat("manylinux2014");
    let text = selection.refused();
    assert!(text.contains("can't be manylinux_2_17_x86_64") && text.contains("GLIBC_2.29"), "{text}");
    assert!(!text.contains("GLIBC_2.14"), "{text}");
    assert!(text.contains("--plat manylinux_2_31_x86_64"), "{text}");
    assert_eq!(selection.tags, ["manylinux_2_31_x86_64"]);

    for (plat, part) in [
        ("manylinux_2_17_aarch64", "the package is for x86_64"),
        ("musllinux_1_2", "glibc"),
        ("manylinux_2_30", "there is no platform manylinux_2_30_x86_64"),
        ("windows", "there is no platform windows_x86_64"),
    ] {
        let text = package.plat(plat).refused();
        assert!(text.contains(part), "{plat}: {text}");
    }
}

#[test]
fn false_claims_are_dropped_and_true_ones_kept() {
    let package = extension(&["GLIBC_2.29"]);
    let claims = |claimed: &[&str]| {
        let selection = package.ask(&Ask { claimed, ..Ask::default() });
        (selection.tags, selection.warnings.len())
    };
    let best = || vec!["manylinux_2_31_x86_64".to_owned()];
    assert_eq!(claims(&["manylinux2014_x86_64"]), (best(), 1));
    assert_eq!(claims(&["manylinux_2_30_x86_64", "manylinux_2_17_aarch64"]), (best(), 2));
    assert_eq!(claims(&["linux_x86_64"]), (best(), 0));
    assert_eq!(claims(&["linux_x86_64", "linux_aarch64", "linux_sparc64"]), (best(), 2));
    let mut kept = best();
    kept.extend(["manylinux_2_33_x86_64".to_owned(), "manylinux_2_34_x86_64".to_owned()]);
    assert_eq!(claims(&["manylinux_2_34_x86_64", "manylinux_2_33_x86_64"]).0.len(), 3);
    let (tags, warnings) = claims(&["manylinux_2_34_x86_64", "manylinux_2_33_x86_64"]);
    assert_eq!((tags, warnings), (kept, 0));
    // A claim that holds only if more were carried does not hold.
    let package = extension(&["GLIBC_2.2.5"]).file("pkg/b.so", &["libexpat.so.1"]).host("libexpat.so.1", &[]);
    let selection = package.ask(&Ask { claimed: &["manylinux1_x86_64"], ..Ask::default() });
    assert_eq!(selection.tags, ["manylinux_2_12_x86_64", "manylinux2010_x86_64"]);
    assert_eq!(selection.warnings.len(), 1);
}

#[test]
fn forbidden_symbols() {
    let package = |needs: &[&str]| Package::x86_64().file("pkg/ext.so", needs);
    assert_eq!(package(&["libz.so.1"]).undefined(&["inflate"]).auto().tags[0], "manylinux_2_5_x86_64");
    assert_eq!(package(&["libz.so.1"]).undefined(&["uncompress2"]).auto().tags, ["manylinux_2_34_x86_64"]);
    assert!(package(&["libz.so.1"]).undefined(&["z_errmsg"]).auto().refused().contains("z_errmsg"));
    assert_eq!(package(&["libc.so.6"]).undefined(&["__issignaling"]).auto().tags, ["manylinux_2_24_x86_64"]);
    // The same name from another library is no matter, and a library that is carried counts like the package's own.
    assert_eq!(
        package(&["libother.so"]).host("libother.so", &[]).undefined(&["uncompress2"]).auto().tags.len(),
        2
    );
    let carried = package(&["libown.so"]).host("libown.so", &["libz.so.1"]).undefined(&["uncompress2"]);
    assert_eq!(carried.auto().tags, ["manylinux_2_34_x86_64"]);
}

#[test]
fn processor_levels() {
    let package =
        |bits| extension(&["GLIBC_2.2.5"]).file("pkg/fast.so", &[]).with(|f| f.x86_isa_needed = bits);
    assert_eq!(package(1).auto().tags.len(), 2);
    for (bits, level) in
        [(3, "x86-64-v2"), (7, "x86-64-v3"), (8, "x86-64-v4"), (0x21, "unknown x86-64 level")]
    {
        assert!(package(bits).auto().refused().contains(level));
        let ignored = package(bits).ask(&Ask { ignore_isa: true, ..Ask::default() });
        assert_eq!(ignored.tags.len(), 2);
        assert_eq!(ignored.refusal, None);
    }
    // A promised library may be as fast as it likes; a carried one may not.
    let promised =
        extension(&[]).file("pkg/b.so", &["libz.so.1"]).host("libz.so.1", &[]).with(|f| f.x86_isa_needed = 7);
    assert_eq!(promised.auto().refusal, None);
    let carried =
        extension(&[]).file("pkg/b.so", &["libfft.so"]).host("libfft.so", &[]).with(|f| f.x86_isa_needed = 7);
    assert!(carried.auto().refused().contains("/usr/lib/libfft.so needs x86-64-v3"));
}

#[test]
fn the_loader_counts_too() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libc.so.6", "ld-linux-x86-64.so.2"])
        .versions("ld-linux-x86-64.so.2", &["GLIBC_2.35"]);
    let selection = package.auto();
    assert_eq!(selection.tags, ["manylinux_2_35_x86_64"]);
    assert!(selection.missing.is_empty());
}

#[test]
fn libpython_is_taken_out_of_extensions_only() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libpython3.11.so.1.0", "libmid.so"])
        .host("libmid.so", &["libpython3.so"]);
    let selection = package.auto();
    assert_eq!(selection.removed.iter().copied().collect::<Vec<_>>(), [(0, 0), (1, 0)]);
    assert!(selection.missing.is_empty());
    assert_eq!(selection.tags.len(), 2);

    let alone = Package::x86_64().file("pkg/ext.so", &["libpython3.11.so.1.0"]).auto();
    assert_eq!(alone.tags_as_is, ["linux_x86_64"]);

    let program = Package::x86_64()
        .file("pkg.data/scripts/prog", &["libpython3.11.so.1.0"])
        .with(|facts| facts.interp = Some("/lib64/ld-linux-x86-64.so.2".to_owned()))
        .host("libpython3.11.so.1.0", &[]);
    let selection = program.auto();
    assert!(selection.removed.is_empty());
    assert_eq!(selection.carried(&program), ["libpython3.11.so.1.0"]);
    assert!(selection.warnings[0].contains("embeds Python"));
}

#[test]
fn excluded_and_missing() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libcuda.so.1", "libgone.so.2", "libfoo.so"])
        .versions("libcuda.so.1", &["CUDA_12"])
        .host("libcuda.so.1", &["libnv.so"])
        .host("libnv.so", &[])
        .host("libfoo.so", &["libgone.so.2"]);
    let selection = package.auto();
    assert_eq!(selection.carried(&package), ["libcuda.so.1", "libnv.so", "libfoo.so"]);
    let missing: Vec<_> = selection.missing.iter().map(|m| (m.name.as_str(), m.needed_by.clone())).collect();
    assert_eq!(missing, [("libgone.so.2", vec!["/usr/lib/libfoo.so".to_owned(), "pkg/ext.so".to_owned()])]);

    let ask = Ask { exclude: &["libcuda*", "libgone.so.2", "*/lib/libfoo.so"], ..Ask::default() };
    let selection = package.ask(&ask);
    assert!(selection.carried(&package).is_empty() && selection.missing.is_empty());
    for name in ["libcuda.so.1", "libnv.so", "libfoo.so"] {
        assert_eq!(selection.roles[package.index(name)], NodeRole::Library(Role::Excluded), "{name}");
    }
    assert_eq!(selection.tags_as_is, selection.tags);
}

#[test]
fn a_promised_library_stays_so_below_an_excluded_one() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libcuda.so.1", "libc.so.6"])
        .host("libcuda.so.1", &["libc.so.6"])
        .host("libc.so.6", &[]);
    let selection = package.ask(&Ask { exclude: &["libcuda*"], ..Ask::default() });
    assert_eq!(selection.roles[1..], [Role::Excluded, Role::Promised].map(NodeRole::Library));
}

#[test]
fn a_promised_library_that_is_carried_brings_its_versions() {
    // Only manylinux_2_5 does not promise libexpat; carried, it serves the laxer policy too.
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libexpat.so.1"])
        .versions("libexpat.so.1", &["EXPAT_9"])
        .host("libexpat.so.1", &[]);
    let selection = package.ask(&Ask { claimed: &["manylinux_2_35_x86_64"], ..Ask::default() });
    assert_eq!(selection.tags, ["manylinux_2_5_x86_64", "manylinux1_x86_64", "manylinux_2_35_x86_64"]);
    assert_eq!(selection.carried(&package), ["libexpat.so.1"]);
}

#[test]
fn an_included_library_is_carried_though_promised() {
    let package = extension(&["GLIBC_2.2.5"])
        .host("libz.so.1", &["libc.so.6", "libdep.so"])
        .versions("libc.so.6", &["GLIBC_2.14"])
        .included()
        .host("libdep.so", &[]);
    let selection = package.auto();
    assert_eq!(selection.carried(&package), ["libz.so.1", "libdep.so"]);
    assert_eq!(selection.tags[0], "manylinux_2_17_x86_64");
}

#[test]
fn what_lies_in_the_package_is_not_carried() {
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libin.so", "libz.so.1"])
        .file("pkg.libs/libin.so", &["libout.so"])
        .file("pkg.libs/libz.so.1", &[])
        .host("libout.so", &[]);
    let selection = package.auto();
    assert_eq!(selection.carried(&package), ["libout.so"]);
    assert_eq!(selection.roles[..3], [NodeRole::Artifact, NodeRole::Artifact, NodeRole::Artifact]);
}

#[test]
fn foreign_binaries_are_left_alone() {
    let package = extension(&["GLIBC_2.2.5"])
        .file("pkg/arm.so", &["libarm.so"])
        .with(|facts| facts.machine = object::elf::EM_AARCH64.0)
        .versions("libc.so.6", &["GLIBC_2.41"])
        .host("libarm.so", &[]);
    let selection = package.auto();
    assert_eq!(selection.tags.len(), 2);
    assert_eq!(selection.roles[package.index("libarm.so")], NodeRole::Unused);
    assert!(matches!(selection.roles[package.index("arm.so")], NodeRole::Foreign(_)));
    assert_eq!(
        selection.warnings,
        ["pkg/arm.so: built for aarch64, the package is for x86_64; copied as it is"]
    );
}

#[test]
fn static_programs_run_with_any_libc() {
    let claimed = ["manylinux1_x86_64", "musllinux_1_1_x86_64", "musllinux_1_1_aarch64"];
    let package = Package::x86_64().file("pkg/tool", &[]).with(|facts| facts.inert = Some("static program"));
    let selection = package.ask(&Ask { claimed: &claimed, ..Ask::default() });
    assert_eq!(selection.tags, ["manylinux_2_5_x86_64", "manylinux1_x86_64", "musllinux_1_1_x86_64"]);
    assert_eq!(selection.warnings.len(), 1);
    let selection =
        package.file("pkg/ext.so", &["libc.so.6"]).ask(&Ask { claimed: &claimed, ..Ask::default() });
    assert_eq!(selection.tags, ["manylinux_2_5_x86_64", "manylinux1_x86_64"]);
}

#[test]
fn a_package_of_foreign_binaries_is_refused() {
    let mut package = extension(&["GLIBC_2.2.5"]).with(|facts| facts.needed.clear());
    package.target.libc = Libc::Musl;
    let selection = package.plat("musllinux_1_2");
    assert!(selection.refused().contains("pkg/ext.so: the package has no binary for x86_64 and musl"));
    assert!(selection.tags.is_empty());

    // What any loader takes does not speak for the extension.
    let package = Package::new(Architecture::Aarch64, Libc::Glibc)
        .file("pkg/tool.so", &[])
        .file("pkg/ext.so", &[])
        .with(|facts| (facts.machine, facts.init_names) = (object::elf::EM_X86_64.0, vec!["ext".to_owned()]));
    assert!(package.auto().refused().contains("pkg/ext.so"));
}

#[test]
fn musl() {
    let package = |libs: &[&str]| Package::new(Architecture::X86_64, Libc::Musl).file("pkg/ext.so", libs);
    let selection = package(&["libc.musl-x86_64.so.1"]).auto();
    assert_eq!(selection.tags, ["musllinux_1_2_x86_64"]);
    assert_eq!(selection.tags_as_is, selection.tags);
    // Debian's and zig's musl name it otherwise, and musl's loader takes all these for itself.
    let names = ["libc.so", "ld-musl-x86_64.so.1", "libm.so"];
    assert!(package(&names).auto().missing.is_empty());
    assert_eq!(package(&names).plat("musllinux_1_1").tags, ["musllinux_1_1_x86_64"]);
    let claims = |claimed| package(&names).ask(&Ask { claimed, ..Ask::default() }).tags;
    assert_eq!(claims(&["musllinux_1_1_x86_64"]), ["musllinux_1_1_x86_64"]);
    assert_eq!(
        claims(&["musllinux_1_2_x86_64", "musllinux_1_1_x86_64"]),
        ["musllinux_1_1_x86_64", "musllinux_1_2_x86_64"]
    );
    // Versions are not looked at, forbidden symbols are.
    let zlib = package(&["libz.so.1"]).versions("libz.so.1", &["ZLIB_1.2.9"]);
    assert_eq!(zlib.auto().tags, ["musllinux_1_2_x86_64"]);
    assert!(zlib.undefined(&["inflate_table"]).auto().refused().contains("inflate_table"));
    let carried = package(&["libstdc++.so.6"]).host("libstdc++.so.6", &["libc.musl-x86_64.so.1"]);
    assert_eq!(carried.auto().carried(&carried), ["libstdc++.so.6"]);
}

#[test]
fn architectures_without_policy() {
    let ppc64 = Package::new(Architecture::Ppc64, Libc::Glibc)
        .file("pkg/ext.so", &["libc.so.6", "libfoo.so"])
        .host("libfoo.so", &[]);
    assert_eq!(ppc64.auto().tags, ["manylinux_2_17_ppc64", "manylinux2014_ppc64"]);
    let musl = Package::new(Architecture::Ppc64, Libc::Musl)
        .file("pkg/ext.so", &["libc.musl-ppc64.so.1", "libfoo.so"])
        .host("libfoo.so", &[]);
    assert!(musl.auto().refused().contains("no platform tag is defined"));
    let linux = musl.plat("linux");
    assert_eq!(
        (linux.tags.as_slice(), linux.carried(&musl)),
        (&["linux_ppc64".to_owned()][..], vec!["libfoo.so".to_owned()])
    );
    let first = |text: String| text.lines().next().unwrap().to_owned();
    assert_eq!(first(ppc64.plat("manylinux_2_28").refused()), "there is no platform manylinux_2_28_ppc64");
}

#[test]
fn work_grows_with_the_size_of_a_hostile_file_only() {
    let time = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("lib{i}.so")).collect();
        let needs: Vec<&str> = names.iter().map(String::as_str).chain(["libz.so.1"; 3]).collect();
        let package = Package::x86_64().file("pkg/a.so", &needs).with(|facts| {
            facts.undefined = names.iter().cloned().chain(["z_errmsg".to_owned()]).collect();
            let need =
                |name: &String| VersionNeed { file: "libz.so.1".to_owned(), versions: vec![name.clone()] };
            facts.version_needs = names.iter().map(need).collect();
        });
        let start = std::time::Instant::now();
        let selection = package.auto();
        assert_eq!(selection.missing.len(), count);
        assert!(selection.refusal.is_some());
        selection.obstacles(&|_, _, _| None);
        start.elapsed()
    };
    // Ten times the size may take some more than ten times the time, but nowhere near a hundred times.
    let best_of_three = |count| (0..3).map(|_| time(count)).min().unwrap();
    let (small, large) = (best_of_three(1_000), best_of_three(10_000));
    assert!(large < small * 40, "{small:?} {large:?}");
}
