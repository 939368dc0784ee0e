use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::*;

struct Built(tempfile::TempDir);

impl Built {
    fn new() -> Self {
        Built(tempfile::tempdir().unwrap())
    }

    /// Compiles `source` with `compiler` and `flags` and returns the path of what comes out.
    fn make(&self, compiler: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (input, output) = (self.0.path().join("source.c"), self.0.path().join("out"));
        fs_err::write(&input, source).unwrap();
        let mut command = Command::new(compiler);
        let output_of = command.arg("-o").arg(&output).arg(&input).args(flags).output().unwrap();
        assert!(output_of.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output_of.stderr));
        output
    }

    fn facts(&self, source: &str, flags: &[&str]) -> ElfFacts {
        ElfFacts::read(&fs_err::read(self.make("gcc", source, flags)).unwrap()).unwrap()
    }
}

/// What `readelf` says, one word list a line.
fn readelf(arguments: &[&str], path: &str) -> Vec<Vec<String>> {
    let output = Command::new("readelf").arg("-W").args(arguments).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn facts_are_what_readelf_says() {
    for path in [
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
        "/usr/aarch64-linux-gnu/lib/libm.so.6",
        "/usr/s390x-linux-gnu/lib/libresolv.so.2",
        "/usr/arm-linux-gnueabihf/lib/libm.so.6",
    ] {
        let facts = ElfFacts::read(&fs_err::read(path).unwrap()).unwrap();
        let bracketed = |tag: &str| -> Vec<String> {
            let of_tag = readelf(&["-d"], path).into_iter().filter(|line| line.contains(&format!("({tag})")));
            of_tag.map(|line| line.last().unwrap().trim_matches(['[', ']']).to_owned()).collect()
        };
        assert_eq!(facts.needed, bracketed("NEEDED"), "{path}");
        assert_eq!(facts.soname.iter().cloned().collect::<Vec<_>>(), bracketed("SONAME"));
        let mut undefined: Vec<String> = readelf(&["--dyn-syms"], path)
            .into_iter()
            .filter(|line| line.len() > 7 && line[6] == "UND" && line[4] != "WEAK")
            .map(|line| line[7].split('@').next().unwrap().to_owned())
            .collect();
        let mut ours = facts.undefined.clone();
        undefined.sort();
        ours.sort();
        assert_eq!(ours, undefined, "{path}");
        let mut versions: Vec<String> = readelf(&["-V"], path)
            .into_iter()
            .filter_map(|line| line.iter().position(|w| w == "Flags:").map(|at| (at, line)))
            .filter(|(at, line)| *at >= 3 && line[at - 2] == "Name:" && line.contains(&"Version:".to_owned()))
            .map(|(at, line)| line[at - 1].clone())
            .collect();
        let mut needed: Vec<String> =
            facts.version_needs.iter().flat_map(|need| need.versions.clone()).collect();
        versions.sort();
        needed.sort();
        assert_eq!(needed, versions, "{path}");
        assert!(!needed.is_empty() && !facts.version_defs.is_empty(), "{path}");
    }
}

#[test]
fn narrow_pythons_are_told_by_those_who_link_them() {
    let built = Built::new();
    let python = built.make("gcc", "void PyUnicodeUCS2_Join(void) {}\n", &["-shared", "-fPIC"]);
    let python = python.with_file_name("libpython.so");
    fs_err::rename(built.0.path().join("out"), &python).unwrap();
    let extension = "void PyUnicodeUCS2_Join(void); void f(void) { PyUnicodeUCS2_Join(); }\n";
    let alone = built.facts(extension, &["-shared", "-fPIC"]);
    assert!(alone.undefined.contains(&"PyUnicodeUCS2_Join".to_owned()));
    assert_eq!(alone.narrow_python, None);
    let linked = built.facts(extension, &["-shared", "-fPIC", python.to_str().unwrap()]);
    assert_eq!(linked.narrow_python.as_deref(), Some("PyUnicodeUCS2_Join"));
}

#[test]
fn what_nothing_loads() {
    let built = Built::new();
    let main = "int main(void) { return 0; }\n";
    assert_eq!(built.facts(main, &[]).inert, None);
    assert_eq!(built.facts(main, &["-shared", "-fPIC"]).inert, None);
    assert_eq!(built.facts(main, &["-nostdlib", "-shared", "-fPIC"]).inert, None);
    assert_eq!(built.facts(main, &["-c"]).inert, Some("object file"));
    assert_eq!(built.facts(main, &["-static"]).inert, Some("static program"));
    assert_eq!(built.facts(main, &["-static-pie", "-fPIE"]).inert, Some("static program"));
    let program = built.make("gcc", main, &["-g", "-shared", "-fPIC"]);
    let debug = built.0.path().join("debug");
    let mut command = Command::new("objcopy");
    assert!(command.arg("--only-keep-debug").args([&program, &debug]).status().unwrap().success());
    assert_eq!(ElfFacts::read(&fs_err::read(debug).unwrap()).unwrap().inert, Some("debug file"));
    let loader = ElfFacts::read(&fs_err::read("/lib64/ld-linux-x86-64.so.2").unwrap()).unwrap();
    assert_eq!(loader.inert, None);
}

#[test]
fn extension_modules() {
    let built = Built::new();
    let of = |names: &[&str]| {
        let source: String = names.iter().map(|name| format!("void {name}(void) {{}}\n")).collect();
        built.facts(&source, &["-shared", "-fPIC"])
    };
    let facts = of(&["PyInit_x", "initialize"]);
    assert!(facts.python_extension && facts.is_extension_in("x.cpython-312-x86_64-linux-gnu.so"));
    assert!(!facts.is_extension_in("y.so"));
    assert!(of(&["PyModExport_x"]).is_extension_in("x.so"));
    assert!(of(&["_cffi_pypyinit_x"]).is_extension_in("x.pypy.so"));
    assert!(of(&["PyInitU_zk__lna"]).is_extension_in("žlutý.so"));
    let python2 = of(&["initx"]);
    assert!(!python2.python_extension && python2.is_extension_in("x.so"));
    assert!(!of(&["xPyInit_x"]).is_extension_in("x.so"));
}

#[test]
fn notes() {
    let built = Built::new();
    let empty = "int nothing;\n";
    let facts = built.facts(empty, &["-shared", "-fPIC", "-Wl,-z,x86-64-v3"]);
    assert_eq!(facts.x86_level().as_deref(), Some("x86-64-v3"));
    let note = r#"__asm__(".section .note.android.ident,\"a\",%note\n.long 8,4,1\n.asciz \"Android\"\n.long 24\n");"#;
    assert_eq!(built.facts(note, &["-shared", "-fPIC"]).android_api, Some(24));
    assert_eq!(built.facts(empty, &["-shared", "-fPIC"]).android_api, None);
}

#[test]
fn symbols_by_version() {
    let bytes = fs_err::read("/usr/lib/x86_64-linux-gnu/libstdc++.so.6").unwrap();
    let facts = ElfFacts::read(&bytes).unwrap();
    let symbol = |file: &str, version: &str| {
        facts.version_symbols.get(&(file.to_owned(), version.to_owned())).map(String::as_str)
    };
    assert_eq!(symbol("libc.so.6", "GLIBC_2.14"), Some("memcpy"));
    assert_eq!(symbol("libm.so.6", "GLIBC_2.14"), None);
}

#[test]
fn overlapping_names_are_refused() {
    // Every undefined symbol asks for the one long name, each from its second byte.
    let built = Built::new();
    let long = "x".repeat(30_000);
    let source: String = (0..40)
        .map(|i| format!("extern int y{i};int *p{i} = &y{i};\n"))
        .chain([format!("extern int {long}; int *p = &{long};\n")])
        .collect();
    let path = built.make("gcc", &source, &["-shared", "-fPIC"]);
    let mut bytes = fs_err::read(&path).unwrap();
    assert!(ElfFacts::read(&bytes).is_ok());
    let (symbols, at) = {
        let image = Image::parse(&bytes).unwrap();
        let table = image.dynamic.as_ref().unwrap().value(elf::DT_SYMTAB).unwrap();
        let strings = &image.bytes[image.string_table().start as usize..];
        let at = strings.windows(long.len()).position(|window| window == long.as_bytes()).unwrap();
        (image.offset_of(table).unwrap() as usize, at as u32)
    };
    for index in 1..41 {
        let name = symbols + index * 24;
        bytes[name..name + 4].copy_from_slice(&at.to_le_bytes());
    }
    let error = ElfFacts::read(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("names overlap"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn mutants_do_no_harm(changes in prop::collection::vec((0usize..6000, any::<u8>()), 1..12)) {
        let mut bytes = fs_err::read("/usr/aarch64-linux-gnu/lib/libdl.so.2").unwrap();
        for (at, byte) in changes {
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        let _ = ElfFacts::read(&bytes);
    }
}

/// goblin shares no code with us; where a file has section headers it reads the same.
#[test]
fn goblin_reads_the_same() {
    let mut paths: Vec<PathBuf> = Vec::new();
    for dir in
        ["/usr/lib/x86_64-linux-gnu", "/usr/s390x-linux-gnu/lib", "/usr/arm-linux-gnueabihf/lib", "/usr/bin"]
    {
        let Ok(entries) = fs_err::read_dir(dir) else { continue };
        paths.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    paths.sort();
    let mut compared = 0;
    for path in paths.iter().step_by(9) {
        let bytes = fs_err::read(path).unwrap();
        let Ok(theirs) = goblin::elf::Elf::parse(&bytes) else { continue };
        let ours = ElfFacts::read(&bytes).unwrap();
        assert_eq!(ours.soname.as_deref(), theirs.soname, "{path:?}");
        assert_eq!(ours.needed, theirs.libraries, "{path:?}");
        assert_eq!(ours.runpath, theirs.runpaths, "{path:?}");
        assert_eq!(ours.rpath, theirs.rpaths, "{path:?}");
        assert_eq!(
            (ours.is_64, ours.big_endian, ours.machine),
            (theirs.is_64, !theirs.little_endian, theirs.header.e_machine)
        );
        let files = theirs.verneed.iter().flat_map(|needs| needs.iter());
        let files: Vec<&str> = files.map(|need| theirs.dynstrtab.get_at(need.vn_file).unwrap()).collect();
        assert_eq!(
            ours.version_needs.iter().map(|need| need.file.as_str()).collect::<Vec<_>>(),
            files,
            "{path:?}"
        );
        compared += 1;
    }
    assert!(compared >= 50, "{compared} files compared");
}

/// A name is printed; none may talk to the terminal.
#[test]
fn control_characters_in_names() {
    let built = Built::new();
    let library = built.make("gcc", "int x;", &["-shared", "-fPIC", "-Wl,-soname,lib\u{1b}[31mred.so"]);
    let error = ElfFacts::read(&fs_err::read(library).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("string holds control characters (at offset 0x"), "{error}");
}
