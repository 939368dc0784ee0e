//! Changes that need room.

use object::elf;

use super::*;
use crate::image::Image;

fn loads(file: &[u8]) -> usize {
    Image::parse(file).unwrap().loads().count()
}

#[test]
fn last_segment_grows_over_its_zeroed_memory() {
    let bench = Bench::new();
    let old = bench.build("lib.so", &crowded(), &["-g"]);
    let new = edited(&old, &long_changes());
    assert!(new.len() > old.len());
    assert_eq!(loads(&new), loads(&old));
    let image = Image::parse(&new).unwrap();
    assert_eq!(image.header.phoff, 64);
    let last = image.loads().last().unwrap();
    assert!(last.filesz == last.memsz && last.file_range().contains(&image.string_table().start));
    let file = bench.put("new.so", &new);
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
    assert!(Command::new("strip").arg(&file).status().unwrap().success());
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn padding_between_segments_takes_a_short_table() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-g", "-Wl,-z,separate-code"]);
    let new = edited(&old, &long_changes());
    assert_eq!(new.len(), old.len());
    assert_ne!(Image::parse(&new).unwrap().string_table(), Image::parse(&old).unwrap().string_table());
    // A longer name grows into the same gap, and one that is too long for it finds another place.
    let longer = edited(&new, &Changes { soname: Some("x".repeat(200)), ..long_changes() });
    assert_eq!(longer.len(), old.len());
    let too_long = edited(&longer, &Changes { soname: Some("x".repeat(5000)), ..long_changes() });
    assert!(too_long.len() > old.len());
    for (name, bytes) in [("1.so", new), ("2.so", longer), ("3.so", too_long)] {
        let file = bench.put(name, &bytes);
        readelf(&file, &["-a"]);
        assert_eq!(bench.answer(&file), RIGHT);
        assert!(Command::new("strip").arg(&file).status().unwrap().success());
        readelf(&file, &["-a"]);
        assert_eq!(bench.answer(&file), RIGHT);
    }
}

#[test]
fn second_change_grows_by_its_own_strings_only() {
    let bench = Bench::new();
    let old = bench.build("lib.so", &crowded(), &[]);
    let new = edited(&old, &long_changes());
    assert!(new.len() > old.len() + 10_000);
    let again = Changes { soname: Some(format!("lib{}.so", "x".repeat(60))), ..long_changes() };
    let twice = edited(&new, &again);
    assert!(twice.len() <= new.len() + 64, "{} {}", new.len(), twice.len());
    let shorter = Changes { soname: Some("l.so".into()), ..long_changes() };
    let thrice = edited(&twice, &shorter);
    assert_eq!(thrice.len(), twice.len());
    for (name, bytes) in [("2.so", twice), ("3.so", thrice)] {
        let file = bench.put(name, &bytes);
        readelf(&file, &["-a"]);
        assert_eq!(bench.answer(&file), RIGHT);
    }
}

#[test]
fn dynamic_section_without_spare_entries_moves() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &["-Wl,--spare-dynamic-tags=1"]);
    let new = edited(&old, &long_changes());
    let (before, after) = (Image::parse(&old).unwrap(), Image::parse(&new).unwrap());
    let address = |image: &Image<'_>| image.segment(elf::PT_DYNAMIC).unwrap().vaddr;
    assert_ne!(address(&before), address(&after));
    let file = bench.put("new.so", &new);
    let symbols = readelf(&file, &["-s"]);
    assert!(
        symbols
            .lines()
            .any(|line| line.ends_with("_DYNAMIC") && line.contains(&format!("{:x}", address(&after))))
    );
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
    let twice = edited(
        &new,
        &Changes { soname: Some("libanother-and-still-longer-name.so.12345".into()), ..long_changes() },
    );
    assert!(twice.len() <= new.len() + 64);
    let file = bench.put("twice.so", &twice);
    assert!(Command::new("strip").arg(&file).status().unwrap().success());
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
}

