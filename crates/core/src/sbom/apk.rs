//! apk's database (Alpine): `/lib/apk/db/installed`, one line a field, one letter a field name, see
//! <https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2>.

use super::database::{Database, Indexed, Package, PathIndex, read_file};
use crate::Files;

/// `None` when there is none.
pub(super) fn read(files: &Files) -> Option<Box<dyn Database>> {
    let text =
        ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"].iter().find_map(|at| read_file(files, at))?;
    let (packages, index) = parse(&text);
    Some(Box::new(Indexed { packages, index }))
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
                packages.push(Package { kind: "apk", ..std::mem::take(&mut package) });
                dir = b"";
            }
            _ => {}
        }
    }
    (packages, index.finish())
}

#[cfg(test)]
mod tests {
    use super::super::PackageDb;

    #[test]
    fn files_of_packages() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs_err::create_dir_all(root.join("lib/apk/db")).unwrap();
        fs_err::create_dir_all(root.join("etc")).unwrap();
        fs_err::write(root.join("etc/os-release"), "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n")
            .unwrap();
        let installed = "C:Q1abc=\nP:zlib\nV:1.3.1-r1\nA:x86_64\nS:54011\nL:Zlib\no:zlib\nF:lib\nR:libz.so.1\na:0:0:777\n\
             Z:Q1=\nR:libz.so.1.3.1\nF:\nR:top\n\nC:Q1d=\nP:libgcc\nV:13-r1\nA:x86_64\no:gcc\nF:usr/lib\nR:libgcc_s.so.1\n";
        fs_err::write(root.join("lib/apk/db/installed"), installed).unwrap();

        let db = PackageDb::open(Some(root));
        let zlib = db.owner(&root.join("lib/libz.so.1.3.1")).unwrap();
        assert_eq!(zlib.purl, "pkg:apk/alpine/zlib@1.3.1-r1?arch=x86_64&distro=alpine-3.20.3");
        assert_eq!(zlib.license.as_deref(), Some("Zlib"));
        assert_eq!(db.owner(&root.join("top")).unwrap(), zlib);
        let libgcc = db.owner(&root.join("usr/lib/libgcc_s.so.1")).unwrap();
        assert!(libgcc.license.is_none() && libgcc.purl.ends_with("&upstream=gcc"), "{libgcc:?}");
        assert_eq!(db.owner(&root.join("lib/libgcc_s.so.1")), None);
    }
}
