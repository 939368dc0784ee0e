//! The list of a bundle's files, by which a later bundle knows that it may take its place.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::fs::{Fs, Kind};
use crate::PackagePath;

/// Its name at the bundle's root. There is one only in a bundle that is complete.
pub(super) const MANIFEST: &str = ".spokeshave-bundle";
/// More than this is no list of ours.
const MAX_SIZE: u64 = 64 << 20;

/// The files of the bundle in `dir`: one relative path a line. `None` when no list is there or it is none of ours.
fn read(fs: &dyn Fs, dir: &Path) -> io::Result<Option<BTreeSet<PackagePath>>> {
    let path = dir.join(MANIFEST);
    let stat = match fs.stat(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if stat.kind != Kind::File || stat.identity.size > MAX_SIZE {
        return Ok(None);
    }
    let bytes = fs.read(&fs.open(&path)?, stat.identity.size)?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    Ok(text.lines().map(|line| PackagePath::new(line).ok()).collect())
}

/// What stands in `dir`.
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// What a bundle put there, or some of it.
    Bundle,
    /// Something else too; this is the first of it.
    Stranger(String),
}

/// Looks through `dir`; what is a symbolic link is not followed.
pub(super) fn content(fs: &dyn Fs, dir: &Path) -> io::Result<Content> {
    let names = fs.list(dir)?;
    let Some(first) = names.first() else { return Ok(Content::Empty) };
    let Some(files) = read(fs, dir)? else {
        let first = names.iter().find(|name| *name != MANIFEST).unwrap_or(first);
        return Ok(Content::Stranger(first.to_string_lossy().into_owned()));
    };
    Ok(stranger(fs, dir, "", &files)?.map_or(Content::Bundle, Content::Stranger))
}

/// The first file in `dir` that is not of the bundle there; `None` too when there is no bundle.
pub(super) fn stranger_if_bundle(fs: &dyn Fs, dir: &Path) -> io::Result<Option<String>> {
    match read(fs, dir)? {
        Some(files) => stranger(fs, dir, "", &files),
        None => Ok(None),
    }
}

fn stranger(
    fs: &dyn Fs,
    dir: &Path,
    prefix: &str,
    files: &BTreeSet<PackagePath>,
) -> io::Result<Option<String>> {
    for name in fs.list(dir)? {
        let path = dir.join(&name);
        let relative = format!("{prefix}{}", name.to_string_lossy());
        let known = PackagePath::new(&relative).ok();
        if fs.stat(&path)?.kind == Kind::Dir {
            let below = format!("{relative}/");
            if !known.is_some_and(|dir| files.iter().any(|file| *file != dir && file.is_below(&dir))) {
                return Ok(Some(below));
            }
            if let Some(found) = stranger(fs, &path, &below, files)? {
                return Ok(Some(found));
            }
        } else if !known.is_some_and(|file| files.contains(&file)) && relative != MANIFEST {
            return Ok(Some(relative));
        }
    }
    Ok(None)
}

/// The list as text.
pub(super) fn text(files: &BTreeSet<PackagePath>) -> String {
    files.iter().map(|file| format!("{file}\n")).collect()
}