#[test]
fn large_zeroed_memory_gets_a_segment_of_its_own() {
    let bench = Bench::new();
    let source = format!("{LIBRARY}\nchar zeroed[3 << 20];\n");
    let old = bench.build("lib.so", &source, &["-Wl,--spare-dynamic-tags=1"]);
    let new = edited(&old, &long_changes());
    assert!(new.len() < old.len() + 8192, "{}", new.len() - old.len());
    assert_eq!(loads(&new), loads(&old) + 1);
    let image = Image::parse(&new).unwrap();
    assert_ne!(image.header.phoff, 64);
    let file = bench.put("new.so", &new);
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
    // The second change grows the new segment.
    let twice = edited(&new, &Changes { soname: Some("x".repeat(300)), ..long_changes() });
    assert_eq!(loads(&twice), loads(&new));
    assert!(twice.len() < new.len() + 400);
    assert_eq!(bench.answer(&bench.put("twice.so", &twice)), RIGHT);
}

#[test]
fn code_first_layout_of_newer_binutils() {
    // binutils 2.45 puts .init and .plt right behind the program headers, so there is no room to grow there and the
    // tables stand behind the code. This script does the same.
    let bench = Bench::new();
    bench.put("code-first.ld", CODE_FIRST.as_bytes());
    let old =
        bench.build("lib.so", LIBRARY, &["-Wl,-T,code-first.ld", "-Wl,-z,noseparate-code,--no-eh-frame-hdr"]);
    let file = bench.put("old.so", &old);
    let sections = readelf(&file, &["-S"]);
    let at = |name: &str| sections.find(name).unwrap();
    assert!(at(" .init ") < at(" .plt ") && at(" .plt ") < at(" .dynstr "), "{sections}");
    assert_eq!(bench.answer(&file), RIGHT);
    let new = edited(&old, &long_changes());
    assert_eq!(Image::parse(&new).unwrap().header.phoff, 64);
    let file = bench.put("new.so", &new);
    readelf(&file, &["-a"]);
    assert_eq!(bench.answer(&file), RIGHT);
    assert!(Command::new("strip").arg(&file).status().unwrap().success());
    assert_eq!(bench.answer(&file), RIGHT);
    // A comment section before the loaded ones: our strip keeps the section numbers that symbols use.
    let stripped = edited(&old, &Changes { strip: true, ..long_changes() });
    let file = bench.put("stripped.so", &stripped);
    assert!(!readelf(&file, &["-a"]).contains(".comment"));
    assert_eq!(bench.answer(&file), RIGHT);
}

const CODE_FIRST: &str = r#"
PHDRS { code PT_LOAD FILEHDR PHDRS FLAGS(5); data PT_LOAD FLAGS(6); dynamic PT_DYNAMIC FLAGS(6); tls PT_TLS FLAGS(4); }
SECTIONS {
  . = SIZEOF_HEADERS;
  .comment 0 : { *(.comment) }
  . = SIZEOF_HEADERS;
  .init : { KEEP(*(.init)) } :code
  .plt : { *(.plt) *(.plt.*) } :code
  .text : { *(.text .text.*) } :code
  .fini : { KEEP(*(.fini)) } :code
  .rodata : { *(.rodata .rodata.*) } :code
  .note : { *(.note.*) } :code
  .gnu.hash : { *(.gnu.hash) } :code
  .dynsym : { *(.dynsym) } :code
  .dynstr : { *(.dynstr) } :code
  .gnu.version : { *(.gnu.version) } :code
  .gnu.version_r : { *(.gnu.version_r) } :code
  .rela.dyn : { *(.rela.dyn) *(.rela.data*) *(.rela.init*) *(.rela.got*) } :code
  .rela.plt : { *(.rela.plt) } :code
  .eh_frame : { *(.eh_frame*) } :code
  . = ALIGN(0x1000) + (. & 0xfff);
  .tdata : { *(.tdata*) } :data :tls
  .init_array : { KEEP(*(.init_array*)) KEEP(*(.ctors)) } :data
  .fini_array : { KEEP(*(.fini_array*)) } :data
  .data.rel.ro : { *(.data.rel.ro*) } :data
  .dynamic : { *(.dynamic) } :data :dynamic
  .got : { *(.got) *(.got.plt) } :data
  .data : { *(.data .data.*) } :data
  .bss : { *(.bss .bss.*) *(COMMON) } :data
}
"#;

