//! New members, packed in parallel: marked as asked, in order, the same bytes for any number of threads, and no
//! file left when something fails.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use spokeshave_core::wheel::{
    Archive, Entry, Item, Kind, Method, Timestamp, WriteOptions, Writer, Written, pack, write_members,
};
use spokeshave_core::{Bytes, Error, Result};

fn python(script: &str, args: &[&Path]) -> String {
    let out = Command::new("python3").arg("-c").arg(script).args(args).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Bytes that deflate can do something with, but not much.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 & 0x3f
    };
    (0..len).map(|_| step()).collect()
}

fn item<'a>(name: &str, contents: Vec<u8>) -> Item<'a> {
    let entry = Entry::file(name, 0o644, Timestamp::EARLIEST);
    Item::New { entry, size: contents.len() as u64, produce: Box::new(move || Ok(Bytes::from(contents))) }
}

fn failing<'a>(name: &str, why: &'static str, after: Duration) -> Item<'a> {
    let entry = Entry::file(name, 0o644, Timestamp::EARLIEST);
    let produce = move || {
        std::thread::sleep(after);
        Err(Error::new(why).into())
    };
    Item::New { entry, size: 10, produce: Box::new(produce) }
}

fn write(target: &Path, jobs: usize, level: u32, items: Vec<Item<'_>>) -> Result<Vec<Written>> {
    let mut writer = Writer::create(target)?;
    let written = write_members(&mut writer, &WriteOptions { jobs, level }, items, &|_| {})?;
    writer.finish()?;
    Ok(written)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs_err::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn new_members_are_marked_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out.whl");
    let mut writer = Writer::create(&target).unwrap();
    let at = Timestamp::from_epoch(1_700_000_000);
    let mut add = |name: &str, kind, mode, contents: &[u8]| {
        let entry = Entry { name: name.to_owned(), kind, mode, modified: at };
        writer.add(&entry, &pack(Bytes::from(contents.to_vec()), 6).unwrap()).unwrap();
    };
    add("tool", Kind::File, 0o755, &[7; 1000]);
    add("grün.txt", Kind::File, 0o640, b"short");
    add("dir", Kind::Dir, 0o755, b"");
    add("dir/link", Kind::Symlink, 0o777, b"../tool");
    assert!(writer.add(&Entry::file("../x", 0o644, at), &pack(Bytes::from(Vec::new()), 6).unwrap()).is_err());
    writer.finish().unwrap();
    let dump = "
import sys, zipfile
for i in zipfile.ZipFile(sys.argv[1]).infolist():
    print(i.filename, oct(i.external_attr >> 16), i.external_attr & 0xffff, i.date_time, i.compress_type, i.create_system)
";
    assert_eq!(
        python(dump, &[&target]),
        "tool 0o100755 0 (2023, 11, 14, 22, 13, 20) 8 3
grün.txt 0o100640 0 (2023, 11, 14, 22, 13, 20) 0 3
dir/ 0o40755 16 (2023, 11, 14, 22, 13, 20) 0 3
dir/link 0o120777 0 (2023, 11, 14, 22, 13, 20) 0 3
"
    );
    let archive = Archive::open(&target).unwrap();
    let entry = Entry::like(&archive.members()[0]);
    assert_eq!((entry.name.as_str(), entry.mode, entry.modified), ("tool", 0o755, at));
    assert_eq!(archive.read(3).unwrap(), b"../tool");
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let make = |jobs: usize| {
        let items = (0..40).map(|n| item(&format!("m{n}"), noise((n * 7919) % 100_000, n as u32))).collect();
        let target = dir.path().join(format!("{jobs}.whl"));
        let written = write(&target, jobs, 6, items).unwrap();
        (written, fs_err::read(&target).unwrap())
    };
    let (written, bytes) = make(1);
    assert_eq!((written.len(), written[3].name.as_str(), written[3].size), (40, "m3", 23_757));
    for jobs in [2, 3, 8, 100] {
        assert!(make(jobs) == (written.clone(), bytes.clone()), "{jobs} jobs write something else");
    }
    let check = "
import sys, zipfile, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for n in z.namelist(): print(n, hashlib.sha256(z.read(n)).hexdigest(), z.getinfo(n).compress_size)
";
    let ours: String = written
        .iter()
        .map(|w| {
            let hex: String = w.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{} {hex} {}\n", w.name, w.compressed_size)
        })
        .collect();
    assert_eq!(python(check, &[&dir.path().join("2.whl")]), ours);
}

