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