#[test]
fn page_alignment_of_other_machines_is_kept() {
    let bench = Bench::new();
    for (cc, align) in [
        ("aarch64-linux-gnu-gcc", 0x10000),
        ("powerpc64le-linux-gnu-gcc", 0x10000),
        ("s390x-linux-gnu-gcc", 0x1000),
    ] {
        if !installed(cc) {
            continue;
        }
        let source = format!("{LIBRARY}\nchar zeroed[3 << 20];\n");
        let old = bench.build_with(cc, "lib.so", &source, &["-Wl,--spare-dynamic-tags=1"]);
        let new = edited(&old, &long_changes());
        let image = Image::parse(&new).unwrap();
        assert!(
            image.loads().all(|load| load.align == align && load.offset % align == load.vaddr % align),
            "{cc}"
        );
        assert_eq!(loads(&new), loads(&old) + 1, "{cc}");
        readelf(&bench.put("new.so", &new), &["-a"]);
    }
}

#[test]
fn programs_run() {
    let bench = Bench::new();
    let source = format!(
        "{LIBRARY}\nchar zeroed[ZEROED];\nint main(void) {{ return zeroed[ZEROED - 1] + answer(); }}"
    );
    let code = bench.put("main.c", source.as_bytes());
    for flags in ["-pie", "-no-pie"] {
        // A little, more than a library takes into the file, and more than a program does.
        for (zeroed, may_move) in [("10", false), ("3<<20", false), ("70<<20", true)] {
            let program = bench.path("program");
            let mut command = Command::new("cc");
            command.args([flags, "-Wl,--spare-dynamic-tags=1", &format!("-DZEROED=({zeroed})"), "-o"]);
            assert!(command.arg(&program).arg(&code).status().unwrap().success());
            let old = std::fs::read(&program).unwrap();
            let new = edited(&old, &Changes { soname: None, ..long_changes() });
            assert!(may_move || Image::parse(&new).unwrap().header.phoff == 64, "{flags} {zeroed}");
            std::fs::write(&program, new).unwrap();
            readelf(&program, &["-a"]);
            assert_eq!(Command::new(&program).status().unwrap().code(), Some(RIGHT), "{flags} {zeroed}");
        }
    }
}

#[test]
fn musl_loads_it() {
    if !installed("musl-gcc") {
        return;
    }
    let bench = Bench::new();
    let program = bench.path("answer");
    let code = bench.put("answer.c", ANSWER.as_bytes());
    assert!(Command::new("musl-gcc").arg("-o").arg(&program).arg(code).status().unwrap().success());
    let zeroed = format!("{LIBRARY}\nchar zeroed[3 << 20];\n");
    for (source, flags) in
        [(LIBRARY.to_owned(), vec![]), (crowded(), vec![]), (zeroed, vec!["-Wl,--spare-dynamic-tags=1"])]
    {
        let old = bench.build_with("musl-gcc", "lib.so", &source, &flags);
        let needed = vec![("libc.so".into(), None)];
        let new = edited(&old, &Changes { needed, ..long_changes() });
        let file = bench.put("new.so", &new);
        readelf(&file, &["-a"]);
        assert_eq!(bench.answer(&file), RIGHT);
        let stripped = edited(&old, &Changes { strip: true, ..long_changes() });
        assert_eq!(bench.answer(&bench.put("stripped.so", &stripped)), RIGHT);
    }
}
