//! The reader on files made by hand, and on broken ones.

use object::Endianness;
use object::macho;
use spokeshave_core::Error;

use super::recognizes;
use crate::handmade::{Handmade, fat};
use crate::{Arch, DylibKind, MachoFacts};

const I386: Arch = Arch { cputype: 7, cpusubtype: 3 };
const PPC64: Arch = Arch { cputype: 0x0100_0012, cpusubtype: 0 };

fn error(bytes: &[u8]) -> Error {
    MachoFacts::read(bytes).unwrap_err().downcast().unwrap()
}

#[test]
fn both_sizes_and_byte_orders_read_alike() {
    for (arch, is_64) in [(Arch::ARM64, true), (I386, false), (PPC64, true)] {
        for endian in [Endianness::Little, Endianness::Big] {
            let file = Handmade { is_64, endian, ..Handmade::dylib(arch) };
            let bytes = file.build();
            assert!(recognizes(&bytes));
            let facts = MachoFacts::read(&bytes).unwrap();
            assert_eq!((facts.fat, facts.inert, facts.slices.len()), (false, None, 1));
            let slice = &facts.slices[0];
            assert_eq!((slice.arch, slice.offset, slice.size), (arch, 0, bytes.len() as u64));
            assert_eq!((slice.filetype, slice.flags), (macho::MH_DYLIB.0, 0x85));
            let id = slice.id.as_ref().unwrap();
            assert_eq!(id.name, "/usr/local/lib/liba.dylib");
            assert_eq!((id.current_version, id.compatibility_version), (0x0001_0203, 0x0001_0000));
            let kinds: Vec<_> = slice.dylibs.iter().map(|(kind, _)| *kind).collect();
            use DylibKind::{Lazy, Load, Reexport, Upward, Weak};
            assert_eq!(kinds, [Load, Weak, Reexport, Lazy, Upward]);
            let names: Vec<_> = slice.dylibs.iter().map(|(_, dylib)| dylib.name.as_str()).collect();
            assert!(names.iter().eq(file.dylibs.iter().map(|(_, name)| name)), "{names:?}");
            assert_eq!(slice.rpaths, file.rpaths);
            assert_eq!(slice.min_os.len(), 1);
            assert_eq!((slice.min_os[0].platform, slice.min_os[0].version), (1, 0x000b_0000));
            let uuid: Vec<u8> = [1, 2, 3, 4].into_iter().flat_map(|word| file.word(word)).collect();
            assert_eq!(slice.uuid.unwrap().as_slice(), uuid);
            assert_eq!((slice.header_room, slice.layout.is_64), (256, is_64));
            assert_eq!((slice.layout.code_signature, &slice.signature), (false, &None));
        }
    }
}

#[test]
fn fat_files_of_both_kinds() {
    for is_64 in [false, true] {
        let slices = [
            (Arch::X86_64, 12, Handmade::dylib(Arch::X86_64).build()),
            (Arch::ARM64, 14, Handmade { id: None, ..Handmade::dylib(Arch::ARM64) }.build()),
        ];
        let bytes = fat(is_64, &slices);
        assert!(recognizes(&bytes));
        let facts = MachoFacts::read(&bytes).unwrap();
        assert!(facts.fat);
        let places: Vec<_> = facts.slices.iter().map(|slice| (slice.arch, slice.offset)).collect();
        assert_eq!(places, [(Arch::X86_64, 0x1000), (Arch::ARM64, 0x4000)]);
        assert!(facts.slices[0].id.is_some() && facts.slices[1].id.is_none());
    }
}

#[test]
fn java_classes_are_no_fat_files() {
    for version in [45_u32, 52, 68] {
        let head = [macho::FAT_MAGIC, version, 0x1234_0a00].map(u32::to_be_bytes).concat();
        assert!(!recognizes(&head));
        assert_eq!(error(&[head, vec![0; 64]].concat()).what, "not a Mach-O file");
    }
    assert!(!recognizes(&[macho::FAT_MAGIC, 0].map(u32::to_be_bytes).concat()));
    assert!(!recognizes(b"\xca\xfe\xba\xbe"));
    assert!(!recognizes(b""));
}

#[test]
fn dylib_use_commands_say_how_they_are_used() {
    let kind = |flags| {
        // `dylib_use_command`: name at 28, marker, versions, flags; the name `/a`.
        let fields = vec![28, macho::DYLIB_USE_MARKER, 0x0001_0000, 0x0001_0000, flags, 0x0000_612f];
        let more = vec![(macho::LC_LOAD_WEAK_DYLIB, fields)];
        let file = Handmade { more, dylibs: Vec::new(), ..Handmade::dylib(Arch::ARM64) };
        let facts = MachoFacts::read(&file.build()).unwrap();
        assert_eq!(facts.slices[0].dylibs[0].1.name, "/a");
        facts.slices[0].dylibs[0].0
    };
    assert_eq!(kind(0), DylibKind::Load);
    assert_eq!(kind(1), DylibKind::Weak);
    assert_eq!(kind(2), DylibKind::Reexport);
    assert_eq!(kind(4), DylibKind::Upward);
    assert_eq!(kind(8), DylibKind::Lazy);
}

