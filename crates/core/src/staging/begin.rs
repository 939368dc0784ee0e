//! Staging: open, lock, remember, hold.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fs::{Fs, Identity, Inode, Kind};
use super::guard::{Guard, Private};
use super::hidden::Hidden;
use super::real::Real;
use super::snapshot::{Snapshot, fill};
use super::states::{Origin, Staged};
use super::sweep::{self, HOLDS, LINK};
use crate::{Error, Event, EventSink, Result};

/// So often a build may replace an origin while it is being staged.
const ATTEMPTS: usize = 8;
/// Coarser than the clock of any file system that tells nanoseconds: a file written later has another time.
const TICK: Duration = Duration::from_millis(12);

/// Stages `origins` for a deliverable at `out`, one state for each in the same order. Another run that has one of them
/// staged is waited for, and `events` is told. Two paths may lead to one inode. All origins of a deliverable are staged by
/// one call: a thread that has one staged already could wait for itself.
///
/// # Errors
/// When an origin can't be read, is no regular file, or is replaced again and again meanwhile.
pub fn stage(origins: &[PathBuf], out: &Path, events: &dyn EventSink) -> Result<Vec<Staged>> {
    stage_on(&(Arc::new(Real) as Arc<dyn Fs>), origins, out, events)
}

pub(super) fn stage_on(
    fs: &Arc<dyn Fs>,
    origins: &[PathBuf],
    out: &Path,
    events: &dyn EventSink,
) -> Result<Vec<Staged>> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match (Stage { fs, out, events }).attempt(origins)? {
            Attempt::Staged(staged) => return Ok(staged),
            Attempt::Replaced(origin) => last = Some(origin),
        }
    }
    let error = Error::new("is written again and again while it is staged")
        .hint("let the build finish, then run this again");
    Err(match last {
        Some(origin) => error.at(origin.display()),
        None => error,
    }
    .into())
}

enum Attempt {
    Staged(Vec<Staged>),
    /// A build replaced or wrote this one meanwhile.
    Replaced(PathBuf),
}

struct Stage<'a> {
    fs: &'a Arc<dyn Fs>,
    out: &'a Path,
    events: &'a dyn EventSink,
}

/// An inode that was opened: by this path first.
struct Opened<'a> {
    given: &'a Path,
    real: PathBuf,
    file: File,
    locked: bool,
}

