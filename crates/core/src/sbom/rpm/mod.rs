//! rpm's database (Fedora, RHEL and its kin, SUSE): headers in one of three containers.
//!
//! There is a crate for it (`rpmdb`), but it brings SQLite's C code and reads no small headers; to find blobs in files
//! that are at rest takes little.

mod bdb;
mod header;
mod ndb;
mod sqlite;

use super::database::{Database, Kind, PathIndex, read_file};
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
pub(super) fn read(files: &Files) -> Option<Database> {
    let (bytes, reader) = PLACES.iter().find_map(|(at, reader)| Some((read_file(files, at)?, reader)))?;
    let (mut packages, mut index) = (Vec::new(), PathIndex::default());
    let mut take = |blob: &[u8]| {
        if let Some(package) = header::read(blob, |dir, name| index.insert(&[dir, name], packages.len())) {
            packages.push(package);
        }
    };
    // What stands before the damage is as good as ever.
    let _ = reader(&bytes, &mut Headers { left: bytes.len(), take: &mut take });
    Some(Database { kind: Kind::Rpm, packages, index: index.finish(), diversions: Vec::new() })
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