#[test]
fn levels() {
    let contents = || Bytes::from(noise(50_000, 1));
    let text: Vec<u8> = noise(20_000, 1).iter().flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let size = |level| pack(Bytes::from(text.clone()), level).unwrap().data().len();
    let sizes = [0, 1, 6, 12, 99].map(size);
    assert_eq!((sizes[0], sizes[3]), (text.len(), sizes[4]));
    assert!(sizes[..4].is_sorted_by(|a, b| a > b), "{sizes:?}");
    assert_eq!(pack(contents(), 0).unwrap().method, Method::Stored);
    assert_eq!(pack(Bytes::from(Vec::new()), 6).unwrap().method, Method::Stored);
    assert_eq!(pack(Bytes::from(b"x".to_vec()), 6).unwrap().method, Method::Stored);
    // More than half of it: the first guess of the room is too small.
    let packed = pack(contents(), 6).unwrap();
    assert_eq!(packed.method, Method::Deflated);
    assert!(packed.data().len() > 30_000);
}

#[test]
fn the_first_failure_in_order_is_told_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out.whl");
    for jobs in [1, 4] {
        let items = vec![
            item("a", noise(1000, 1)),
            failing("b", "b failed", Duration::from_millis(50)),
            failing("c", "c failed", Duration::ZERO),
            item("d", noise(1000, 2)),
        ];
        assert_eq!(write(&target, jobs, 6, items).unwrap_err().to_string(), "b failed");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
    let entry = Entry::file("p", 0o644, Timestamp::EARLIEST);
    let panicking = Item::New { entry, size: 1, produce: Box::new(|| panic!("on purpose")) };
    let error = write(&target, 2, 6, vec![item("a", noise(1000, 1)), panicking]).unwrap_err();
    assert!(error.to_string().contains("a thread that packs members failed"), "{error}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn the_target_appears_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out.whl");
    fs_err::write(&target, "old").unwrap();
    let mut writer = Writer::create(&target).unwrap();
    writer
        .add(&Entry::file("a", 0o644, Timestamp::EARLIEST), &pack(Bytes::from(vec![1; 500_000]), 0).unwrap())
        .unwrap();
    drop(writer);
    assert_eq!(
        (names(dir.path()), fs_err::read(&target).unwrap()),
        (vec!["out.whl".to_owned()], b"old".to_vec())
    );
    write(&target, 1, 6, vec![item("a", vec![1; 10])]).unwrap();
    assert_eq!(names(dir.path()), ["out.whl"]);
    assert_eq!(Archive::open(&target).unwrap().read(0).unwrap(), [1; 10]);

    let error =
        write(&dir.path().join("none/out.whl"), 1, 6, vec![]).unwrap_err().downcast::<Error>().unwrap();
    assert!(error.to_string().contains("none/out.whl: can't be created"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("create the output directory first"));
}

/// On Linux a file in work has no name, so that a kill leaves none (tmpfs can do that on every kernel).
#[cfg(target_os = "linux")]
#[test]
fn a_file_in_work_has_no_name() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let target = dir.path().join("out.whl");
    for round in 0..2 {
        let mut writer = Writer::create(&target).unwrap();
        let packed = pack(Bytes::from(vec![round; 500_000]), 0).unwrap();
        writer.add(&Entry::file("a", 0o644, Timestamp::EARLIEST), &packed).unwrap();
        assert_eq!(names(dir.path()).len(), usize::from(round));
        writer.finish().unwrap();
        assert_eq!(names(dir.path()), ["out.whl"]);
        assert_eq!(Archive::open(&target).unwrap().read(0).unwrap(), vec![round; 500_000]);
    }
}

#[cfg(unix)]
#[test]
fn the_target_has_the_mode_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (target, other) = (dir.path().join("out.whl"), dir.path().join("other"));
    write(&target, 1, 6, vec![]).unwrap();
    fs_err::write(&other, "").unwrap();
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&target), mode(&other));
}

