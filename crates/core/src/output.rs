//! A file that appears complete or not at all.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

/// A new file beside its target; dropping it leaves nothing.
pub(crate) struct Output {
    file: Unfinished,
    target: PathBuf,
}

enum Unfinished {
    /// A file without a name, so that not even a killed process leaves one.
    #[cfg(target_os = "linux")]
    Nameless(File),
    /// Where file system or host can't do that.
    Named(NamedTempFile),
}

impl Output {
    /// Begins a file that is to become `target`, whose directory must exist.
    pub fn create(target: &Path) -> Result<Self> {
        let dir = directory(target);
        #[cfg(target_os = "linux")]
        if let Some(file) = nameless(dir) {
            return Ok(Self::nameless(file, target));
        }
        sweep(dir);
        let named = named(dir).map_err(|error| failed("can't be created", &error, target))?;
        Ok(Output { file: Unfinished::Named(named), target: target.to_path_buf() })
    }

    /// A file without a name, on the file system of `target`, is to become it.
    #[cfg(target_os = "linux")]
    pub fn nameless(file: File, target: &Path) -> Self {
        if fs_err::symlink_metadata(target).is_ok() {
            sweep(directory(target));
        }
        // So that a sweep sees that it is alive, when it gets another name first.
        let _ = file.try_lock();
        Output { file: Unfinished::Nameless(file), target: target.to_path_buf() }
    }

    pub fn file(&self) -> &File {
        match &self.file {
            #[cfg(target_os = "linux")]
            Unfinished::Nameless(file) => file,
            Unfinished::Named(named) => named.as_file(),
        }
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Asks the system to begin writing this range to disk, so that little is left for [`Output::finish`] to wait for.
    pub fn write_back(&self, range: std::ops::Range<u64>) {
        #[cfg(target_os = "linux")]
        if let Some(len) = std::num::NonZeroU64::new(range.end.saturating_sub(range.start)) {
            // Of this advice Linux takes what is dirty for an order to write it out; that it can't is no failure.
            let _ = rustix::fs::fadvise(self.file(), range.start, Some(len), rustix::fs::Advice::DontNeed);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }

    /// Makes it durable and gives it its name, in place of what had it before.
    pub fn finish(self) -> Result<()> {
        self.file().sync_all().map_err(|error| failed("can't be written", &error, &self.target))?;
        let placed = match self.file {
            #[cfg(target_os = "linux")]
            Unfinished::Nameless(file) => name(&file, &self.target),
            Unfinished::Named(named) => named.persist(&self.target).map(drop).map_err(|error| error.error),
        };
        placed.map_err(|error| failed("can't be put in place", &error, &self.target))?;
        // The file is there whether or not the directory can be synced (some file systems can't).
        #[cfg(unix)]
        let _ = fs_err::File::open(directory(&self.target)).and_then(|dir| dir.sync_all());
        Ok(())
    }
}

fn directory(target: &Path) -> &Path {
    target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

const PREFIX: &str = ".spokeshave-";
const SUFFIX: &str = ".tmp";
/// So often a file is made anew that another run's sweep took for a dead one's before it was locked.
const ATTEMPTS: usize = 16;

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As for any new file: what the umask leaves of this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// A file with a name of ours in `dir`, locked where it can be.
fn named(dir: &Path) -> io::Result<NamedTempFile> {
    for _ in 0..ATTEMPTS {
        let named = builder().tempfile_in(dir)?;
        let taken = matches!(named.as_file().try_lock(), Err(TryLockError::WouldBlock));
        if !taken && fs_err::symlink_metadata(named.path()).is_ok() {
            return Ok(named);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes files that killed runs left in `dir`: those of live ones are locked.
fn sweep(dir: &Path) {
    let entries = fs_err::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let unique = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        let ours = unique
            .is_some_and(|unique| unique.len() == 6 && unique.bytes().all(|b| b.is_ascii_alphanumeric()));
        let file = if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs_err::File::open(entry.path())
        } else {
            continue;
        };
        if file.is_ok_and(|file| file.file().try_lock().is_ok()) {
            // What can't be removed now is tried again by the next run.
            let _ = fs_err::remove_file(entry.path());
        }
    }
}

/// A file without a name in `dir`; `None` where that can't be had, or can't be named later.
#[cfg(target_os = "linux")]
fn nameless(dir: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(dir, flags, Mode::from_raw_mode(0o666)).ok()?);
    fs_err::symlink_metadata(descriptor(&file)).is_ok().then_some(file)
}

#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives a nameless file its name. A link can't replace a file, so where there is one the new file first gets
/// another name beside it.
#[cfg(target_os = "linux")]
fn name(file: &File, target: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    let link =
        |to: &Path| linkat(CWD, descriptor(file), CWD, to, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from);
    match link(target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            builder().make_in(directory(target), link)?.persist(target).map(drop).map_err(|error| error.error)
        }
        other => other,
    }
}

/// Copies the file `from` to `target`, whole or not at all. Nothing is done when they are one file.
///
/// # Errors
/// When one can't be read or the other can't be written.
pub fn copy(from: &Path, target: &Path) -> Result<()> {
    if let (Ok(a), Ok(b)) = (from.canonicalize(), target.canonicalize())
        && a == b
    {
        return Ok(());
    }
    let mut input = fs_err::File::open(from)?;
    let output = Output::create(target)?;
    std::io::copy(input.file_mut(), &mut output.file())
        .map_err(|error| failed("can't be written", &error, target))?;
    output.finish()
}

/// An I/O failure about the output, with what to do.
pub(crate) fn failed(what: &str, error: &io::Error, target: &Path) -> anyhow::Error {
    use io::ErrorKind;
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room on that file system, or choose another output directory"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose an output directory that you may write to"
        }
        ErrorKind::NotFound => "create the output directory first",
        _ => "nothing was written; try again, or choose another output directory",
    };
    Error::new(format!("{what}: {error}")).at(target.display()).hint(hint).into()
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_named_way_makes_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let (target, other) = (dir.path().join("out"), dir.path().join("other"));
        fs_err::write(&other, "").unwrap();
        for text in ["first", "second"] {
            let named = builder().tempfile_in(dir.path()).unwrap();
            let output = Output { file: Unfinished::Named(named), target: target.clone() };
            output.file().write_all(text.as_bytes()).unwrap();
            output.finish().unwrap();
            assert_eq!(fs_err::read_to_string(&target).unwrap(), text);
        }
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&target), mode(&other));
        drop(Output { file: Unfinished::Named(builder().tempfile_in(dir.path()).unwrap()), target });
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in [".spokeshave-aB3xYz.tmp", ".spokeshave-notes.tmp", ".spokeshave-aB3xYz"] {
            fs_err::write(path(name), "").unwrap();
        }
        let live = named(dir.path()).unwrap();
        let write = || {
            let output = Output::create(&path("out")).unwrap();
            output.file().write_all(b"whole").unwrap();
            output.finish().unwrap();
        };
        write();
        write();
        assert_eq!(fs_err::read(path("out")).unwrap(), b"whole");
        assert!(live.path().exists() && !path(".spokeshave-aB3xYz.tmp").exists());
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 4);
    }
}