#[test]
fn what_no_loader_loads_is_inert() {
    let of = |filetype: macho::FileType| {
        let bytes = Handmade { filetype: filetype.0, ..Handmade::dylib(Arch::ARM64) }.build();
        MachoFacts::read(&bytes).unwrap().inert
    };
    assert_eq!(of(macho::MH_EXECUTE), None);
    assert_eq!(of(macho::MH_BUNDLE), None);
    assert_eq!(of(macho::MH_OBJECT), Some("object file"));
    assert_eq!(of(macho::MH_DSYM), Some("dSYM"));
    assert_eq!(of(macho::MH_CORE), Some("core file"));
    let archive = |arch| (arch, 3, b"!<arch>\nand so on".to_vec());
    let static_library = fat(false, &[archive(Arch::X86_64), archive(Arch::ARM64)]);
    assert_eq!(MachoFacts::read(&static_library).unwrap().inert, Some("static library"));
    let mixed = fat(false, &[archive(Arch::X86_64), (Arch::ARM64, 14, Handmade::dylib(Arch::ARM64).build())]);
    assert_eq!(MachoFacts::read(&mixed).unwrap().inert, None);
}

#[test]
fn room_ends_where_anything_begins() {
    let room = |bytes: &[u8]| MachoFacts::read(bytes).unwrap().slices[0].header_room;
    let file = Handmade::dylib(Arch::ARM64);
    let plain = file.build();
    let size = MachoFacts::read(&plain).unwrap().slices[0].size;
    assert_eq!((room(&plain), size), (256, plain.len() as u64));
    let text = plain.windows(4).position(|bytes| bytes == [1, 2, 3, 4]).unwrap();

    let mut hidden = plain.clone();
    hidden[text - 100] = 7;
    assert_eq!(room(&hidden), 156, "bytes that are not zero are somebody's");

    // `offset` of the section: 0x30 bytes into `section_64`, which follows the 72 bytes of its segment.
    let offset_at = 32 + 72 + 48;
    let mut lying = plain.clone();
    lying[offset_at..offset_at + 4].fill(0);
    assert_eq!(room(&lying), 256, "the address still says where the section is");
    lying[offset_at..offset_at + 4].copy_from_slice(&(text as u32 - 40).to_le_bytes());
    assert_eq!(room(&lying), 216);

    let mut empty = plain.clone();
    // S_ZEROFILL
    empty[offset_at + 16..offset_at + 20].copy_from_slice(&1_u32.to_le_bytes());
    assert_eq!(room(&empty), 256, "what stands there is not zero even so");
    empty[text..text + 64].fill(0);
    assert!(room(&empty) > 2000);

    let note = |at: u32| Handmade {
        more: vec![(macho::LC_NOTE, vec![0, 0, 0, 0, at, 0, 8, 0])],
        ..Handmade::dylib(Arch::ARM64)
    };
    let text = MachoFacts::read(&note(0x9000).build()).unwrap().slices[0].header_room;
    assert_eq!(text, 256);
    let end = note(1).build().windows(4).position(|bytes| bytes == [1, 2, 3, 4]).unwrap();
    assert_eq!(room(&note(end as u32 - 96).build()), 160);
}

#[test]
fn errors_name_the_absolute_offset() {
    let slice = Handmade::dylib(Arch::ARM64).build();
    let file = |slice: Vec<u8>| fat(false, &[(Arch::ARM64, 14, slice)]);

    let mut broken = slice.clone();
    broken[36..40].fill(0);
    let what = error(&file(broken));
    assert_eq!(what.offset, Some(0x4000 + 32), "{what}");
    assert!(what.what.contains("impossible size"), "{what}");

    let mut broken = slice.clone();
    broken[16] = 200;
    assert_eq!(error(&file(broken)).offset, Some(0x4000 + 16));

    let mut broken = file(slice.clone());
    broken[8..12].copy_from_slice(&7_u32.to_be_bytes());
    assert_eq!(error(&broken).what, "the fat header calls it i386, its own header arm64");

    let cut = error(&slice[..0x1010]);
    assert!(cut.what.contains("segment __LINKEDIT ends past the end"), "{cut}");
    assert!(cut.hint.is_some());

    let mut unterminated = slice.clone();
    let name = slice.windows(9).position(|bytes| bytes == b"/opt/libu").unwrap();
    unterminated[name..name + 24].fill(b'a');
    assert!(error(&unterminated).what.contains("has no end"));
    let mut strange = slice.clone();
    strange[name + 1] = 0x1b;
    assert_eq!(error(&strange).offset, Some(name as u64));
    let mut inside = slice;
    inside[name - 16] = 20;
    assert!(error(&inside).what.contains("before the fields end"));
}

#[test]
fn slices_on_each_other_are_refused() {
    let slice = Handmade::dylib(Arch::ARM64).build();
    let mut bytes = fat(false, &[(Arch::ARM64, 14, slice.clone()), (Arch::X86_64, 14, slice)]);
    let second = 8 + 20 + 8;
    bytes[second..second + 4].copy_from_slice(&0x4010_u32.to_be_bytes());
    let error = error(&bytes);
    assert_eq!(error.offset, Some(28), "{error}");
    assert!(error.what.contains("lies on"), "{error}");
}

/// No prefix of a file and no file with one byte changed makes the reader panic.
#[test]
fn damaged_files_are_read_or_refused() {
    let slice = Handmade { signature: Some(64), ..Handmade::dylib(Arch::ARM64) }.build();
    let bytes = fat(true, &[(Arch::ARM64, 4, slice)]);
    for end in 0..bytes.len() {
        assert!(MachoFacts::read(&bytes[..end]).is_err());
    }
    let mut read = 0;
    for at in 0..0x400 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            read += usize::from(MachoFacts::read(&damaged).is_ok());
        }
    }
    assert!(read > 1000, "{read}");
}
