//! dpkg's database (Debian, Ubuntu): `/var/lib/dpkg`, see deb-control(5) and dpkg(1).

use std::collections::HashMap;

use super::database::{Database, Diversion, Kind, Package, PathIndex, read_file};
use crate::Files;

/// `None` when there is none.
pub(super) fn read(files: &Files) -> Option<Database> {
    let (packages, by_name) = status(&read_file(files, "/var/lib/dpkg/status")?);
    let mut index = PathIndex::default();
    let lists = fs_err::read_dir(files.real_path(&files.in_sysroot("/var/lib/dpkg/info"))?).ok()?;
    for entry in lists.flatten() {
        let name = entry.file_name();
        let Some(&package) = name.to_str().and_then(|name| by_name.get(name.strip_suffix(".list")?)) else {
            continue;
        };
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(list) = fs_err::read(entry.path()) else { continue };
        list.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .for_each(|line| index.insert(&[line], package));
    }
    let diversions = diversions(read_file(files, "/var/lib/dpkg/diversions").as_deref().unwrap_or_default());
    Some(Database { kind: Kind::Deb, packages, index: index.finish(), diversions })
}

/// The packages of the `status` file, and where each is under the names that its file list may have: `name`, and
/// `name:arch` where several architectures can be installed together.
fn status(text: &[u8]) -> (Vec<Package>, HashMap<String, usize>) {
    let mut packages = Vec::new();
    let mut by_name = HashMap::new();
    let text = String::from_utf8_lossy(text);
    for stanza in text.split("\n\n") {
        let mut package = Package::default();
        for line in stanza.lines() {
            let Some((field, value)) = line.split_once(": ") else { continue };
            match field {
                "Package" => value.clone_into(&mut package.name),
                "Version" => value.clone_into(&mut package.version),
                "Architecture" => value.clone_into(&mut package.arch),
                "Source" => package.upstream = source(value),
                _ => {}
            }
        }
        if package.name.is_empty() {
            continue;
        }
        by_name.insert(format!("{}:{}", package.name, package.arch), packages.len());
        by_name.entry(package.name.clone()).or_insert(packages.len());
        packages.push(package);
    }
    (packages, by_name)
}

/// `curl` or `gcc-12@12.2.0-14` of the field's `gcc-12 (12.2.0-14)`.
fn source(field: &str) -> String {
    match field.split_once(" (") {
        Some((name, version)) => format!("{name}@{}", version.trim_end_matches(')')),
        None => field.to_owned(),
    }
}

/// The `diversions` file: three lines each.
fn diversions(text: &[u8]) -> Vec<Diversion> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let (triples, _) = lines.as_chunks::<3>();
    let diversion = |[from, to, by]: &[&[u8]; 3]| Diversion {
        from: from.to_vec(),
        to: to.to_vec(),
        by: String::from_utf8_lossy(by).into_owned(),
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
