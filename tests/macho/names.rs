//! What stays out, what keeps its name, which search paths stay, and names that don't fit.

use spokeshave_testkit::{Cc, Macho};

use crate::kit::{Mac, carried, library};

const EXT: &str = "int a(int); int value(int x) { return a(x); }";
const A: &str = "int a(int x) { return x + 1; }";

#[test]
fn python_itself_stays_out() {
    let mac = Mac::new("arm64");
    let python = "/Library/Frameworks/Python.framework/Versions/3.12/Python";
    mac.lib("/stub.dylib", python, A, &[]);
    fs_err::create_dir_all(mac.at(python).parent().unwrap()).unwrap();
    fs_err::copy(mac.at("/stub.dylib"), mac.at(python)).unwrap();
    let input = mac.wheel(EXT, &["@root/stub.dylib"]);
    let outcome = mac.try_repair(&[], &input).exits(0);
    outcome.complains(&["demo/_ext.so is linked against Python itself"]);
    assert!(carried(&mac.repair(&[], &input)).is_empty());
}

#[test]
fn what_is_excluded_stays_out_and_is_still_found_by_the_same_path() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/omp/libomp.dylib", "@rpath/libomp.dylib", "int omp(int x) { return x; }", &[]);
    mac.lib(
        "/opt/liba.dylib",
        "/opt/liba.dylib",
        "int omp(int); int a(int x) { return omp(x); }",
        &["@root/opt/omp/libomp.dylib", "-Wl,-rpath,/opt/omp"],
    );
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib", "-Wl,-rpath,/build/machine"]);
    for exclude in ["libomp.dylib", "*/opt/omp/*"] {
        let wheel = mac.repair(&["--exclude", exclude], &input);
        let a = library(&wheel, "liba");
        assert_eq!(carried(&wheel).len(), 1);
        assert!(a.slices[0].names().contains(&"@rpath/libomp.dylib"));
        assert_eq!(a.slices[0].rpaths, ["/opt/omp"]);
        assert!(Macho::of(&wheel.member("demo/_ext.so")).slices[0].rpaths.is_empty());
    }
}

#[test]
fn search_paths_can_be_kept() {
    let mac = Mac::new("x86_64");
    mac.lib("/opt/liba.dylib", "/opt/liba.dylib", A, &["-Wl,-rpath,/opt/a"]);
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib", "-Wl,-rpath,/opt/x", "-Wl,-rpath,@loader_path/lib"]);
    let rpaths = |args: &[&str]| {
        let wheel = mac.bench.repair(&[&["--sysroot", mac.root().as_str()], args].concat(), &input);
        let ext = Macho::of(&wheel.member("demo/_ext.so")).slices[0].rpaths.clone();
        (ext, library(&wheel, "liba").slices[0].rpaths.clone())
    };
    assert_eq!(rpaths(&[]), (vec!["@loader_path/lib".to_owned()], vec![]));
    let kept = (vec!["/opt/x".to_owned(), "@loader_path/lib".to_owned()], vec!["/opt/a".to_owned()]);
    assert_eq!(rpaths(&["--no-sanitize-rpaths"]), kept);
}

#[test]
fn a_library_that_keeps_its_name_keeps_its_own_name_inside() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/liba.dylib", "@rpath/liba.dylib", A, &[]);
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib", "-Wl,-rpath,/opt"]);
    let wheel = mac.repair(&["--no-mangle", "liba.dylib"], &input);
    assert_eq!(carried(&wheel), ["liba.dylib"]);
    let a = Macho::of(&wheel.member("demo.dylibs/liba.dylib"));
    assert_eq!(a.slices[0].id.as_ref().unwrap().0, "@rpath/liba.dylib");
    assert_eq!(mac.value(&wheel, 1), 2);
}

#[test]
fn an_included_library_is_found_by_dlopen() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/plugins/libplug.dylib", "libplug.dylib", A, &[]);
    mac.lib("/opt/liba.dylib", "/opt/liba.dylib", A, &[]);
    let input = mac.wheel(EXT, &["@root/opt/liba.dylib"]);
    let dir = mac.at("/opt/plugins");
    let wheel = mac.repair(&["--include", "libplug.dylib", "--lib-dir", dir.to_str().unwrap()], &input);
    assert!(carried(&wheel).contains(&"libplug.dylib".to_owned()));
    let ext = Macho::of(&wheel.member("demo/_ext.so"));
    assert_eq!(ext.slices[0].rpaths, ["@loader_path/../demo.dylibs"]);
}