#[test]
fn what_waits_for_a_slow_member_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let begun = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    const SIZE: usize = 1 << 20;
    let entry = |n: usize| Entry::file(format!("m{n}"), 0o644, Timestamp::EARLIEST);
    let mut items: Vec<Item<'_>> = vec![Item::New {
        entry: entry(0),
        size: SIZE as u64,
        produce: Box::new(|| {
            std::thread::sleep(Duration::from_millis(400));
            most.store(begun.load(Ordering::SeqCst), Ordering::SeqCst);
            Ok(Bytes::from(vec![0; SIZE]))
        }),
    }];
    items.extend((1..200).map(|n| Item::New {
        entry: entry(n),
        size: SIZE as u64,
        produce: Box::new(|| {
            begun.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from(vec![0; SIZE]))
        }),
    }));
    // Stored, so that each result costs its whole size: 2.5 x 2 MiB + 16 MiB.
    write(&dir.path().join("out.whl"), 2, 0, items).unwrap();
    let most = most.load(Ordering::SeqCst);
    assert!((10..=21).contains(&most), "{most} members waited");
    assert_eq!(begun.load(Ordering::SeqCst), 199);
}

#[test]
fn seventy_thousand_members() {
    let dir = tempfile::tempdir().unwrap();
    let (made, copied) = (dir.path().join("made.zip"), dir.path().join("copied.zip"));
    let mut writer = Writer::create(&made).unwrap();
    let packed = pack(Bytes::from(b"x".to_vec()), 6).unwrap();
    for n in 0..70_000 {
        writer.add(&Entry::file(format!("d/{n}"), 0o644, Timestamp::EARLIEST), &packed).unwrap();
    }
    writer.finish().unwrap();
    let archive = Archive::open(&made).unwrap();
    assert_eq!(archive.members().len(), 70_000);
    let items = (0..70_000).map(|index| Item::Raw { archive: &archive, index }).collect();
    write(&copied, 2, 6, items).unwrap();
    let count =
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(len(z.namelist()), z.read('d/69999'))";
    assert_eq!(python(count, &[&copied]), "70000 b'x'\n");
    let test = Command::new("unzip").arg("-tqq").arg(&copied).output().unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
}

#[test]
fn pip_installs_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("demo-1.0-py3-none-any.whl");
    let files: [(&str, &[u8], u32); 4] = [
        ("demo/__init__.py", b"answer = 42\n", 0o644),
        ("demo-1.0.data/scripts/demo-tool", b"#!/bin/sh\necho hello\n", 0o755),
        ("demo-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", 0o644),
        (
            "demo-1.0.dist-info/WHEEL",
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            0o644,
        ),
    ];
    let mut writer = Writer::create(&target).unwrap();
    let items = files
        .iter()
        .map(|(name, contents, mode)| Item::New {
            entry: Entry::file(*name, *mode, Timestamp::EARLIEST),
            size: contents.len() as u64,
            produce: Box::new(|| Ok(Bytes::from(contents.to_vec()))),
        })
        .collect();
    let written = write_members(&mut writer, &WriteOptions { jobs: 2, level: 6 }, items, &|_| {}).unwrap();
    let name = "demo-1.0.dist-info/RECORD";
    let record = spokeshave_core::wheel::Record::parse(Vec::new(), name).unwrap();
    let entries: Vec<_> = written.iter().map(Into::into).collect();
    let record = Bytes::from(record.rewrite(&entries, &[]));
    writer.add(&Entry::file(name, 0o644, Timestamp::EARLIEST), &pack(record, 6).unwrap()).unwrap();
    writer.finish().unwrap();
    let venv = dir.path().join("site");
    let out = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--no-deps",
            "--disable-pip-version-check",
            "--target",
        ])
        .args([&venv, &target])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let script = "import sys; sys.path.insert(0, sys.argv[1]); import demo; print(demo.answer)";
    assert_eq!(python(script, &[&venv]), "42\n");
    let tool = Command::new(venv.join("bin/demo-tool")).output().unwrap();
    assert_eq!(tool.stdout, b"hello\n");
}
