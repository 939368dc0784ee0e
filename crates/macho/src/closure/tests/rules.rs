//! dyld's rules, one by one.

use object::macho;
use spokeshave_core::Role;

use super::kit::{Scene, dylib, ext, need};
use crate::Arch;
use crate::handmade::Handmade;

const A: &str = "@rpath/liba.dylib";

fn liba() -> Handmade {
    dylib(A, &[], &[])
}

#[test]
fn rpaths_of_the_importer_come_before_those_of_its_loaders() {
    let b = dylib("@rpath/libb.dylib", &[A], &["@loader_path/own"]);
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["@rpath/libb.dylib"], &["/opt/lib"]))
        .host("/opt/lib/libb.dylib", &b)
        .host("/opt/lib/liba.dylib", &liba());
    // libb has no liba of its own yet: what loaded it leads there.
    assert_eq!(scene.leads(&scene.audit(), "libb.dylib", A), "opt/lib/liba.dylib");
    let scene = scene.host("/opt/lib/own/liba.dylib", &liba());
    assert_eq!(scene.leads(&scene.audit(), "libb.dylib", A), "opt/lib/own/liba.dylib");
}

#[test]
fn loader_path_is_where_the_file_really_is() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["/opt/lib/libb.dylib"], &[]))
        .host("/cellar/b/libb.dylib", &dylib("/opt/lib/libb.dylib", &["@loader_path/liba.dylib"], &[]))
        .host("/cellar/b/liba.dylib", &liba());
    fs_err::create_dir_all(scene.path("/opt/lib")).unwrap();
    std::os::unix::fs::symlink("/cellar/b/libb.dylib", scene.path("/opt/lib/libb.dylib")).unwrap();
    let audit = scene.audit();
    assert_eq!(scene.carried(&audit), ["cellar/b/libb.dylib", "cellar/b/liba.dylib"]);
}

#[test]
fn in_which_order() {
    let package = || Scene::new().member("demo/ext.so", &ext(&[A], &["/opt/rpath", "@loader_path/lib"]));
    let full = |scene: Scene| {
        scene
            .host("/opt/rpath/liba.dylib", &liba())
            .host("/opt/lib-dir/liba.dylib", &liba())
            .host("/opt/dyld/liba.dylib", &liba())
            .host("/opt/fallback/liba.dylib", &liba())
            .host("/usr/local/lib/liba.dylib", &liba())
    };
    let leads = |scene: &Scene| {
        let audit = scene.audit();
        (scene.leads(&audit, "demo/ext.so", A), need(&audit, "demo/ext.so", A).rule.clone())
    };
    let is = |path: &str, rule: &str| (path.to_owned(), rule.to_owned());

    let inside = full(package()).member("demo/lib/liba.dylib", &liba()).lib_dir("/opt/lib-dir");
    assert_eq!(leads(&inside), is("demo/lib/liba.dylib", "LC_RPATH @loader_path/lib of demo/ext.so"));
    let lib_dir = full(package()).lib_dir("/opt/lib-dir").env("DYLD_LIBRARY_PATH", "/opt/dyld");
    assert_eq!(leads(&lib_dir), is("opt/lib-dir/liba.dylib", "--lib-dir"));
    let dyld = full(package()).env("DYLD_LIBRARY_PATH", "/opt/dyld");
    assert_eq!(leads(&dyld), is("opt/dyld/liba.dylib", "DYLD_LIBRARY_PATH"));
    let rpath = full(package()).env("DYLD_FALLBACK_LIBRARY_PATH", "/opt/fallback");
    assert_eq!(leads(&rpath), is("opt/rpath/liba.dylib", "LC_RPATH /opt/rpath of demo/ext.so"));
    fs_err::remove_file(rpath.path("/opt/rpath/liba.dylib")).unwrap();
    assert_eq!(leads(&rpath), is("opt/fallback/liba.dylib", "DYLD_FALLBACK_LIBRARY_PATH"));
    let default = full(package());
    fs_err::remove_file(default.path("/opt/rpath/liba.dylib")).unwrap();
    assert_eq!(leads(&default), is("usr/local/lib/liba.dylib", "DYLD_FALLBACK_LIBRARY_PATH"));
}

#[test]
fn what_the_build_linked_from() {
    let mut scene =
        Scene::new().member("demo/ext.so", &ext(&["liba.dylib"], &[])).host("/build/out/liba.dylib", &liba());
    assert_eq!(scene.audit().missing.len(), 1);
    scene.set[0].linked_paths = vec![scene.path("/build/out")];
    assert_eq!(need(&scene.audit(), "demo/ext.so", "liba.dylib").rule, "linked path");
}

#[test]
fn a_program_is_its_own_executable_path() {
    let program = Handmade {
        filetype: macho::MH_EXECUTE.0,
        ..ext(&["@executable_path/../lib/libb.dylib"], &["@executable_path/../lib"])
    };
    let scene = Scene::new()
        .member("demo/bin/tool", &program)
        .member("demo/lib/libb.dylib", &dylib("libb.dylib", &[A], &[]))
        .member("demo/lib/liba.dylib", &liba());
    let audit = scene.audit();
    assert_eq!(
        scene.leads(&audit, "demo/bin/tool", "@executable_path/../lib/libb.dylib"),
        "demo/lib/libb.dylib"
    );
    assert_eq!(scene.leads(&audit, "demo/lib/libb.dylib", A), "demo/lib/liba.dylib");
}

