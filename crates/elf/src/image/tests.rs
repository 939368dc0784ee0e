//! The reader on real files and on broken ones.

use std::process::Command;

use object::elf;
use spokeshave_core::Error;

use super::Image;

fn exe() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

fn system(name: &str) -> Vec<u8> {
    std::fs::read(format!("/lib/{}-linux-gnu/{name}", std::env::consts::ARCH)).unwrap()
}

fn readelf(bytes: &[u8], flags: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = Command::new("readelf").args(flags).arg("-W").arg(file.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn error(bytes: &[u8]) -> Error {
    let error = crate::fuzzing::read(bytes).unwrap_err();
    error.downcast::<Error>().unwrap()
}

#[test]
fn reads_this_program() {
    let bytes = exe();
    let image = Image::parse(&bytes).unwrap();
    assert!(image.interp().unwrap().unwrap().contains("ld-linux"));
    let dynamic = image.dynamic.as_ref().unwrap();
    let needed: Vec<_> = dynamic.values(elf::DT_NEEDED).map(|at| image.text(at).unwrap()).collect();
    assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    let needs = image.version_needs().unwrap();
    let libc = needs.iter().find(|need| image.text(need.file.into()).unwrap() == "libc.so.6").unwrap();
    assert!(libc.aux.iter().any(|aux| image.text(aux.name.into()).unwrap().starts_with("GLIBC_2.")));
    let notes = image.notes().unwrap();
    assert!(notes.iter().any(|note| note.name == b"GNU" && note.kind == elf::NT_GNU_BUILD_ID.0));
}

#[test]
fn symbols_are_those_that_readelf_sees() {
    for bytes in [exe(), system("libc.so.6"), system("libm.so.6")] {
        let image = Image::parse(&bytes).unwrap();
        let symbols = image.symbols().unwrap();
        let dump = readelf(&bytes, &["--dyn-syms"]);
        let rows: Vec<Vec<&str>> = dump
            .lines()
            .map(|line| line.split_whitespace().collect())
            .filter(|row: &Vec<&str>| {
                row.first().is_some_and(|first| first.ends_with(':') && first.len() > 1)
            })
            .filter(|row| row[0] != "Num:")
            .collect();
        assert_eq!(rows.len(), symbols.len());
        for (symbol, row) in symbols.iter().zip(&rows[1..]) {
            let name = row.get(7).map_or("", |name| name.split('@').next().unwrap());
            assert_eq!(image.text(symbol.name.into()).unwrap(), name);
            assert_eq!(symbol.is_undefined(), row[6] == "UND");
            assert_eq!(symbol.is_weak(), row[4] == "WEAK");
        }
    }
}

#[test]
fn versions_are_those_that_readelf_sees() {
    let bytes = system("libc.so.6");
    let image = Image::parse(&bytes).unwrap();
    let dump = readelf(&bytes, &["-V"]);
    let defs = image.version_defs().unwrap();
    assert_eq!(dump.matches(" Index: ").count(), defs.len());
    for def in defs {
        let name = image.text(def.names[0].into()).unwrap();
        assert!(dump.contains(&format!("Name: {name}")), "{name}");
    }
}

#[test]
fn section_headers_are_never_needed() {
    let mut bytes = system("libc.so.6");
    let with = crate::fuzzing::read(&bytes).unwrap();
    bytes[40..48].fill(0xff);
    bytes[58..64].fill(0xff);
    assert_eq!(crate::fuzzing::read(&bytes).unwrap(), with);
    assert!(Image::parse(&bytes).unwrap().sections().is_none());
}

#[test]
fn errors_name_the_offset() {
    let bytes = system("libm.so.6");
    assert_eq!(error(b"PK\x03\x04...").offset, Some(0));
    assert_eq!(
        error(b"\x7fEL").what,
        "ELF identification ends past end of file: needs 0x7 bytes, 0x3 are left"
    );
    let mut class = bytes.clone();
    class[4] = 9;
    assert_eq!(
        (error(&class).what.as_str(), error(&class).offset),
        ("unknown ELF class (EI_CLASS): 9", Some(4))
    );
    assert_eq!(error(&bytes[..100]).offset, Some(64));
    let short = error(&bytes[..bytes.len() / 2]);
    assert!(short.what.contains("ends past end of file") && short.hint.is_some(), "{short}");
}

#[test]
fn links_that_lead_back_end() {
    let mut bytes = system("libm.so.6");
    let image = Image::parse(&bytes).unwrap();
    let first = image.version_needs().unwrap()[0].clone();
    // Each step of one byte reads the next link in the middle of this record.
    let at = first.offset as usize;
    bytes[at + 12..at + 16].copy_from_slice(&1_u32.to_le_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&u16::MAX.to_le_bytes());
    let image = Image::parse(&bytes).unwrap();
    let result = image.version_needs();
    assert!(result.is_err() || result.unwrap().len() < 100);
}

#[test]
fn relocatable_and_static_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.c"), "int main(void) { return 0; }").unwrap();
    for (flags, dynamic) in
        [(&["-c"][..], false), (&["-static"], false), (&["-static-pie"], true), (&[], true)]
    {
        let out = dir.path().join("out");
        let mut command = Command::new("cc");
        command.args(flags).arg("-o").arg(&out).arg(dir.path().join("a.c"));
        assert!(command.status().unwrap().success());
        let bytes = std::fs::read(&out).unwrap();
        assert_eq!(crate::fuzzing::read(&bytes).unwrap().dynamic, dynamic, "{flags:?}");
        // What is left of it as a debug file has no dynamic section.
        if !flags.contains(&"-c") {
            let status = Command::new("objcopy").arg("--only-keep-debug").arg(&out).status().unwrap();
            assert!(status.success());
            let bytes = std::fs::read(&out).unwrap();
            assert!(!crate::fuzzing::read(&bytes).unwrap().dynamic, "{flags:?}");
        }
    }
}
