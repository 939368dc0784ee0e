//! apk's database (Alpine): `/lib/apk/db/installed`, one line a field, one letter a field name, see
//! <https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2>.

use super::database::{Database, Kind, Package, PathIndex, read_file};
use crate::Files;

/// `None` when there is none.
pub(super) fn read(files: &Files) -> Option<Database> {
    let text =
        ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"].iter().find_map(|at| read_file(files, at))?;
    let (packages, index) = parse(&text);
    Some(Database { kind: Kind::Apk, packages, index, diversions: Vec::new() })
}

fn parse(text: &[u8]) -> (Vec<Package>, PathIndex) {
    let mut packages: Vec<Package> = Vec::new();
    let mut index = PathIndex::default();
    let mut package = Package::default();
    let mut dir: &[u8] = b"";
    // A blank line ends a package.
    for line in text.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        let field = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        match line {
            [b'P', b':', value @ ..] => package.name = field(value),
            [b'V', b':', value @ ..] => package.version = field(value),
            [b'A', b':', value @ ..] => package.arch = field(value),
            [b'L', b':', value @ ..] => package.license = field(value),
            [b'o', b':', value @ ..] => package.upstream = field(value),
            [b'F', b':', value @ ..] => dir = value,
            [b'R', b':', value @ ..] if dir.is_empty() => index.insert(&[b"/", value], packages.len()),
            [b'R', b':', value @ ..] => index.insert(&[b"/", dir, b"/", value], packages.len()),
            [] => {
                packages.push(std::mem::take(&mut package));
                dir = b"";
            }
            _ => {}
        }
    }
    (packages, index.finish())
}
