//! A directory that appears whole or not at all.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::{Fs, Kind};
use super::hidden::Hidden;
use super::manifest::{self, Content, MANIFEST};
use super::real::Real;
use super::states::{Delivered, Placed};
use super::sweep;
use crate::output::failed;
use crate::{Error, PackagePath, Result};

/// A directory that appears whole or not at all. Until then it is a hidden one beside its place; dropping it leaves
/// nothing.
///
/// It may take the place of an empty directory or of an earlier bundle, which `.spokeshave-bundle` in it tells: a list of
/// the files that a bundle put there, one relative path a line, sorted.
#[derive(Debug)]
pub struct Tree {
    // Fields are dropped in this order: the directory first, then those that were made for it.
    hidden: Hidden,
    parents: Parents,
    fs: Arc<dyn Fs>,
    /// As the user named it.
    given: PathBuf,
    out: PathBuf,
    /// That of the directory whose place it takes.
    mode: Option<u32>,
    files: BTreeSet<PackagePath>,
    dirs: BTreeSet<PackagePath>,
    warnings: Vec<String>,
}

impl Tree {
    /// Begins a directory that is to become `out`. Directories above it are made.
    ///
    /// # Errors
    /// When `out` holds what no earlier bundle put there, or nothing can be written beside it.
    pub fn create(out: &Path) -> Result<Self> {
        Self::create_on(Arc::new(Real), out)
    }

    pub(super) fn create_on(fs: Arc<dyn Fs>, given: &Path) -> Result<Self> {
        let failed = |error: &io::Error| failed("can't be created", error, given);
        let mut parents = Parents { fs: Arc::clone(&fs), made: Vec::new() };
        let (out, there) = match fs.real_path(given) {
            Ok(real) => (real, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (parents.make(given)?, false),
            Err(error) => return Err(failed(&error)),
        };
        let mode = if there { Some(replaceable(&*fs, &out, given)?) } else { None };
        let warnings = sweep::hidden(&fs, &out);
        let hidden = Hidden::create(&fs, &out).map_err(|error| failed(&error))?;
        let dirs = BTreeSet::from([PackagePath::root()]);
        let given = given.to_path_buf();
        Ok(Tree { hidden, parents, fs, given, out, mode, files: BTreeSet::new(), dirs, warnings })
    }

    /// Writes a new file with these permission bits.
    ///
    /// # Errors
    /// When there is one at that place, or it can't be written.
    pub fn write(&mut self, at: &PackagePath, bytes: &[u8], mode: u32) -> Result<()> {
        let path = self.reserve(at)?;
        self.put(&path, bytes, mode).map_err(|error| self.failed(at, &error))
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let file = self.fs.create(path)?;
        self.fs.write(&file, bytes)?;
        self.fs.set_mode(&file, mode & 0o777)?;
        self.fs.sync(&file)
    }

    /// Where a new file is to be made now, which is in the bundle then.
    pub(super) fn reserve(&mut self, at: &PackagePath) -> Result<PathBuf> {
        let refuse = |what: &str| Error::new(what).at(at);
        if at.as_str().chars().any(char::is_control) || at.as_str() == MANIFEST {
            return Err(refuse("no file in a bundle may have this name").into());
        }
        if !self.files.insert(at.clone()) {
            return Err(refuse("two files of the bundle have this name")
                .hint("give one another name")
                .into());
        }
        self.make_dirs(&at.parent()).map_err(|error| self.failed(at, &error))?;
        Ok(self.hidden.path().join(at.as_str()))
    }

    fn make_dirs(&mut self, dir: &PackagePath) -> io::Result<()> {
        if self.dirs.contains(dir) {
            return Ok(());
        }
        self.make_dirs(&dir.parent())?;
        self.fs.make_dir(&self.hidden.path().join(dir.as_str()), 0o777)?;
        self.dirs.insert(dir.clone());
        Ok(())
    }

    /// The error for a file that can't be written.
    pub(super) fn failed(&self, at: &PackagePath, error: &io::Error) -> anyhow::Error {
        failed("can't be written", error, &self.given.join(at.as_str()))
    }

    /// Makes the directory appear.
    ///
    /// # Errors
    /// When an origin changed since it was staged, or the directory can't be put in place.
    pub fn finish(mut self, placed: Vec<Placed>) -> Result<Delivered> {
        // 1. The list, complete or not there, and everything on the disk.
        self.seal().map_err(|error| failed("can't be written", &error, &self.given))?;

        // 2. What was read is still what stands there.
        let origins: Vec<_> = placed.into_iter().map(|Placed(origin)| origin).collect();
        for origin in &origins {
            origin.check("since it was staged")?;
        }

        // 3. It appears.
        let old = self.appear()?;
        self.hidden.give_away();
        self.parents.made.clear();
        // It is there whether or not the directory above can be synced (some file systems can't).
        let _ = self.sync_dir(self.out.parent().unwrap_or(Path::new("/")));
        Ok(Delivered { origins, old, warnings: std::mem::take(&mut self.warnings) })
    }

    fn seal(&self) -> io::Result<()> {
        let root = self.hidden.path();
        let unfinished = root.join(format!("{MANIFEST}.new"));
        self.put(&unfinished, manifest::text(&self.files).as_bytes(), 0o644)?;
        self.fs.rename(&unfinished, &root.join(MANIFEST))?;
        self.mode.map_or(Ok(()), |mode| self.hidden.set_mode(mode))?;
        self.dirs.iter().rev().try_for_each(|dir| self.sync_dir(&root.join(dir.as_str())))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        #[cfg(unix)]
        self.fs.sync(&self.fs.open(dir)?)?;
        let _ = dir;
        Ok(())
    }

    /// Puts it in its place; gives back what stood there, which stands beside it now.
    fn appear(&self) -> Result<Option<Hidden>> {
        // Where there is nothing or an empty directory.
        match self.fs.rename(self.hidden.path(), &self.out) {
            Ok(()) => return Ok(None),
            Err(error) if is_occupied(&error) => {}
            Err(error) => return Err(self.not_placed(&error)),
        }
        replaceable(&*self.fs, &self.out, &self.given)?;
        // A lock keeps sweeps away from the old one while it stands beside the new one.
        let lock = self.fs.open(&self.out).ok().filter(|dir| self.fs.try_lock(dir).unwrap_or(false));
        let aside = match self.fs.exchange(self.hidden.path(), &self.out) {
            Ok(()) => self.hidden.path().to_path_buf(),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.replace()?,
            Err(error) => return Err(self.not_placed(&error)),
        };
        Ok(Some(Hidden::adopt(&self.fs, aside, lock)))
    }

    /// Where two directories can't change places in one step: the old one is renamed away, and back if need be.
    fn replace(&self) -> Result<PathBuf> {
        let aside = Hidden::name(&self.out);
        self.fs.rename(&self.out, &aside).map_err(|error| self.not_placed(&error))?;
        let Err(error) = self.fs.rename(self.hidden.path(), &self.out) else { return Ok(aside) };
        match self.fs.rename(&aside, &self.out) {
            Ok(()) => Err(self.not_placed(&error)),
            Err(_) => Err(Error::new(format!("can't be put in place: {error}"))
                .at(self.given.display())
                .hint(format!("the earlier bundle is at {}: move it back", aside.display()))
                .into()),
        }
    }

    fn not_placed(&self, error: &io::Error) -> anyhow::Error {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => mount_point(&self.given).into(),
            _ => failed("can't be put in place", error, &self.given),
        }
    }
}

