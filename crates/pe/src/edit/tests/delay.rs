//! Delay imports of both versions, and the load configuration, as `lld-link` writes them.

use spokeshave_testkit::{Wine, run};

use super::{Bench, Image, edited, put_u32, renames, without_header_room, without_padding};
use crate::facts::{Hybrid, ImportKind};
use crate::fixtures::PART;

/// A program that needs no C library: it exits with 40 and what `part` says, which it loads late. The helper function reads
/// descriptors of both versions, as Microsoft's of each time did its own.
const PROGRAM: &str = r#"
#include <windows.h>
struct descriptor { DWORD attributes, name, module, addresses, names, bound, unload, stamp; };
extern char __ImageBase;
__declspec(dllimport) int part(void);
__declspec(align(8)) const struct { DWORD size; char before[74]; WORD dependent_load_flags; char between[120];
    ULONG_PTR chpe_metadata; char after[56]; } _load_config_used = { .size = 264, .dependent_load_flags = 0x800 };
#define AT(value) ((d->attributes & 1 ? &__ImageBase : (char *)0) + (value))
FARPROC __delayLoadHelper2(const struct descriptor *d, FARPROC *slot) {
    HMODULE module = LoadLibraryA(AT(d->name));
    ULONG_PTR thunk = ((ULONG_PTR *)AT(d->names))[slot - (FARPROC *)AT(d->addresses)];
    return *slot = module ? GetProcAddress(module, AT(thunk) + 2) : 0;
}
void start(void) { ExitProcess(40 + part()); }
"#;

fn build(bench: &Bench) -> Vec<u8> {
    for (name, source) in [("part.dll", PART), ("late.exe", PROGRAM)] {
        let code = bench.put(&format!("{name}.c"), source);
        let object = bench.path(&format!("{name}.obj"));
        let (code, object) = (code.to_str().unwrap(), object.to_str().unwrap());
        run("x86_64-w64-mingw32-gcc", ["-O1", "-ffreestanding", "-c", "-o", object, code]);
    }
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let option = |option: &str, name: &str| format!("/{option}:{}", path(name));
    let dll = ["/dll", "/noentry", "/nodefaultlib"].map(str::to_owned);
    let parts = [option("out", "part.dll"), option("implib", "part.lib"), path("part.dll.obj")];
    run("lld-link", dll.into_iter().chain(parts));
    let kernel = run("x86_64-w64-mingw32-gcc", ["-print-file-name=libkernel32.a"]);
    let flags = ["/entry:start", "/subsystem:console", "/nodefaultlib", "/base:0x400000", "/dynamicbase:no"];
    let more = ["/highentropyva:no", "/delayload:part.dll", kernel.trim()];
    let flags = flags.into_iter().chain(more).map(str::to_owned);
    let files = [option("out", "late.exe"), path("late.exe.obj"), path("part.lib")];
    run("lld-link", flags.chain(files));
    std::fs::read(bench.path("late.exe")).unwrap()
}

/// The same with a delay import descriptor of the first version.
fn with_addresses(bytes: &[u8]) -> Vec<u8> {
    let image = Image::parse(bytes).unwrap();
    let base = u32::try_from(image.header.image_base).unwrap();
    let descriptor = image.delay_imports().unwrap()[0];
    let mut new = bytes.to_vec();
    let word = |at: u64| u32::from_le_bytes(bytes[at as usize..at as usize + 4].try_into().unwrap());
    put_u32(&mut new, descriptor.offset, 0);
    for index in 1..5 {
        let at = descriptor.offset + index * 4;
        put_u32(&mut new, at, word(at) + base);
    }
    let thunk = image.offset_of(descriptor.name_table).unwrap();
    put_u32(&mut new, thunk, word(thunk) + base);
    new
}

fn exit_code(bench: &Bench) -> Option<i32> {
    let program = bench.path("late.exe");
    let status = Wine::new().command(&program).current_dir(bench.dir.path()).status().unwrap();
    status.code()
}

#[test]
fn delay_imports_follow_in_both_versions() {
    let bench = Bench::new();
    let current = build(&bench);
    let versions = [(current.clone(), ImportKind::Delay), (with_addresses(&current), ImportKind::DelayV0)];
    for (old, kind) in versions {
        for (name, padded) in [("p.dll", true), ("part-0123abcd.dll", true), ("part-0123abcd.dll", false)] {
            let old = if padded { old.clone() } else { without_header_room(&without_padding(&old), 0) };
            let changes = renames(&[("Part.dll", name)]);
            let new = match kind {
                ImportKind::Delay => bench.edited(&old, &changes),
                // pefile and LIEF take addresses for RVAs.
                _ => edited(&old, &changes),
            };
            let facts = crate::PeFacts::read(&new).unwrap();
            let import = facts.imports.last().unwrap();
            assert_eq!((import.name.as_str(), import.kind, import.names), (name, kind, 1));
            bench.put("late.exe", &old);
            assert_eq!(exit_code(&bench), Some(42), "{kind:?} untouched");
            bench.put("late.exe", &new);
            std::fs::rename(bench.path("part.dll"), bench.path(name)).unwrap();
            assert_eq!(exit_code(&bench), Some(42), "{kind:?} {name} {padded}");
            std::fs::rename(bench.path(name), bench.path("part.dll")).unwrap();
        }
    }
}

#[test]
fn dependent_load_flags_go() {
    let bench = Bench::new();
    let old = build(&bench);
    let facts = crate::PeFacts::read(&old).unwrap();
    assert_eq!(facts.dependent_load_flags, 0x800);
    assert_eq!(facts.lost_by_edit(), ["DependentLoadFlags 0x800"]);
    let new = bench.edited(&old, &renames(&[("part.dll", "p.dll")]));
    let facts = crate::PeFacts::read(&new).unwrap();
    assert_eq!(facts.dependent_load_flags, 0);
    assert_eq!(facts.lost_by_edit(), [""; 0]);
}

#[test]
fn hybrids_are_refused() {
    let bench = Bench::new();
    let mut old = build(&bench);
    let (at, _) = Image::parse(&old).unwrap().load_config().dependent_load_flags.unwrap();
    // CHPEMetadataPointer stands at 200, DependentLoadFlags at 78.
    put_u32(&mut old, at - 78 + 200, 0x40_1000);
    assert_eq!(crate::PeFacts::read(&old).unwrap().hybrid, Some(Hybrid::Arm64Ec));
    let error = super::super::patch(&old, &renames(&[("part.dll", "p.dll")])).unwrap_err();
    assert!(error.to_string().contains("is ARM64EC, whose imports can't be changed"), "{error}");
}
