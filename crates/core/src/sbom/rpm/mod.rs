//! rpm's database (Fedora, RHEL and its kin, SUSE): headers in one of three containers.
//!
//! There is a crate for it (`rpmdb`), but it brings SQLite's C code and reads no small headers; to find blobs in files
//! that are at rest takes little.

mod bdb;
mod header;
mod ndb;
mod sqlite;

use super::database::{Database, Indexed, PathIndex, read_file};
use crate::Files;

/// Finds the headers in a database file; `None` when it is damaged, after those that could be read.
type Reader = fn(&[u8], &mut Headers<'_>) -> Option<()>;

/// Where the database may be, newest first: SQLite since rpm 4.16 (RHEL 9), ndb on SUSE, Berkeley DB before (RHEL 7, 8).
const PLACES: [(&str, Reader); 6] = [
    ("/usr/lib/sysimage/rpm/rpmdb.sqlite", sqlite::read),
    ("/var/lib/rpm/rpmdb.sqlite", sqlite::read),
    ("/usr/lib/sysimage/rpm/Packages.db", ndb::read),
    ("/var/lib/rpm/Packages.db", ndb::read),
    ("/usr/lib/sysimage/rpm/Packages", bdb::read),
    ("/var/lib/rpm/Packages", bdb::read),
];

/// `None` when there is none.
pub(super) fn read(files: &Files) -> Option<Box<dyn Database>> {
    let (bytes, reader) = PLACES.iter().find_map(|(at, reader)| Some((read_file(files, at)?, reader)))?;
    let (mut packages, mut index) = (Vec::new(), PathIndex::default());
    let mut take = |blob: &[u8]| {
        if let Some(package) = header::read(blob, |dir, name| index.insert(&[dir, name], packages.len())) {
            packages.push(package);
        }
    };
    // What stands before the damage is as good as ever.
    let _ = reader(&bytes, &mut Headers { left: bytes.len(), take: &mut take });
    Some(Box::new(Indexed { packages, index: index.finish() }))
}

/// Takes the headers as they are found. Together they can't be larger than the file, unless it lies: then it is
/// read no further, since pages that are used again and again would make the work endless.
struct Headers<'a> {
    left: usize,
    take: &'a mut dyn FnMut(&[u8]),
}

impl Headers<'_> {
    /// To be called before a header of `len` bytes is put together.
    fn reserve(&mut self, len: usize) -> Option<()> {
        self.left = self.left.checked_sub(len)?;
        Some(())
    }
}

/// `N` bytes at `at`, which is where the field stands; `None` past the end.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(field(bytes, at)?)).ok()
}

fn le32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(field(bytes, at)?)).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::{Path, PathBuf};

    use super::super::PackageDb;
    use super::*;

    /// Databases of the same packages, with the place that each kind has; `fixtures/make.sh` makes them.
    const FIXTURES: [(&str, &str); 4] = [
        ("rpmdb.sqlite.gz", "usr/lib/sysimage/rpm/rpmdb.sqlite"),
        ("Packages.db.gz", "usr/lib/sysimage/rpm/Packages.db"),
        ("Packages.little.gz", "var/lib/rpm/Packages"),
        ("Packages.big.gz", "var/lib/rpm/Packages"),
    ];

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sbom/rpm/fixtures").join(name)
    }

    fn unpack(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(fs_err::File::open(fixture(name)).unwrap())
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    }

    #[test]
    fn agrees_with_rpm_on_every_file_in_every_container() {
        let expected = fs_err::read_to_string(fixture("expected.txt")).unwrap();
        for (name, place) in FIXTURES {
            let root = tempfile::tempdir().unwrap();
            let root = root.path();
            let place = root.join(place);
            fs_err::create_dir_all(place.parent().unwrap()).unwrap();
            fs_err::write(place, unpack(name)).unwrap();
            fs_err::create_dir_all(root.join("etc")).unwrap();
            fs_err::write(root.join("etc/os-release"), "ID=fedora\nVERSION_ID=40\n").unwrap();

            let db = PackageDb::open(Some(root));
            let mut files = 0;
            for line in expected.lines() {
                let [package, evr, arch, source, path, license] = *line.splitn(6, ' ').collect::<Vec<_>>()
                else {
                    panic!("{line}")
                };
                let owner = db
                    .owner(&root.join(path.trim_start_matches('/')))
                    .unwrap_or_else(|| panic!("{name}: {path}"));
                let epoch = if evr.starts_with("0:") { "" } else { "&epoch=3" };
                let version = evr.split(':').nth(1).unwrap();
                let purl = format!(
                    "pkg:rpm/fedora/{package}@{version}?arch={arch}&distro=fedora-40{epoch}&upstream={source}"
                );
                assert_eq!(
                    (owner.name.as_str(), owner.purl, owner.arch.as_str()),
                    (package, purl, arch),
                    "{name}"
                );
                assert_eq!(owner.version, evr.trim_start_matches("0:"), "{name}");
                assert_eq!(owner.license.as_deref(), Some(license), "{name}");
                files += 1;
            }
            assert_eq!(files, 261);
            assert_eq!(db.owner(&root.join("usr/lib64/libother.so")), None);
        }
    }

    /// Damage of every kind: what is read is less or nothing, in an instant and without a panic.
    #[test]
    fn damaged_databases_are_harmless() {
        let mut random = 1_u64;
        let mut next = move |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        for (name, place) in FIXTURES {
            let sound = unpack(name);
            let reader = PLACES.iter().find(|(at, _)| at.trim_start_matches('/') == place).unwrap().1;
            let count = |bytes: &[u8]| {
                let mut headers = 0;
                let mut take = |blob: &[u8]| {
                    header::read(blob, |_, _| ());
                    headers += 1;
                };
                let _ = reader(bytes, &mut Headers { left: bytes.len(), take: &mut take });
                headers
            };
            assert!(count(&sound) >= 31, "{name}");
            for round in 0..400 {
                let mut bytes = sound.clone();
                if round % 4 == 0 {
                    bytes.truncate(next(sound.len()));
                }
                // Half of the damage goes where the tables are.
                let near = bytes.len().clamp(1, if round % 2 == 0 { 8192 } else { usize::MAX });
                for _ in 0..=next(40) {
                    let value = [0, 1, 0x7f, 0xff, 0x0d, 0x05][next(6)];
                    if let Some(byte) = bytes.get_mut(next(near)) {
                        *byte = value;
                    }
                }
                count(&bytes);
            }
            assert_eq!(count(b""), 0);
        }
    }
}
