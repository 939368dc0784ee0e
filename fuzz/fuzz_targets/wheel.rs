//! Any bytes as a wheel: opening and reading may fail but not panic; what opens is copied, repacked and opened
//! again, and must then say the same.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spokeshave_core::Bytes;
use spokeshave_core::wheel::{
    Archive, DistInfo, Entry, Item, Member, WheelName, WriteOptions, Writer, install_path, write_members,
};

/// Members that claim more are not inflated: honest zeroes cost time and find nothing.
const MAX_SIZE: u64 = 1 << 20;

static TARGET: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    dir.join(format!("spokeshave-fuzz-{}.whl", std::process::id()))
});

fuzz_target!(|data: &[u8]| {
    let Ok(archive) = Archive::from_bytes(Path::new("x-1-py3-none-any.whl"), Bytes::from(data.to_vec()))
    else {
        return;
    };
    let contents: Vec<Option<Vec<u8>>> =
        archive.members().iter().enumerate().map(|(i, m)| read(&archive, i, m)).collect();
    metadata(&archive);
    let items = (0..contents.len()).map(|index| Item::Raw { archive: &archive, index }).collect();
    let copied = rewritten(items);
    same(&archive, &copied, &contents);
    let items =
        archive.members().iter().zip(&contents).enumerate().map(
            |(index, (member, contents))| match contents {
                Some(contents) => Item::New {
                    entry: Entry::like(member),
                    size: member.size,
                    produce: Box::new(|| Ok(Bytes::from(contents.clone()))),
                },
                None => Item::Raw { archive: &archive, index },
            },
        );
    same(&archive, &rewritten(items.collect()), &contents);
    let _ = std::fs::remove_file(&*TARGET);
});

fn read(archive: &Archive, index: usize, member: &Member) -> Option<Vec<u8>> {
    let _ = install_path(&member.path);
    let head = archive.head(index, 4096);
    if member.size > MAX_SIZE {
        return None;
    }
    let _ = archive.link_target(index);
    let whole = archive.read(index).ok()?;
    assert_eq!(whole.len() as u64, member.size);
    assert_eq!(head.expect("what can be read has a head"), whole[..whole.len().min(4096)]);
    Some(whole)
}

fn metadata(archive: &Archive) {
    let name = WheelName::parse("x-1-py3-none-any.whl").expect("a valid name");
    let Ok(dist_info) = DistInfo::find(archive, &name) else { return };
    let large = |index: usize| archive.members()[index].size > MAX_SIZE;
    if large(dist_info.wheel) || large(dist_info.record) {
        return;
    }
    if let Ok(wheel) = dist_info.read_wheel(archive) {
        let tags = name.with_platforms(&["p".to_owned(), "q".to_owned()]).tags();
        let new = wheel.with_tags(&tags, Some(false));
        let again = spokeshave_core::wheel::WheelFile::parse(new, "WHEEL").expect("our WHEEL is valid");
        assert_eq!((again.tags(), again.root_is_purelib()), (tags, false));
    }
    if let Ok(record) = dist_info.read_record(archive) {
        record.check(archive, &dist_info);
        let _ = record.check_hash("pkg/a", b"1");
        let changed: Vec<_> = record.entries().take(1).cloned().collect();
        let new = record.rewrite(&changed, &["pkg/a"]);
        spokeshave_core::wheel::Record::parse(new, "RECORD").expect("our RECORD is valid");
    }
}

fn rewritten(items: Vec<Item<'_>>) -> Archive {
    let mut writer = Writer::create(&TARGET).expect("a file can be made");
    write_members(&mut writer, &WriteOptions { jobs: 1, level: 1 }, items, &|_| {})
        .expect("what was read is written");
    writer.finish().expect("the file is put in place");
    Archive::open(&TARGET).expect("our output opens")
}

fn same(old: &Archive, new: &Archive, contents: &[Option<Vec<u8>>]) {
    assert_eq!(old.members().len(), new.members().len());
    for (index, (a, b)) in old.members().iter().zip(new.members()).enumerate() {
        assert_eq!(
            (&a.name, a.kind, a.mode_or_default(), a.size),
            (&b.name, b.kind, b.mode_or_default(), b.size)
        );
        assert_eq!((a.modified, a.crc32), (b.modified, b.crc32));
        if let Some(contents) = &contents[index] {
            assert_eq!(*contents, new.read(index).expect("what could be read still can"));
        }
    }
}
