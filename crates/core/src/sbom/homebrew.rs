//! Homebrew's Cellar: each version of a formula lies in a directory of its own, with `INSTALL_RECEIPT.json` in it; see
//! <https://docs.brew.sh/Formula-Cookbook#homebrew-terminology>.

use serde_json::Value;

use super::database::{Database, Package, read_file};
use crate::Files;

/// All Cellars below the sysroot, wherever they are. Nothing is read yet.
pub(super) fn open(files: &Files) -> Box<dyn Database> {
    Box::new(Homebrew { files: files.clone() })
}

struct Homebrew {
    files: Files,
}

impl Database for Homebrew {
    fn owner(&self, paths: &[Vec<u8>]) -> Option<Package> {
        paths.iter().find_map(|path| self.keg(str::from_utf8(path).ok()?))
    }
}

impl Homebrew {
    /// The formula that a path below `Cellar/NAME/VERSION` belongs to.
    fn keg(&self, path: &str) -> Option<Package> {
        let (prefix, rest) = path.split_once("/Cellar/")?;
        let mut parts = rest.splitn(3, '/');
        let (name, version, _) = (parts.next()?, parts.next()?, parts.next()?);
        let receipt =
            read_file(&self.files, &format!("{prefix}/Cellar/{name}/{version}/INSTALL_RECEIPT.json"))?;
        let receipt: Value = serde_json::from_slice(&receipt).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // The tap that a package URL means if it names none.
        let tap = Some(text(&receipt["source"]["tap"])).filter(|tap| tap != "homebrew/core");
        Some(Package {
            kind: "brew",
            name: name.to_owned(),
            version: version.to_owned(),
            arch: text(&receipt["arch"]),
            own: Some((tap.unwrap_or_default(), Vec::new())),
            ..Package::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::PackageDb;

    #[test]
    fn what_lies_in_a_keg() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (keg, receipt) in [
            (
                "opt/homebrew/Cellar/openssl@3/3.4.0_1",
                r#"{"arch": "arm64", "source": {"tap": "homebrew/core"}}"#,
            ),
            ("usr/local/Cellar/mine/1.0", r#"{"source": {"tap": "some/tap"}}"#),
            ("usr/local/Cellar/damaged/1.0", "{"),
        ] {
            fs_err::create_dir_all(root.join(keg)).unwrap();
            fs_err::write(root.join(keg).join("INSTALL_RECEIPT.json"), receipt).unwrap();
        }
        let db = PackageDb::open(Some(root));
        let owner = |path: &str| db.owner(&root.join(path));
        let ssl = owner("opt/homebrew/Cellar/openssl@3/3.4.0_1/lib/libssl.3.dylib").unwrap();
        assert_eq!((&*ssl.name, &*ssl.version), ("openssl@3", "3.4.0_1"));
        assert_eq!(ssl.purl, "pkg:brew/openssl%403@3.4.0_1?arch=arm64");
        let mine = owner("usr/local/Cellar/mine/1.0/lib/libmine.dylib").unwrap();
        assert_eq!(mine.purl, "pkg:brew/some/tap/mine@1.0");
        for path in ["usr/local/Cellar/damaged/1.0/lib/a", "usr/local/Cellar/none/1.0/a", "usr/local/lib/a"] {
            assert_eq!(owner(path), None, "{path}");
        }
    }
}
