//! A file that appears complete or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

/// A new file beside its target; dropping it leaves nothing.
pub(super) struct Output {
    temp: NamedTempFile,
    target: PathBuf,
}

impl Output {
    /// Begins a file that is to become `target`, whose directory must exist.
    pub fn create(target: &Path) -> Result<Self> {
        let dir = match target.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut builder = Builder::new();
        builder.prefix(".spokeshave-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As for any new file: what the umask leaves of this.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temp = builder.tempfile_in(dir).map_err(|error| failed("can't be created", &error, target))?;
        Ok(Output { temp, target: target.to_path_buf() })
    }

    pub fn file(&mut self) -> &mut File {
        self.temp.as_file_mut()
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes it durable and gives it its name, in place of what had it before.
    pub fn finish(self) -> Result<()> {
        let Output { temp, target } = self;
        temp.as_file().sync_all().map_err(|error| failed("can't be written", &error, &target))?;
        temp.persist(&target).map_err(|error| failed("can't be put in place", &error.error, &target))?;
        #[cfg(unix)]
        if let Some(dir) = target.parent() {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            // The file is there whether or not the directory can be synced (some file systems can't).
            let _ = fs_err::File::open(dir).and_then(|dir| dir.sync_all());
        }
        Ok(())
    }
}

/// An I/O failure about the output, with what to do.
pub(super) fn failed(what: &str, error: &std::io::Error, target: &Path) -> anyhow::Error {
    use std::io::ErrorKind;
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
    let mut output = Output::create(target)?;
    std::io::copy(input.file_mut(), output.file())
        .map_err(|error| failed("can't be written", &error, target))?;
    output.finish()
}
