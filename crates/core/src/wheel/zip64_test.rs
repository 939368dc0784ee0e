//! zip64 with small thresholds: the same fields as in files of many gigabytes.

use std::process::Command;

use super::zip::Limits;
use super::{Archive, Entry, Timestamp, Writer, pack};
use crate::Bytes;

fn made(limits: Limits, target: &std::path::Path) {
    let mut writer = Writer::with_limits(target, limits).unwrap();
    for (name, contents) in
        [("small", vec![1; 3]), ("large", b"0123456789".repeat(100)), ("stored", vec![3; 90])]
    {
        let level = if name == "stored" { 0 } else { 6 };
        let entry = Entry::file(name, 0o644, Timestamp::EARLIEST);
        writer.add(&entry, &pack(Bytes::from(contents), level).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn every_field_that_can_overflow() {
    let dir = tempfile::tempdir().unwrap();
    // By size alone, by offset too, by count alone, and everything at once.
    for (n, (size, count)) in [(500, 100), (60, 100), (1 << 20, 3), (0, 0)].into_iter().enumerate() {
        let target = dir.path().join(format!("{n}.zip"));
        made(Limits { size, count }, &target);
        let bytes = fs_err::read(&target).unwrap();
        assert!(bytes.windows(4).any(|w| w == b"PK\x06\x06" || w == [1, 0, 16, 0]), "no zip64 in {n}");
        let archive = Archive::open(&target).unwrap();
        let local_zip64 = !archive.members()[1].zip.local_extra.is_empty();
        let needed = bytes[archive.members()[1].zip.header_offset as usize + 4];
        assert_eq!(needed, if local_zip64 { 45 } else { 20 });
        assert_eq!(archive.read(1).unwrap(), b"0123456789".repeat(100));
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), z.read('stored')[:2], len(z.read('large')))";
        let out = Command::new("python3").args(["-c", script]).arg(&target).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert_eq!(text, "None b'\\x03\\x03' 1000\n", "{}", String::from_utf8_lossy(&out.stderr));
        let test = Command::new("unzip").arg("-tqq").arg(&target).output().unwrap();
        assert!(test.status.success(), "{n}: {}", String::from_utf8_lossy(&test.stdout));

        // What needs no zip64 loses it in a copy.
        let copied = dir.path().join("copied.zip");
        let mut writer = Writer::create(&copied).unwrap();
        (0..3).for_each(|index| writer.raw(&archive, index).unwrap());
        writer.finish().unwrap();
        let plain = dir.path().join("plain.zip");
        made(Limits::FORMAT, &plain);
        let (copied, plain) = (Archive::open(&copied).unwrap(), Archive::open(&plain).unwrap());
        assert!(copied.members().iter().zip(plain.members()).all(|(a, b)| {
            a.zip.central_extra == b.zip.central_extra
                && a.zip.local_extra == b.zip.local_extra
                && a.zip.header_offset == b.zip.header_offset
        }));
    }
}
