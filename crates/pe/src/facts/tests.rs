//! Facts of files that mingw makes, checked against what they were made from. Those of published files are compared with
//! what pefile reads, in `tests/published.rs`.

use spokeshave_testkit::run;

use crate::fixtures::{ANSWER, Bench, MINGW, PROGRAM, TOOLCHAINS};
use crate::{ImportKind, PeFacts};

const EXTENSION: &str = "
__declspec(dllimport) int part(void);
__declspec(dllimport) int byordinal(void);
int PyInit_wheel(void) { return part() + byordinal(); }
int PyInitU_wheel_abc(void) { return 0; }
int init(void) { return 0; }
";

const EXPORTS: &str = "LIBRARY own-name.dll
EXPORTS
  PyInit_wheel
  PyInitU_wheel_abc
  init
  handed_on=other.function
  handed_on_too=a-third.function
";

const VERSION: &str = r#"
1 VERSIONINFO FILEVERSION 1,2,3,4
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904B0"
    BEGIN
      VALUE "CompanyName", "Wheelwrights"
      VALUE "FileVersion", "1.2.3-beta"
      VALUE "OriginalFilename", "wheel.pyd"
      VALUE "ProductName", "Spokes"
      VALUE "ProductVersion", " 1.2 "
    END
  END
END
"#;

/// Builds the extension with the parts that `flags` ask for.
fn extension(bench: &Bench, version: &str) -> PeFacts {
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    bench.trio(MINGW);
    bench.put("ordinal.def", "LIBRARY ordinal.dll\nEXPORTS\n  byordinal @3 NONAME\n");
    let words = ["-d", &path("ordinal.def"), "-l", &path("ordinal.a")];
    run("x86_64-w64-mingw32-dlltool", words);
    bench.put("exports.def", EXPORTS);
    bench.put("version.rc", version);
    run("x86_64-w64-mingw32-windres", [&path("version.rc"), &path("version.o")]);
    let flags = ["exports.def", "version.o", "part.a", "ordinal.a"].map(path);
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.extend(["-shared", "-nostdlib", "-e", "0", "-Wl,--major-image-version,7"]);
    PeFacts::read(&bench.build(MINGW, "wheel.pyd", EXTENSION, &flags)).unwrap()
}

#[test]
fn an_extension_with_everything() {
    let facts = extension(&Bench::new(), VERSION);
    assert!(facts.is_64 && facts.is_dll && facts.has_checksum);
    assert!(!facts.signed && !facts.bound && !facts.clr && !facts.force_integrity);
    assert_eq!(facts.machine_name(), "AMD64");
    assert_eq!((facts.inert, facts.hybrid, facts.dependent_load_flags), (None, None, 0));
    let imports: Vec<_> = facts
        .imports
        .iter()
        .map(|import| (import.name.as_str(), import.kind, import.names, import.ordinals))
        .collect();
    assert_eq!(imports, [("ordinal.dll", ImportKind::Load, 0, 1), ("part.dll", ImportKind::Load, 1, 0)]);
    assert_eq!(facts.export_name.as_deref(), Some("own-name.dll"));
    assert_eq!(facts.forwards, ["a-third", "other"]);
    assert_eq!(facts.init_names, ["wheel_abc", "wheel"], "as sorted in the file");
    assert!(facts.overlay > 0, "COFF symbols");
    let version = facts.version.unwrap();
    assert_eq!(version.file_version.as_deref(), Some("1.2.3-beta"));
    assert_eq!(version.product_version.as_deref(), Some("1.2"));
    assert_eq!(version.product_name.as_deref(), Some("Spokes"));
    assert_eq!(version.company_name.as_deref(), Some("Wheelwrights"));
    assert_eq!(version.original_filename.as_deref(), Some("wheel.pyd"));
}

#[test]
fn without_a_text_the_numbers_are_the_version() {
    let facts = extension(&Bench::new(), &VERSION.replace("\"1.2.3-beta\"", "\"\""));
    assert_eq!(facts.version.unwrap().file_version.as_deref(), Some("1.2.3.4"));
}

#[test]
fn every_machine_is_named() {
    let names = ["AMD64", "I386", "AMD64", "I386", "ARM64"];
    for (with, name) in TOOLCHAINS.into_iter().zip(names) {
        let facts = PeFacts::read(&Bench::new().trio(with).answer).unwrap();
        assert_eq!((facts.machine_name().as_str(), facts.is_64), (name, name != "I386"), "{with:?}");
        let import = facts.imports.iter().find(|import| import.name == "part.dll").unwrap();
        assert_eq!((import.names, import.ordinals), (1, 0), "{with:?}");
        assert_eq!(facts.export_name.as_deref(), Some("answer.dll"), "{with:?}");
    }
    let unknown = PeFacts { machine: 0x1234, ..PeFacts::default() };
    assert_eq!(unknown.machine_name(), "machine 0x1234");
}

#[test]
fn what_no_process_loads_is_inert() {
    let bench = Bench::new();
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    bench.trio(MINGW);
    let flags = ["-g", "-shared", &path("part.a")];
    bench.build(MINGW, "whole.dll", ANSWER, &flags);
    run("x86_64-w64-mingw32-objcopy", ["--only-keep-debug", &path("whole.dll"), &path("whole.debug")]);
    for (subsystem, inert) in [("native", "driver"), ("10", "EFI program")] {
        let flags = [&format!("-Wl,--subsystem,{subsystem}"), path("answer.a").as_str()].map(str::to_owned);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let bytes = bench.build(MINGW, "odd.exe", PROGRAM, &flags);
        assert_eq!(PeFacts::read(&bytes).unwrap().inert, Some(inert));
    }
    let debug = std::fs::read(bench.path("whole.debug")).unwrap();
    assert_eq!(PeFacts::read(&debug).unwrap().inert, Some("debug file"));
}

#[test]
fn others_say_what_they_are_not() {
    let dos = [b"MZ".as_slice(), &[0; 126]].concat();
    for (bytes, what) in [
        (b"\x7fELF".repeat(30), "not a PE file: it does not begin with MZ (at offset 0x0)"),
        (b"MZ".to_vec(), "DOS header ends past end of file: needs 0x40 bytes, 0x2 are left (at offset 0x0)"),
        (
            dos,
            "not a PE file: no PE signature where e_lfanew leads (a DOS or 16-bit Windows program?) (at offset 0x0)",
        ),
    ] {
        assert_eq!(PeFacts::read(&bytes).unwrap_err().to_string(), what);
    }
}