#[test]
fn places_that_lead_nowhere_say_why() {
    let needs =
        ["@loader_path/../../liba.dylib", "@executable_path/liba.dylib", "liba.dylib", "@rpath/libq.dylib"];
    let scene = Scene::new().member("demo/ext.so", &ext(&needs, &[]));
    let audit = scene.audit();
    let why = |name: &str| need(&audit, "demo/ext.so", name).tried[0].why.clone();
    assert_eq!(why(needs[0]), "leads out of the package");
    assert!(why(needs[1]).contains("--executable-path"));
    assert_eq!(why(needs[2]), "relative to the working directory");
    assert_eq!(why(needs[3]), "no file of the loading chain has an LC_RPATH");
    assert_eq!(audit.missing.len(), 4);
}

#[test]
fn only_the_slice_that_runs_will_do() {
    let of = |cpusubtype, arch: Arch| Handmade { arch: Arch { cpusubtype, ..arch }, ..liba() };
    let why = |candidate: Handmade| {
        let scene = Scene::new()
            .member("demo/ext.so", &ext(&["/opt/liba.dylib"], &[]))
            .host("/opt/liba.dylib", &candidate);
        let audit = scene.audit();
        audit.missing.first().map(|missing| missing.tried[0].why.clone())
    };
    assert_eq!(why(liba()), None);
    assert_eq!(why(of(3, Arch::X86_64)).as_deref(), Some("no arm64 slice (x86_64)"));
    assert_eq!(why(of(0x8000_0002, Arch::ARM64)).as_deref(), Some("no arm64 slice (arm64e)"));
    let ios = Handmade { more: vec![(macho::LC_BUILD_VERSION, vec![2, 0x000b_0000, 0, 0])], ..liba() };
    assert_eq!(why(ios).as_deref(), Some("built for another system than macOS"));
    let object = Handmade { filetype: macho::MH_OBJECT.0, id: None, ..liba() };
    assert!(why(object).unwrap().starts_with("no library ("));
    let text = Scene::new()
        .member("demo/ext.so", &ext(&["/opt/liba.dylib"], &[]))
        .bytes("/opt/liba.dylib", b"--- !tapi-tbd\n");
    assert_eq!(text.audit().missing[0].tried[0].why, "not a Mach-O file");
}

#[test]
fn the_system_is_the_system_wherever_it_is_seen() {
    let sdk = "/Developer/SDKs/MacOSX14.2.sdk/usr/lib";
    let needs = [
        "/usr/lib/libz.1.dylib",
        "@rpath/libswiftCore.dylib",
        "@rpath/libiconv.2.dylib",
        "/System/Volumes/Data/usr/lib/libq.dylib",
    ];
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&needs, &["/usr/lib/swift", "/Developer/SDKs/MacOSX14.2.sdk/usr/lib"]))
        .bytes(&format!("{sdk}/libiconv.2.tbd"), b"--- !tapi-tbd\n");
    let audit = scene.audit();
    assert!(audit.missing.is_empty(), "{:?}", audit.missing);
    let promised: Vec<String> = (0..4).map(|index| scene.target(&audit, index)).collect();
    assert_eq!(
        promised,
        [
            "usr/lib/libz.1.dylib",
            "usr/lib/swift/libswiftCore.dylib",
            "usr/lib/libiconv.2.dylib",
            "usr/lib/libq.dylib"
        ]
    );
    assert!(audit.libraries.iter().all(|lib| lib.role == Role::Promised));
    // A name alone is no evidence that /usr/lib has it.
    let scene = Scene::new().member("demo/ext.so", &ext(&["@rpath/libown.dylib"], &["/usr/lib"]));
    assert_eq!(scene.audit().missing.len(), 1);
}

#[test]
fn a_library_of_the_same_load_answers_to_its_own_name() {
    let scene = Scene::new()
        .member("demo/ext.so", &ext(&["/opt/liba.dylib", "/opt/libb.dylib"], &[]))
        .host("/opt/liba.dylib", &liba())
        .host("/opt/libb.dylib", &dylib("/opt/libb.dylib", &[A], &[]));
    let audit = scene.audit();
    assert_eq!(scene.leads(&audit, "libb.dylib", A), "opt/liba.dylib");
    assert_eq!(need(&audit, "libb.dylib", A).rule, "already loaded");
}

#[test]
fn below_what_stays_out_nothing_is_carried() {
    let mut scene = Scene::new()
        .member("demo/ext.so", &ext(&["/opt/libx.dylib", "/opt/libb.dylib"], &[]))
        .host("/opt/libx.dylib", &dylib("/opt/libx.dylib", &["/opt/libonly.dylib", "/opt/libb.dylib"], &[]))
        .host("/opt/libonly.dylib", &dylib("/opt/libonly.dylib", &["/opt/gone.dylib"], &[]))
        .host("/opt/libb.dylib", &dylib("/opt/libb.dylib", &[], &[]));
    scene.options.exclude = spokeshave_core::Globs::new(["libx.dylib"]).unwrap();
    let audit = scene.audit();
    assert_eq!(scene.carried(&audit), ["opt/libb.dylib"]);
    assert!(audit.missing.is_empty());
    scene.options.exclude = spokeshave_core::Globs::new(["libx.dylib", "*libgone*"]).unwrap();
    fs_err::remove_file(scene.path("/opt/libx.dylib")).unwrap();
    assert!(scene.audit().missing.is_empty(), "what is excluded need not be here");
}
