//! Names, search paths and the room for them.

use object::Endianness;
use object::macho;

use super::{change, names, patched, refused, renamed, rpaths, slice, touched};
use crate::edit::patch;
use crate::handmade::{Handmade, TEXT_SIZE};
use crate::{Arch, SliceChanges, budget};

const I386: Arch = Arch { cputype: 7, cpusubtype: 3 };

/// The load commands, as kind and bytes.
fn commands(bytes: &[u8], file: &Handmade) -> Vec<Vec<u8>> {
    let word = |at: usize| {
        let bytes = bytes[at..at + 4].try_into().unwrap();
        match file.endian {
            Endianness::Little => u32::from_le_bytes(bytes),
            Endianness::Big => u32::from_be_bytes(bytes),
        }
    };
    let mut at = if file.is_64 { 32 } else { 28 };
    let start = at;
    let mut commands = Vec::new();
    for _ in 0..word(16) {
        let size = word(at + 4) as usize;
        commands.push(bytes[at..at + size].to_vec());
        at += size;
    }
    assert_eq!(at - start, word(20) as usize);
    commands
}

#[test]
fn names_follow_in_commands_of_every_kind_and_nothing_else_does() {
    for (arch, is_64) in [(Arch::X86_64, true), (I386, false)] {
        for endian in [Endianness::Little, Endianness::Big] {
            let file = Handmade { is_64, endian, ..Handmade::dylib(arch) };
            let old = file.build();
            let mut changes = SliceChanges { id: Some("/DLC/a".to_owned()), ..SliceChanges::default() };
            let new_name = |name: &str| format!("@loader_path/{}", name.rsplit('/').next().unwrap());
            for (_, name) in &file.dylibs[1..] {
                changes.dylibs.push(((*name).to_owned(), new_name(name)));
            }
            let new = patched(&old, &change([changes]));
            assert_eq!(new.len(), old.len());

            let (was, is) = (commands(&old, &file), commands(&new, &file));
            assert_eq!(was.len(), is.len());
            for (was, is) in was.iter().zip(&is) {
                assert_eq!(was[..4], is[..4], "the kind");
                assert_eq!(is.len() % if is_64 { 8 } else { 4 }, 0);
                let kind = file.word(macho::LC_ID_DYLIB.0);
                let old_name = file.dylibs[1..].iter().map(|(_, name)| *name).chain(file.id);
                let old_name = old_name
                    .into_iter()
                    .find(|name| was.get(24..).is_some_and(|rest| rest.starts_with(name.as_bytes())));
                let Some(old_name) = old_name else {
                    assert_eq!(was, is);
                    continue;
                };
                let name = if was[..4] == kind { "/DLC/a".to_owned() } else { new_name(old_name) };
                assert_eq!(was[8..24], is[8..24], "versions and timestamp");
                let end = 24 + name.len();
                assert_eq!((&is[24..end], is[end]), (name.as_bytes(), 0));
                assert!(is[end..].iter().all(|byte| *byte == 0) && is.len() - end <= 8);
            }
            let text = new.windows(4).position(|bytes| bytes == [1, 2, 3, 4]).unwrap();
            assert_eq!(old[text..], new[text..]);
        }
    }
}

#[test]
fn what_is_so_already_needs_no_edit() {
    let file = Handmade::dylib(Arch::ARM64);
    let old = file.build();
    let mut changes = rpaths(&file.rpaths);
    changes.id = file.id.map(str::to_owned);
    changes.dylibs = file.dylibs.iter().map(|(_, name)| ((*name).into(), (*name).into())).collect();
    changes.dylibs.push(("/not/there.dylib".into(), "/elsewhere.dylib".into()));
    assert_eq!(patch(&old, &change([changes])).unwrap(), []);
    assert_eq!(patch(&old, &change([SliceChanges::default()])).unwrap(), []);
    // A bundle has no name of its own and gets none.
    let bundle = Handmade { id: None, filetype: macho::MH_BUNDLE.0, ..file }.build();
    let id = SliceChanges { id: Some("/DLC/a".into()), ..SliceChanges::default() };
    assert_eq!(patch(&bundle, &change([id])).unwrap(), []);
}

#[test]
fn the_last_byte_of_room_is_used_and_not_one_more() {
    for (arch, is_64, step) in [(Arch::X86_64, true, 8), (I386, false, 4)] {
        for room in [0, step, 64, 200] {
            let file = Handmade { is_64, room, ..Handmade::dylib(arch) };
            let old = file.build();
            let longest = |extra: usize| {
                // The command is full when its name and NUL end at the padding.
                let used = (24 + "/opt/libup.dylib".len() + 1).next_multiple_of(step);
                format!("/{}", "x".repeat(used + room + extra - 24 - 2))
            };
            let fits = change([renamed("/opt/libup.dylib", &longest(0))]);
            let facts = slice(&old);
            assert_eq!(budget(&facts, &fits.slices[0]).needed, room as u64);
            assert_eq!(budget(&facts, &fits.slices[0]).missing(), 0);
            let new = patched(&old, &fits);
            assert_eq!(slice(&new).header_room, 0);
            let text = new.windows(TEXT_SIZE).position(|bytes| bytes[..4] == [1, 2, 3, 4]).unwrap();
            assert_eq!(old[text..], new[text..]);

            let too_long = change([renamed("/opt/libup.dylib", &longest(1))]);
            assert_eq!(budget(&facts, &too_long.slices[0]).missing(), step as u64);
            let error = refused(&old, &too_long);
            let start = format!("{arch}: {step} bytes are missing in the header");
            assert!(error.what.starts_with(&start), "{error}");
            assert_eq!(error.offset, Some((text - room) as u64));
            assert!(error.hint.unwrap().contains("-headerpad_max_install_names"));
        }
    }
}

