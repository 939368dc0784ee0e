//! Removes what runs that were killed left.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Fs, Inode, Kind};
use super::hidden::{self, Hidden};

/// The directory beside an origin in which links are held.
pub(super) const HOLDS: &str = ".spokeshave";
/// How a link's name begins.
pub(super) const LINK: &str = "link-";

/// Removes links of dead runs from `.spokeshave/` in `dir`. A live one's are locked; those that lead to an inode that
/// we locked ourselves (`true` in `ours`) are of a dead one, since we have made none yet.
pub(super) fn links(fs: &dyn Fs, dir: &Path, ours: &BTreeMap<Inode, bool>) {
    let holds = dir.join(HOLDS);
    if !fs.stat(&holds).is_ok_and(|stat| stat.kind == Kind::Dir && stat.ours) {
        return;
    }
    for name in fs.list(&holds).unwrap_or_default() {
        let path = holds.join(&name);
        // What can't be removed does no harm and is tried again by the next run.
        if is_link_name(&name.to_string_lossy()) && is_dead(fs, &path, ours).unwrap_or(false) {
            let _ = fs.unlink(&path);
        }
    }
    let _ = fs.remove_dir(&holds);
}

fn is_link_name(name: &str) -> bool {
    name.strip_prefix(LINK).is_some_and(is_unique)
}

fn is_unique(unique: &str) -> bool {
    !unique.is_empty() && unique.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_dead(fs: &dyn Fs, path: &Path, ours: &BTreeMap<Inode, bool>) -> io::Result<bool> {
    let stat = fs.stat(path)?;
    if stat.kind != Kind::File {
        return Ok(false);
    }
    match ours.get(&stat.identity.inode) {
        Some(locked) => Ok(*locked),
        None => fs.try_lock(&fs.open(path)?),
    }
}

/// Removes hidden directories that dead runs left beside `out`; says what could not be removed.
pub(super) fn hidden(fs: &Arc<dyn Fs>, out: &Path) -> Vec<String> {
    let prefix = Hidden::prefix(out);
    let Some(parent) = out.parent() else { return Vec::new() };
    let names = fs.list(parent).unwrap_or_default();
    let ours = |name: &str| name.strip_prefix(&prefix).is_some_and(is_unique);
    let names = names.iter().filter(|name| name.to_str().is_some_and(ours));
    names.filter_map(|name| remove_dead(&**fs, parent.join(name))).collect()
}

fn remove_dead(fs: &dyn Fs, path: PathBuf) -> Option<String> {
    let stat = fs.stat(&path).ok().filter(|stat| stat.kind == Kind::Dir && stat.ours)?;
    let dir = fs.open(&path).ok()?;
    if !fs.try_lock(&dir).unwrap_or(false) {
        return None;
    }
    // It may be another run's deliverable by now.
    let same = fs.stat(&path).is_ok_and(|now| now.identity.inode == stat.identity.inode);
    let error = if same { hidden::remove(fs, &path).err()? } else { return None };
    Some(format!("{}: what an earlier run left can't be removed: {error}", path.display()))
}
