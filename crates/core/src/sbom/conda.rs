//! conda's environments: `conda-meta` in the prefix has a JSON record for each package, with its files; see
//! <https://docs.conda.io/projects/conda/en/latest/user-guide/concepts/pkg-specs.html> and
//! <https://conda.github.io/rattler/py-rattler/prefix_record>.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::database::{Database, Indexed, Package, PathIndex, read_file};
use crate::{Files, Location};

/// All environments below the sysroot, wherever they are. Nothing is read yet.
pub(super) fn open(files: &Files) -> Box<dyn Database> {
    Box::new(Conda { files: files.clone(), prefixes: Mutex::default() })
}

struct Conda {
    files: Files,
    /// What was read, by the directory; `None` where there is no environment.
    prefixes: Mutex<BTreeMap<String, Option<Arc<Indexed>>>>,
}

/// What is read of a record.
#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    #[serde(default)]
    build: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    subdir: String,
    #[serde(default)]
    license: Option<String>,
    #[serde(default)]
    files: Vec<String>,
}

impl Database for Conda {
    fn owner(&self, paths: &[Vec<u8>]) -> Option<Package> {
        let path = str::from_utf8(paths.first()?).ok()?;
        let mut prefix = path;
        while let Some((parent, _)) = prefix.rsplit_once('/') {
            prefix = parent;
            if let Some(found) = self.prefix(prefix).and_then(|environment| environment.owner(paths)) {
                return Some(found);
            }
        }
        None
    }
}

impl Conda {
    fn prefix(&self, prefix: &str) -> Option<Arc<Indexed>> {
        let mut known = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(prefix.to_owned()).or_insert_with(|| self.read(prefix)).clone()
    }

    fn read(&self, prefix: &str) -> Option<Arc<Indexed>> {
        let records = format!("{prefix}/conda-meta");
        let dir = Location::Host(self.files.in_sysroot(&records));
        if !self.files.is_dir(&dir) {
            return None;
        }
        let (mut packages, mut index) = (Vec::new(), PathIndex::default());
        for name in self.files.list(&dir).iter().filter(|name| name.ends_with(".json")) {
            let text = read_file(&self.files, &format!("{records}/{name}"));
            let Some(record) = text.and_then(|text| serde_json::from_slice::<Record>(&text).ok()) else {
                continue;
            };
            for file in &record.files {
                index.insert(&[prefix.as_bytes(), b"/", file.as_bytes()], packages.len());
            }
            packages.push(record.package());
        }
        Some(Arc::new(Indexed { packages, index: index.finish() }))
    }
}

impl Record {
    fn package(self) -> Package {
        // A name, or the address of the directory for the platform.
        let channel =
            self.channel.trim_end_matches('/').trim_end_matches(&*self.subdir).trim_end_matches('/');
        let channel = channel.rsplit('/').next().unwrap_or_default().to_owned();
        Package {
            kind: "conda",
            name: self.name,
            version: self.version,
            license: self.license.unwrap_or_default(),
            own: Some((
                String::new(),
                vec![("build", self.build), ("channel", channel), ("subdir", self.subdir)],
            )),
            ..Package::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PackageDb;

    #[test]
    fn files_of_an_environment() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let meta = root.join("opt/conda/envs/build/conda-meta");
        fs_err::create_dir_all(&meta).unwrap();
        fs_err::write(
            meta.join("libzlib-1.3.1-h8359307_2.json"),
            r#"{"name": "libzlib", "version": "1.3.1", "build": "h8359307_2", "subdir": "osx-arm64", "license": "Zlib",
                "channel": "https://conda.anaconda.org/conda-forge/osx-arm64", "files": ["lib/libz.1.3.1.dylib"]}"#,
        )
        .unwrap();
        fs_err::write(
            meta.join("mine-2-0.json"),
            r#"{"name": "mine", "version": "2", "channel": "main", "license": null, "files": ["lib/libmine.dylib"]}"#,
        )
        .unwrap();
        fs_err::write(meta.join("damaged-1-0.json"), r#"{"name": "damaged", "files": ["lib/libno.dylib"]"#)
            .unwrap();
        fs_err::write(meta.join("history"), "==> 2024 <==\n").unwrap();
        let db = PackageDb::open(Some(root));
        let owner = |path: &str| db.owner(&root.join(format!("opt/conda/envs/build/{path}")));
        let zlib = owner("lib/libz.1.3.1.dylib").unwrap();
        assert_eq!(
            (&*zlib.name, &*zlib.version, zlib.license.as_deref()),
            ("libzlib", "1.3.1", Some("Zlib"))
        );
        assert_eq!(
            zlib.purl,
            "pkg:conda/libzlib@1.3.1?build=h8359307_2&channel=conda-forge&subdir=osx-arm64"
        );
        let mine = owner("lib/libmine.dylib").unwrap();
        assert_eq!((&*mine.purl, mine.license), ("pkg:conda/mine@2?channel=main", None));
        assert_eq!(owner("lib/libno.dylib"), None);
        assert_eq!(owner("lib/libother.dylib"), None);
    }
}
