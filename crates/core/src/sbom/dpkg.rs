//! dpkg's database (Debian, Ubuntu): `/var/lib/dpkg`, see deb-control(5) and dpkg(1).
//!
//! It has a file list for each package, a thousand of them and more. The owner of a file most often has a name that
//! begins as the file's does, so the lists are read in the order of that likeness, and only as many as it takes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::database::{Database, Package, hash, read_file};
use crate::Files;

/// `None` when there is none.
pub(super) fn open(files: &Files) -> Option<Box<dyn Database>> {
    let status = read_file(files, "/var/lib/dpkg/status")?;
    let diversions =
        read_file(files, "/var/lib/dpkg/diversions").map(|text| diversions(&text)).unwrap_or_default();
    Some(Box::new(Mutex::new(Dpkg {
        info: files.real_path(&files.in_sysroot("/var/lib/dpkg/info"))?,
        unread: stanzas(&String::from_utf8_lossy(&status)),
        read: Vec::new(),
        owners: HashMap::new(),
        diversions,
    })))
}

struct Dpkg {
    /// The directory of the file lists.
    info: PathBuf,
    /// The packages whose lists are not read yet.
    unread: Vec<Stanza>,
    read: Vec<Package>,
    /// Hash of a file's path → index into `read`. That two paths of one system share a hash is not to be expected.
    owners: HashMap<u64, usize>,
    /// By the hash of the place that packages name.
    diversions: HashMap<u64, Diversion>,
}

/// A package in the `status` file, not looked into yet.
struct Stanza {
    name: String,
    text: String,
}

/// A place where only one package, or the administrator, may put a file; others' files go elsewhere.
struct Diversion {
    /// Hash of the place where the others' files go.
    to: u64,
    /// The package whose own file stays; `:` for the administrator.
    by: String,
}

impl Database for Mutex<Dpkg> {
    fn owner(&self, paths: &[Vec<u8>]) -> Option<Package> {
        self.lock().unwrap_or_else(PoisonError::into_inner).owner(paths).cloned()
    }
}

impl Dpkg {
    fn owner(&mut self, paths: &[Vec<u8>]) -> Option<&Package> {
        let wanted: Vec<u64> = paths.iter().map(|path| hash(&[path])).collect();
        let name = paths.first()?.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut sorted = false;
        loop {
            if let Some(&package) = wanted.iter().find_map(|path| self.owners.get(path)) {
                return self.read.get(package);
            }
            if !sorted {
                self.unread.sort_by_cached_key(|stanza| likeness(&stanza.name, name));
                sorted = true;
            }
            let package = package(&self.unread.pop()?.text);
            self.read_list(package);
        }
    }

    fn read_list(&mut self, package: Package) {
        let Package { name, arch, .. } = &package;
        // With the architecture where packages of several can be installed together.
        let lists = [format!("{name}:{arch}.list"), format!("{name}.list")].map(|list| self.info.join(list));
        let list = lists.iter().find(|list| fs_err::symlink_metadata(list).is_ok_and(|meta| meta.is_file()));
        let list = list.and_then(|list| fs_err::read(list).ok()).unwrap_or_default();
        for path in list.split(|byte| *byte == b'\n').filter(|path| !path.is_empty()) {
            let path = hash(&[path]);
            let place = match self.diversions.get(&path) {
                Some(diversion) if diversion.by != *name => diversion.to,
                _ => path,
            };
            self.owners.entry(place).or_insert(self.read.len());
        }
        self.read.push(package);
    }
}

/// How much a package's name resembles a file's: the bytes that they share from the beginning, with or without `lib`
/// (`zlib1g` has `libz.so.1`), and of equals the shorter one.
fn likeness(package: &str, file: &[u8]) -> (usize, Reverse<usize>) {
    let letter = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    let shared = |file: &[u8]| package.bytes().zip(file).take_while(|(a, b)| *a == letter(b)).count();
    let without_lib = file.strip_prefix(b"lib").map_or(0, |rest| shared(rest) + 3);
    (shared(file).max(without_lib), Reverse(package.len()))
}

/// The `status` file has a stanza for each package and architecture; those of removed packages are left out.
fn stanzas(status: &str) -> Vec<Stanza> {
    let stanza = |text: &str| {
        let value = |field| text.lines().find_map(|line| line.strip_prefix(field));
        let removed = value("Status: ").is_some_and(|status| status.ends_with(" config-files"));
        let name = value("Package: ").filter(|name| !removed && !name.contains('/'))?;
        Some(Stanza { name: name.to_owned(), text: text.to_owned() })
    };
    status.split("\n\n").filter_map(stanza).collect()
}

fn package(stanza: &str) -> Package {
    let mut package = Package { kind: "deb", ..Package::default() };
    for line in stanza.lines() {
        match line.split_once(": ") {
            Some(("Package", value)) => value.clone_into(&mut package.name),
            Some(("Version", value)) => value.clone_into(&mut package.version),
            Some(("Architecture", value)) => value.clone_into(&mut package.arch),
            Some(("Source", value)) => package.upstream = source(value),
            _ => {}
        }
    }
    package
}

/// `curl` or `gcc-12@12.2.0-14` of the field's `gcc-12 (12.2.0-14)`.
fn source(field: &str) -> String {
    match field.split_once(" (") {
        Some((name, version)) => format!("{name}@{}", version.trim_end_matches(')')),
        None => field.to_owned(),
    }
}