impl Stage<'_> {
    fn attempt(&self, origins: &[PathBuf]) -> Result<Attempt> {
        // 1. Open. Two paths of one inode share a descriptor, since a lock belongs to a descriptor.
        let mut paths = Vec::new();
        let mut inodes = BTreeMap::new();
        for given in origins {
            let (real, file, inode) = self.open(given).map_err(|error| unusable(given, &error))?;
            if let Entry::Vacant(slot) = inodes.entry(inode) {
                slot.insert(Opened { given, real: real.clone(), file, locked: false });
            }
            paths.push((given, real, inode));
        }

        // 2. Lock, all runs in one order.
        for opened in inodes.values_mut() {
            opened.locked = self.lock(opened)?;
        }

        // 3. Whoever was waited for may have seen another build than stands there now.
        for (given, real, inode) in &paths {
            match self.fs.stat(real) {
                Ok(stat) if stat.kind == Kind::File && stat.identity.inode == *inode => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(given, &error)),
                _ => return Ok(Attempt::Replaced(given.to_path_buf())),
            }
        }

        // 4. Sweep while we have no link of our own there.
        let ours = inodes.iter().map(|(inode, opened)| (*inode, opened.locked)).collect();
        let mut dirs: Vec<&Path> = paths.iter().filter_map(|(_, real, _)| real.parent()).collect();
        dirs.sort();
        dirs.dedup();
        dirs.iter().for_each(|dir| sweep::links(&**self.fs, dir, &ours));

        // 5. Remember and hold.
        let mut guards = BTreeMap::new();
        for (inode, opened) in inodes {
            let given = opened.given;
            match self.hold(opened).map_err(|error| unusable(given, &error))? {
                Some(guard) => guards.insert(inode, Arc::new(guard)),
                None => return Ok(Attempt::Replaced(given.to_path_buf())),
            };
        }
        let staged = paths.into_iter().filter_map(|(given, real, inode)| {
            let guard = Arc::clone(guards.get(&inode)?);
            Some(Staged::new(Origin { given: given.clone(), real, guard }))
        });
        Ok(Attempt::Staged(staged.collect()))
    }

    fn open(&self, given: &Path) -> io::Result<(PathBuf, File, Inode)> {
        let real = self.fs.real_path(given)?;
        // Opening a device may do something; so look first.
        let regular = |kind| match kind {
            Kind::File => Ok(()),
            Kind::Dir => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Kind::Other => Err(io::Error::other("it is no regular file")),
        };
        regular(self.fs.stat(&real)?.kind)?;
        let file = self.fs.open(&real)?;
        let stat = self.fs.fstat(&file, &real)?;
        regular(stat.kind)?;
        Ok((real, file, stat.identity.inode))
    }

    /// Locks it; `false` where the file system knows no locks.
    fn lock(&self, opened: &Opened<'_>) -> Result<bool> {
        match self.fs.try_lock(&opened.file) {
            Ok(true) => return Ok(true),
            Ok(false) => self.events.event(Event::Waiting { path: opened.given.to_path_buf() }),
            Err(_) => return Ok(false),
        }
        match self.fs.lock(&opened.file) {
            Ok(()) => Ok(true),
            // A host that refuses to wait.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Deadlock) => {
                Err(unusable(opened.given, &error))
            }
            Err(_) => Ok(false),
        }
    }

    /// A reflink beside the origin, else a link, else a copy at the deliverable's side. `None` when the origin was
    /// replaced or written meanwhile.
    fn hold(&self, opened: Opened<'_>) -> io::Result<Option<Guard>> {
        let Opened { real, file, locked, .. } = opened;
        let identity = self.settled(&file, &real)?;
        let mut snapshot = Snapshot { fs: Arc::clone(self.fs), path: real, file, identity, private: None };

        if let Some(private) = self.reflink(&snapshot) {
            snapshot.private = Some(private);
            let guard = Guard::mirrored(snapshot, Private::Nameless, locked);
            return Ok(guard.snapshot.unchanged()?.then_some(guard));
        }
        match self.link(&snapshot) {
            Ok(link) => {
                let same = self.fs.stat(&link).map(|stat| stat.identity.inode == identity.inode);
                let guard = Guard::linked(snapshot, link, locked);
                return Ok((same? && guard.snapshot.unchanged()?).then_some(guard));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => {}
        }
        let copied = self.copy(&snapshot);
        if !snapshot.unchanged()? {
            return Ok(None);
        }
        let (private, at) = copied?;
        snapshot.private = Some(private);
        Ok(Some(Guard::mirrored(snapshot, at, locked)))
    }

    /// Its identity, when its time is so old that a later write can't have the same.
    fn settled(&self, file: &File, real: &Path) -> io::Result<Identity> {
        let identity = self.fs.fstat(file, real)?.identity;
        let (seconds, nanoseconds) = identity.mtime;
        let mtime = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
        let written = mtime.and_then(|(s, n)| UNIX_EPOCH.checked_add(Duration::new(s, n)));
        let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
        match age.and_then(|age| TICK.checked_sub(age)) {
            Some(left) => {
                std::thread::sleep(left);
                Ok(self.fs.fstat(file, real)?.identity)
            }
            None => Ok(identity),
        }
    }

    fn reflink(&self, snapshot: &Snapshot) -> Option<File> {
        let private = self.fs.nameless(snapshot.path.parent()?).ok()?;
        self.fs.reflink(&snapshot.file, &private).ok()?;
        Some(private)
    }

    /// A further name in `.spokeshave/`.
    fn link(&self, snapshot: &Snapshot) -> io::Result<PathBuf> {
        let dir = snapshot.path.parent().unwrap_or(Path::new(".")).join(HOLDS);
        for attempt in 0..ATTEMPTS {
            match self.fs.make_dir(&dir, 0o700) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.fs.stat(&dir) {
                    Ok(stat) if stat.kind == Kind::Dir && stat.ours => {}
                    Ok(_) => return Err(error),
                    // Another run took it away.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
                other => other?,
            }
            let link = Hidden::unique(&dir, LINK);
            match self.fs.link(&snapshot.path, &link) {
                Ok(()) => return Ok(link),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _ = self.fs.remove_dir(&dir);
                    let gone = error.kind() == io::ErrorKind::NotFound;
                    if !gone || attempt + 1 == ATTEMPTS {
                        return Err(error);
                    }
                }
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// A copy at the deliverable's side, that it can become.
    fn copy(&self, snapshot: &Snapshot) -> io::Result<(File, Private)> {
        let fs = &**self.fs;
        let out = self.existing_side();
        let (file, at) = match fs.nameless(out.parent().unwrap_or(Path::new("."))) {
            Ok(file) => (file, Private::Nameless),
            Err(_) => {
                let hidden = Hidden::create(self.fs, &out)?;
                let path = hidden.path().join("copy");
                (fs.create(&path)?, Private::Named(path, hidden))
            }
        };
        fill(fs, &snapshot.file, &file, snapshot.identity.size)?;
        Ok((file, at))
    }

    /// The deliverable's real path, or as much of it as can be a name in a directory that is there.
    fn existing_side(&self) -> PathBuf {
        let out = self.fs.real_path(self.out).unwrap_or_else(|_| self.out.to_path_buf());
        let side = out.ancestors().find_map(|out| {
            let parent = match out.parent()? {
                parent if parent.as_os_str().is_empty() => Path::new("."),
                parent => parent,
            };
            Some(self.fs.real_path(parent).ok()?.join(out.file_name().unwrap_or_default()))
        });
        side.unwrap_or(out)
    }
}

fn unusable(origin: &Path, error: &io::Error) -> anyhow::Error {
    let text = match error.kind() {
        io::ErrorKind::NotFound => "not found".to_owned(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Deadlock => "another run has it staged".to_owned(),
        _ => format!("can't be staged: {error}"),
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "build it first",
        io::ErrorKind::PermissionDenied => "let the user that runs this read it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room where the output goes, or choose another output directory"
        }
        io::ErrorKind::IsADirectory => "name a program or a library",
        _ => "it was not touched; try again",
    };
    Error::new(text).at(origin.display()).hint(hint).into()
}