#[test]
fn dropped_rpaths_make_room() {
    let file = Handmade { room: 0, rpaths: vec!["/a/long/path/of/a/build"], ..Handmade::dylib(Arch::X86_64) };
    let old = file.build();
    let mut changes = renamed("/opt/libup.dylib", "@loader_path/../x.dylibs/libup.dylib");
    assert!(refused(&old, &change([changes.clone()])).what.contains("16 bytes are missing"));
    changes.rpaths = Some(Vec::new());
    let new = patched(&old, &change([changes]));
    assert_eq!(names(&new)[4], "@loader_path/../x.dylibs/libup.dylib");
    assert_eq!((slice(&new).rpaths.len(), slice(&new).header_room), (0, 24));
}

#[test]
fn rpaths_become_the_list_that_is_asked_for() {
    let old = Handmade::dylib(Arch::X86_64).build();
    let lists: [&[&str]; 6] = [
        &[],
        &["@loader_path/../lib"],
        &["@loader_path/../lib", "/opt/lib"],
        &["/new", "/opt/lib", "/newer", "@loader_path/../lib", "/newest"],
        &["@loader_path"],
        &["/opt/lib", "@loader_path/../lib", "/opt/lib"],
    ];
    for list in lists {
        let new = patched(&old, &change([rpaths(list)]));
        assert_eq!(slice(&new).rpaths, list);
    }
    let none = Handmade { rpaths: Vec::new(), ..Handmade::dylib(Arch::X86_64) }.build();
    let new = patched(&none, &change([rpaths(&["@loader_path", "/opt"])]));
    assert_eq!(slice(&new).rpaths, ["@loader_path", "/opt"]);
}

#[test]
fn freed_bytes_are_zero_and_only_the_header_is_touched() {
    let old = Handmade::dylib(Arch::X86_64).build();
    let changes = change([renamed("/usr/lib/libSystem.B.dylib", "/s")]);
    let edits = patch(&old, &changes).unwrap();
    let end = old.windows(4).position(|bytes| bytes == [1, 2, 3, 4]).unwrap() - 256;
    assert_eq!(touched(&edits), [(0, end as u64)]);
    let new = patched(&old, &changes);
    assert_eq!(new[end - 24..end], [0; 24]);
    assert_eq!(slice(&new).header_room, 280);
}

#[test]
fn a_dylib_use_command_keeps_its_flags() {
    let fields = vec![28, macho::DYLIB_USE_MARKER, 0x0001_0000, 0x0002_0000, 9, 0x0000_612f];
    let more = vec![(macho::LC_LOAD_WEAK_DYLIB, fields)];
    let file = Handmade { more, dylibs: Vec::new(), ..Handmade::dylib(Arch::X86_64) };
    let old = file.build();
    let new = patched(&old, &change([renamed("/a", "/opt/other")]));
    assert_eq!(names(&new), ["/opt/other"]);
    assert_eq!(slice(&new).dylibs[0].0, crate::DylibKind::Weak);
    let command = |bytes: &[u8]| {
        let kind = file.word(macho::LC_LOAD_WEAK_DYLIB.0);
        commands(bytes, &file).into_iter().find(|command| command.starts_with(&kind)).unwrap()
    };
    assert_eq!(command(&old)[8..28], command(&new)[8..28]);
}

/// dyld refuses a program built for macOS 15 that names a library twice.
#[test]
fn names_that_come_to_be_one_are_told_apart() {
    let old = Handmade::dylib(Arch::X86_64).build();
    let mut changes = renamed("/opt/libre.dylib", "@loader_path/x");
    changes.dylibs.push(("/opt/liblazy.dylib".to_owned(), "@loader_path/x".to_owned()));
    changes.dylibs.push(("/opt/libup.dylib".to_owned(), "@rpath/libweak.dylib".to_owned()));
    let new = patched(&old, &change([changes]));
    let expected = ["@rpath/libweak.dylib", "@loader_path/x", "@loader_path/./x", "@rpath/./libweak.dylib"];
    assert_eq!(names(&new)[1..], expected);
    // Names that were one before stay one.
    let dylibs = vec![(macho::LC_LOAD_DYLIB, "/opt/a"), (macho::LC_LOAD_WEAK_DYLIB, "/opt/a")];
    let twice = Handmade { dylibs, ..Handmade::dylib(Arch::X86_64) }.build();
    assert_eq!(names(&patched(&twice, &change([renamed("/opt/a", "@rpath/a")]))), ["@rpath/a"; 2]);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let old = Handmade::dylib(Arch::X86_64).build();
    let error = refused(&old, &change([renamed("/opt/libup.dylib", ""), SliceChanges::default()]));
    assert!(error.what.contains("2 slices of a file that has 1"), "{error}");
    for name in ["", "a\0b", "a\nb"] {
        let error = refused(&old, &change([renamed("/opt/libup.dylib", name)]));
        assert!(error.what.contains("no name"), "{error}");
    }
    let object = Handmade { filetype: macho::MH_OBJECT.0, ..Handmade::dylib(Arch::X86_64) }.build();
    let error = refused(&object, &change([renamed("/opt/libup.dylib", "/x")]));
    assert!(error.what.contains("no loader loads"), "{error}");
}

#[test]
fn commands_that_end_early_are_refused() {
    let file = Handmade::dylib(Arch::X86_64);
    let mut old = file.build();
    old[20] += 8;
    let error = refused(&old, &change([renamed("/opt/libup.dylib", "/x")]));
    assert!(error.what.contains("before sizeofcmds"), "{error}");
}