fn is_occupied(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, PermissionDenied};
    let kind = error.kind();
    matches!(kind, DirectoryNotEmpty | AlreadyExists) || cfg!(windows) && kind == PermissionDenied
}

fn mount_point(out: &Path) -> Error {
    Error::new("is a mount point, which no new directory can take the place of")
        .at(out.display())
        .hint("name a directory inside it")
}

/// Whether the directory `out` may be replaced; its permission bits.
fn replaceable(fs: &dyn Fs, out: &Path, given: &Path) -> Result<u32> {
    let failed = |error: io::Error| failed("can't be looked at", &error, given);
    let stat = fs.stat(out).map_err(failed)?;
    if stat.kind != Kind::Dir {
        return Err(Error::new("is no directory").at(given.display()).hint("name a directory").into());
    }
    let parent = out.parent().ok_or_else(|| mount_point(given))?;
    if fs.stat(parent).map_err(failed)?.identity.inode.device != stat.identity.inode.device {
        return Err(mount_point(given).into());
    }
    if let Content::Stranger(name) = manifest::content(fs, out).map_err(failed)? {
        return Err(Error::new(format!("holds `{name}`, which no earlier bundle put there"))
            .at(given.display())
            .hint("name another directory, or remove what is in it")
            .into());
    }
    Ok(stat.identity.mode)
}

/// Directories that were made so that the deliverable has a place; dropped while it is not there, they go again.
#[derive(Debug)]
struct Parents {
    fs: Arc<dyn Fs>,
    /// The outermost first.
    made: Vec<PathBuf>,
}

impl Parents {
    /// Makes those above `out`, where nothing is; gives back its real path.
    fn make(&mut self, out: &Path) -> Result<PathBuf> {
        let failed = |error: &io::Error| failed("can't be created", error, out);
        let Some(name) = out.file_name() else { return Err(failed(&io::ErrorKind::NotFound.into())) };
        if self.fs.stat(out).is_ok() {
            return Err(Error::new("is a symbolic link that leads nowhere").at(out.display()).into());
        }
        let parent = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.make_all(parent).map_err(|error| failed(&error))?;
        Ok(self.fs.real_path(parent).map_err(|error| failed(&error))?.join(name))
    }

    fn make_all(&mut self, dir: &Path) -> io::Result<()> {
        match self.fs.make_dir(dir, 0o777) {
            Ok(()) => self.made.push(dir.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_all(dir.parent().ok_or(error)?)?;
                match self.fs.make_dir(dir, 0o777) {
                    Ok(()) => self.made.push(dir.to_path_buf()),
                    // `new/..` was there as soon as `new` was.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            // What is no directory shows when something is made in it.
            Err(error) => match self.fs.real_path(dir) {
                Ok(_) => {}
                Err(_) => return Err(error),
            },
        }
        Ok(())
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        while let Some(dir) = self.made.pop() {
            // Not empty: somebody else uses it by now.
            let _ = self.fs.remove_dir(&dir);
        }
    }
}
