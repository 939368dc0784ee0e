//! Wheels that are copied whole must read the same in Python's `zipfile`, in `unzip` and here.

use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_core::wheel::{Archive, Item, WriteOptions, Writer, write_members};

/// What Python's zipfile says of each member.
const DUMP: &str = "
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in z.infolist():
    print(i.filename, i.date_time, i.compress_type, i.external_attr, i.CRC, i.compress_size, i.file_size,
          i.comment, i.create_system, i.internal_attr)
";

fn python(script: &str, args: &[&Path]) -> String {
    let out = Command::new("python3").arg("-c").arg(script).args(args).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn copy(from: &Path, to: &Path, jobs: usize) {
    let archive = Archive::open(from).unwrap();
    let mut writer = Writer::create(to).unwrap();
    let items = (0..archive.members().len()).map(|index| Item::Raw { archive: &archive, index }).collect();
    write_members(&mut writer, &WriteOptions { jobs, level: 6 }, items, &|_| {}).unwrap();
    writer.finish().unwrap();
}

fn make(script: &str, dir: &Path) -> PathBuf {
    let path = dir.join("in.zip");
    python(script, &[&path]);
    path
}

#[test]
fn python_sees_the_same_members() {
    let dir = tempfile::tempdir().unwrap();
    let made = make(
        "
import sys, zipfile, io
class Pipe(io.RawIOBase):
    def __init__(self, f): self.f = f
    def writable(self): return True
    def write(self, b): return self.f.write(b)
f = open(sys.argv[1], 'wb')
with zipfile.ZipFile(Pipe(f), 'w', zipfile.ZIP_DEFLATED) as z:   # a pipe: data descriptors
    z.writestr('streamed.txt', 'x' * 100000)
    i = zipfile.ZipInfo('tool', (2020, 2, 3, 4, 5, 6)); i.external_attr = 0o100755 << 16
    z.writestr(i, bytes(range(256)) * 1000)
    i = zipfile.ZipInfo('link'); i.external_attr = 0o120777 << 16
    z.writestr(i, 'tool')
    z.writestr('dir/', '')
    z.writestr('dir/grün.txt', 'g')
    i = zipfile.ZipInfo('c.txt'); i.comment = b'said'; i.extra = b'UT\\x05\\x00\\x01\\x00\\x00\\x00\\x00'
    z.writestr(i, 'c')
",
        dir.path(),
    );
    let copied = dir.path().join("out.zip");
    copy(&made, &copied, 2);
    assert_eq!(python(DUMP, &[&made]), python(DUMP, &[&copied]));
    let test = Command::new("unzip").arg("-tq").arg(&copied).output().unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stdout));
    // Our own reader accepts its output, and a second copy is the same file.
    let again = dir.path().join("again.zip");
    copy(&copied, &again, 1);
    assert_eq!(fs_err::read(&copied).unwrap(), fs_err::read(&again).unwrap());
}

/// Makes many zips of many shapes, seeded, so that each run sees the same.
const RANDOM_ZIPS: &str = "
import sys, zipfile, random, os, io
class Pipe(io.RawIOBase):
    def __init__(self, f): self.f = f
    def writable(self): return True
    def write(self, b): return self.f.write(b)
for n in range(60):
    r = random.Random(n)
    f = open(os.path.join(sys.argv[1], f'{n}.zip'), 'wb')
    with zipfile.ZipFile(Pipe(f) if r.random() < .4 else f, 'w') as z:
        for m in range(r.randrange(12)):
            i = zipfile.ZipInfo(r.choice(['a', 'pkg/b', 'ü/c,\"d', 'x' * 200]) + str(m),
                                (r.randrange(1980, 2108), r.randrange(1, 13), r.randrange(1, 29), 1, 2, 4))
            i.external_attr = r.choice([0, 0o100644, 0o100755, 0o120777]) << 16 | r.choice([0, 1])
            i.create_system = r.choice([0, 3])
            i.compress_type = r.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
            i.extra = r.choice([b'', b'UT\\x05\\x00\\x01\\x00\\x00\\x00\\x00', b'\\xfe\\xca\\x00\\x00'])
            i.comment = r.choice([b'', b'comment'])
            body = r.choice([b'', b'abc', b'text ' * 5000, r.randbytes(200_000)])
            with z.open(i, 'w', force_zip64=r.random() < .3) as o: o.write(body)
";

#[test]
fn random_zips_copy_true() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    python(RANDOM_ZIPS, &[from.path()]);
    for n in 0..60 {
        let name = format!("{n}.zip");
        copy(&from.path().join(&name), &to.path().join(&name), 1);
    }
    let dump_all = format!(
        "import sys, os\nd = sys.argv[1]\nfor n in range(60):\n    sys.argv[1] = os.path.join(d, f'{{n}}.zip')\n    print(n)\n    exec({DUMP:?})"
    );
    let (before, after) = (python(&dump_all, &[from.path()]), python(&dump_all, &[to.path()]));
    assert!(before.lines().count() > 200, "the zips are not empty");
    assert_eq!(before, after);
}