#[test]
fn executable_path_and_frameworks() {
    let mac = Mac::new("arm64");
    let foo = "Frameworks/Foo.framework/Versions/A/Foo";
    mac.lib("/stub.dylib", &format!("@executable_path/../{foo}"), A, &[]);
    let input = mac.wheel(EXT, &["@root/stub.dylib"]);
    let there = mac.at(&format!("/App/{foo}"));
    fs_err::create_dir_all(there.parent().unwrap()).unwrap();
    fs_err::copy(mac.at("/stub.dylib"), there).unwrap();
    mac.try_repair(&[], &input).exits(1).complains(&["the program that loads it is not known"]);
    let bin = mac.at("/App/MacOS/x").parent().unwrap().to_owned();
    let wheel = mac.repair(&["--executable-path", bin.to_str().unwrap()], &input);
    assert!(carried(&wheel)[0].starts_with("Foo-"), "{:?}", carried(&wheel));
    assert_eq!(mac.value(&wheel, 1), 2);
    let frameworks = mac.at("/App/Frameworks");
    let by_dir = mac.repair(&["--lib-dir", frameworks.to_str().unwrap()], &input);
    assert_eq!(carried(&by_dir), carried(&wheel));
}

#[test]
fn dyld_variables_lead_by_file_name() {
    let mac = Mac::new("arm64");
    mac.lib("/here/liba.dylib", "/gone/liba.dylib", A, &[]);
    let input = mac.wheel(EXT, &["@root/here/liba.dylib"]);
    for variable in ["DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        let out = mac.bench.path(&format!("{variable}/x")).parent().unwrap().to_owned();
        let mut command = mac.bench.command();
        command.args(["repair", "-w"]).arg(&out).arg(&input);
        command.env(variable, mac.at("/here"));
        spokeshave_testkit::Outcome::of(&mut command).exits(0);
        let wheel = spokeshave_testkit::Wheel::new(out.join(input.file_name().unwrap()));
        assert_eq!(carried(&wheel).len(), 1, "{variable}");
    }
}

/// With the least room that a linker leaves, names that need more are made shorter or refused with what is missing.
#[test]
fn names_fit_or_are_refused() {
    let mac = Mac::new("arm64");
    let mut sources = String::new();
    let mut calls = String::new();
    let mut libs = Vec::new();
    for index in 0..8 {
        let name = format!("/o/l{index}.dylib");
        mac.lib(&name, &name, &format!("int f{index}(int x) {{ return x + {index}; }}"), &[]);
        sources += &format!("int f{index}(int); ");
        calls += &format!("x = f{index}(x); ");
        libs.push(mac.at(&name).to_str().unwrap().to_owned());
    }
    let source = format!("{sources} int value(int x) {{ {calls} return x; }}");
    let outcome = |room: usize| {
        let tree = mac.tree();
        let pad = format!("-Wl,-headerpad,{room:x}");
        let args: Vec<&str> = ["-shared", &pad].into_iter().chain(libs.iter().map(String::as_str)).collect();
        Cc::zig("aarch64-macos.11.0").build(&tree.path("demo/_ext.so"), &source, &args);
        let input = tree.pack(mac.bench.dir());
        let outcome = mac.try_repair(&["--dry-run"], &input);
        (input, outcome)
    };
    // Eight names of `@loader_path/../demo.dylibs/l0-0123abcd` take 32 bytes more each; by a search path 16, and it 40.
    let (input, fits) = outcome(400);
    fits.exits(0);
    let long = Macho::of(&mac.repair(&[], &input).member("demo/_ext.so"));
    assert!(long.slices[0].rpaths.is_empty());
    let (input, fits) = outcome(200);
    fits.exits(0);
    let wheel = mac.repair(&[], &input);
    let short = Macho::of(&wheel.member("demo/_ext.so"));
    assert_eq!(short.slices[0].rpaths, ["@loader_path/../demo.dylibs"]);
    assert_eq!(mac.value(&wheel, 1), 29);
    let (_, refused) = outcome(16);
    refused.exits(1).complains(&["demo/_ext.so", "arm64", "bytes", "headerpad_max_install_names"]);
}

#[test]
fn libraries_can_lie_in_the_package() {
    let mac = Mac::new("arm64");
    mac.lib("/opt/liba.dylib", "/opt/liba.dylib", A, &[]);
    let tree = mac.tree().file("aaa/__init__.py", "");
    mac.build_for("arm64", &tree.path("demo/_ext.so"), "_ext.so", EXT, &["@root/opt/liba.dylib"]);
    let wheel = mac.repair(&["--in-package"], &tree.pack(mac.bench.dir()));
    let name = wheel.find("demo/.dylibs/liba-", ".dylib");
    let a = Macho::of(&wheel.member(&name));
    assert_eq!(a.slices[0].id.as_ref().unwrap().0, format!("/DLC/{name}"));
    assert_eq!(mac.value(&wheel, 1), 2);
}
