//! The calls as the host does them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::fs::{Fs, Stat};

/// So much is copied at once where the kernel can't do it alone.
const BLOCK: usize = 1 << 20;

/// The host's file system.
#[derive(Debug)]
pub(super) struct Real;

fn unsupported() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

impl Fs for Real {
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(Stat::new(&path.symlink_metadata()?, path))
    }

    fn fstat(&self, file: &File, path: &Path) -> io::Result<Stat> {
        Ok(Stat::new(&file.metadata()?, path))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            use std::os::unix::fs::OpenOptionsExt as _;
            // Not blocking: a pipe that stands there since the last look must not hold the run up.
            options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        }
        options.open(path)
    }

    fn read(&self, file: &File, len: u64) -> io::Result<Vec<u8>> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(len, 0);
        read_at(file, &mut bytes, 0)?;
        Ok(bytes)
    }

    #[cfg(unix)]
    fn try_lock(&self, file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// There a lock would keep the build itself from its output.
    #[cfg(not(unix))]
    fn try_lock(&self, _file: &File) -> io::Result<bool> {
        Err(unsupported())
    }

    fn lock(&self, file: &File) -> io::Result<()> {
        loop {
            match file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn unlock(&self, file: &File) -> io::Result<()> {
        file.unlock()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        // Without inodes nobody can tell that a link leads to what was opened, and without locks none would be swept.
        if cfg!(not(unix)) || links_copy(from)? {
            return Err(unsupported());
        }
        std::fs::hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    #[cfg(target_os = "linux")]
    fn nameless(&self, dir: &Path) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::open(dir, flags, Mode::from_raw_mode(0o600))?))
    }

    #[cfg(not(target_os = "linux"))]
    fn nameless(&self, _dir: &Path) -> io::Result<File> {
        Err(unsupported())
    }

    #[cfg(target_os = "linux")]
    fn name(&self, file: &File, to: &Path) -> io::Result<()> {
        use rustix::fs::{AtFlags, CWD, linkat};
        use std::os::fd::AsRawFd as _;
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn name(&self, _file: &File, _to: &Path) -> io::Result<()> {
        Err(unsupported())
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    }

    #[cfg(target_os = "linux")]
    fn reflink(&self, from: &File, to: &File) -> io::Result<()> {
        Ok(rustix::fs::ioctl_ficlone(to, from)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn reflink(&self, _from: &File, _to: &File) -> io::Result<()> {
        Err(unsupported())
    }

    fn copy(&self, from: &File, to: &File, len: u64) -> io::Result<()> {
        copy(from, to, len)
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        io::Write::write_all(&mut file, bytes)
    }

    fn set_mode(&self, file: &File, mode: u32) -> io::Result<()> {
        #[cfg(unix)]
        return file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        {
            let _ = (file, mode);
            Ok(())
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        #[cfg(unix)]
        return std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), mode).create(path);
        #[cfg(not(unix))]
        {
            let _ = mode;
            std::fs::create_dir(path)
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    #[allow(clippy::disallowed_methods)] // who calls names the path
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names =
            std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    #[allow(clippy::disallowed_methods)] // who calls names the path
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // Elsewhere a directory can't replace even an empty one.
        #[cfg(not(unix))]
        let _ = std::fs::remove_dir(to);
        std::fs::rename(from, to)
    }

    #[cfg(target_os = "linux")]
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(|error| match error {
            Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => unsupported(),
            other => other.into(),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn exchange(&self, _a: &Path, _b: &Path) -> io::Result<()> {
        Err(unsupported())
    }
}

/// Whether a link may copy the file: an overlay first copies what lies in a lower layer (as in a container image) to the
/// upper one, which gives it another inode and takes it from its other names.
#[cfg(target_os = "linux")]
fn links_copy(file: &Path) -> io::Result<bool> {
    // `OVERLAYFS_SUPER_MAGIC` of linux/magic.h.
    Ok(rustix::fs::statfs(file)?.f_type == 0x794c_7630)
}

#[cfg(not(target_os = "linux"))]
fn links_copy(_file: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read as _, Seek as _};
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(target_os = "linux")]
fn copy(from: &File, to: &File, len: u64) -> io::Result<()> {
    use rustix::fs::copy_file_range;
    let mut at = 0;
    while at < len {
        let left = usize::try_from(len - at).unwrap_or(usize::MAX);
        match copy_file_range(from, Some(&mut at), to, None, left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Between file systems, and where the kernel has no such call.
            Err(_) if at == 0 => return copy_by_reading(from, to, len),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn copy(from: &File, to: &File, len: u64) -> io::Result<()> {
    copy_by_reading(from, to, len)
}

fn copy_by_reading(from: &File, mut to: &File, len: u64) -> io::Result<()> {
    let mut block = vec![0; usize::try_from(len).unwrap_or(BLOCK).min(BLOCK)];
    let mut at = 0;
    while at < len {
        let left = usize::try_from(len - at).unwrap_or(BLOCK).min(BLOCK);
        let part = block.get_mut(..left).unwrap_or_default();
        read_at(from, part, at)?;
        io::Write::write_all(&mut to, part)?;
        at += left as u64;
    }
    Ok(())
}