/// The `diversions` file: three lines each.
fn diversions(text: &[u8]) -> HashMap<u64, Diversion> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let (triples, _) = lines.as_chunks::<3>();
    let diversion = |[from, to, by]: &[&[u8]; 3]| {
        (hash(&[from]), Diversion { to: hash(&[to]), by: String::from_utf8_lossy(by).into_owned() })
    };
    triples.iter().map(diversion).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::super::PackageDb;

    fn dpkg(program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).env("LC_ALL", "C").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every shared library of this machine's library directories, links followed.
    fn libraries() -> BTreeSet<PathBuf> {
        let dirs = fs_err::read_dir("/usr/lib").unwrap().map(|dir| dir.unwrap().path());
        let dirs = dirs.filter(|dir| dir.is_dir() && dir.to_string_lossy().contains("-linux-gnu"));
        let files = dirs.flat_map(|dir| fs_err::read_dir(dir).unwrap()).map(|file| file.unwrap().path());
        files
            .filter(|file| file.to_string_lossy().contains(".so"))
            .filter_map(|file| file.canonicalize().ok())
            .collect()
    }

    #[test]
    fn agrees_with_dpkg_on_every_library_of_the_machine() {
        let libraries = libraries();
        let mut args = vec!["-S".to_owned()];
        for library in &libraries {
            // dpkg knows a file only under the name that its package gave it, so both names are asked for.
            let path = library.to_str().unwrap();
            args.extend([path.to_owned(), path.trim_start_matches("/usr").to_owned()]);
        }
        let mut expected: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        for line in dpkg("dpkg", &args.iter().map(String::as_str).collect::<Vec<_>>()).lines() {
            let (packages, path) = line.split_once(": ").unwrap();
            if !packages.starts_with("diversion by ") {
                let path = Path::new(path).canonicalize().unwrap();
                let names = packages.split(", ").map(|name| name.split(':').next().unwrap().to_owned());
                expected.entry(path).or_default().extend(names);
            }
        }
        let installed = dpkg("dpkg-query", &["-W", "-f", "${Package} ${Version} ${Architecture}\\n"]);
        let installed: BTreeSet<&str> = installed.lines().collect();

        let db = PackageDb::open(None);
        for library in &libraries {
            match (db.owner(library), expected.get(library)) {
                (None, None) => {}
                (Some(owner), Some(names)) => {
                    assert!(
                        names.contains(&owner.name),
                        "{}: {owner:?}, dpkg says {names:?}",
                        library.display()
                    );
                    let package = format!("{} {} {}", owner.name, owner.version, owner.arch);
                    assert!(installed.contains(&*package), "{package} is not installed");
                    assert!(owner.purl.contains(&format!("?arch={}&distro=", owner.arch)), "{}", owner.purl);
                }
                (ours, theirs) => panic!("{}: {ours:?}, dpkg says {theirs:?}", library.display()),
            }
        }
        assert!(
            expected.len() > 100,
            "only {} of {} libraries have a package",
            expected.len(),
            libraries.len()
        );
    }

    /// A sysroot with merged `/usr`, a diversion by a package and one by the administrator.
    #[test]
    fn merged_directories_architectures_and_diversions() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        put("usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
        put(
            "var/lib/dpkg/status",
            "Package: libz\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nSource: zlib (1:1.2)\n\
             Version: 1:1.2+b1\nDescription: x\n Version: 9\n\nPackage: libz\nArchitecture: arm64\nVersion: 1:1.3\n\n\
             Package: gl\nStatus: deinstall ok config-files\nArchitecture: i386\nVersion: 2\n\n\
             Package: gl\nArchitecture: amd64\nVersion: 3\n\nPackage: nvidia\nArchitecture: amd64\nVersion: 4\n",
        );
        put("var/lib/dpkg/info/libz:amd64.list", "/.\n/lib\n/lib/libz.so.1.2\n/lib/libm.so.6\n");
        put("var/lib/dpkg/info/libz:arm64.list", "/lib/aarch64/libz.so.1.3\n");
        put("var/lib/dpkg/info/gl.list", "/usr/lib/libGL.so.1\n");
        put("var/lib/dpkg/info/nvidia.list", "/usr/lib/libGL.so.1\n");
        put("var/lib/dpkg/info/unknown.list", "/usr/lib/unknown.so\n");
        put(
            "var/lib/dpkg/diversions",
            "/usr/lib/libGL.so.1\n/usr/lib/diverted/libGL.so.1\nnvidia\n/lib/libm.so.6\n/lib/libm.so.6.orig\n:\n/half\n",
        );
        #[cfg(unix)]
        fs_err::os::unix::fs::symlink("usr/lib", root.join("lib")).unwrap();

        let db = PackageDb::open(Some(&root));
        let owner = |path: &str| db.owner(&root.join(path)).map(|owner| owner.purl);
        let libz = "pkg:deb/debian/libz@1:1.2%2Bb1?arch=amd64&distro=debian-12&upstream=zlib%401:1.2";
        assert_eq!(owner("lib/libz.so.1.2").unwrap(), libz);
        #[cfg(unix)]
        assert_eq!(owner("usr/lib/libz.so.1.2").unwrap(), libz);
        assert!(owner("lib/aarch64/libz.so.1.3").unwrap().contains("@1:1.3?arch=arm64"));
        assert!(owner("usr/lib/libGL.so.1").unwrap().contains("/nvidia@4"));
        assert!(owner("usr/lib/diverted/libGL.so.1").unwrap().contains("/gl@3"));
        assert_eq!(owner("lib/libm.so.6"), None, "the administrator's own");
        assert_eq!(owner("lib/libm.so.6.orig").unwrap(), libz);
        assert_eq!(owner("usr/lib/unknown.so"), None);
        assert_eq!(owner(""), None);
    }
}
