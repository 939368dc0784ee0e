//! The host's file system, in which any call can fail or be the last one.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::fs::{Fs, Stat};
use super::super::real::Real;

/// What a host can do.
#[derive(Debug, Clone, Copy)]
pub struct World {
    pub reflinks: bool,
    pub links: bool,
    pub nameless: bool,
    pub exchange: bool,
    pub locks: bool,
}

pub const WORLD: World = World { reflinks: false, links: true, nameless: true, exchange: true, locks: true };

/// What happens instead of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this `errno`.
    Error(i32),
    /// The process is killed before it: neither it nor any later one has an effect, and descriptors close.
    Kill,
}

pub const EIO: i32 = 5;
pub const EACCES: i32 = 13;
pub const EXDEV: i32 = 18;
pub const ENOSPC: i32 = 28;

#[derive(Debug)]
pub struct Faulty {
    world: World,
    state: Mutex<State>,
}

/// What a build does, once.
pub type Meanwhile = fn(&Path);

#[derive(Debug, Default)]
struct State {
    meanwhile: Option<(&'static str, Meanwhile, PathBuf)>,
    calls: Vec<&'static str>,
    next: Option<(usize, Fault)>,
    fired: bool,
    dead: bool,
}

impl Faulty {
    pub fn new(world: World) -> Self {
        Faulty { world, state: Mutex::default() }
    }

    /// Lets the call fail that comes after `calls` others from now.
    pub fn fault(&self, calls: usize, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.next = Some((state.calls.len() + calls, fault));
    }

    /// Lets a build do something with a path right before the next call of this name.
    pub fn meanwhile(&self, call: &'static str, does: Meanwhile, with: PathBuf) {
        self.state.lock().unwrap().meanwhile = Some((call, does, with));
    }

    /// As SIGKILL does.
    pub fn kill(&self) {
        self.state.lock().unwrap().dead = true;
    }

    /// The calls until now.
    pub fn calls(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().calls.clone()
    }

    /// Whether a fault happened.
    pub fn fired(&self) -> bool {
        self.state.lock().unwrap().fired
    }

    pub fn dead(&self) -> bool {
        self.state.lock().unwrap().dead
    }

    fn point(&self, call: &'static str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.dead {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if let Some((_, does, with)) = state.meanwhile.take_if(|(name, ..)| *name == call) {
            does(&with);
        }
        let index = state.calls.len();
        state.calls.push(call);
        match state.next.take_if(|(at, _)| *at == index) {
            None => Ok(()),
            Some((_, fault)) => {
                state.fired = true;
                state.dead = fault == Fault::Kill;
                Err(io::Error::from_raw_os_error(if let Fault::Error(errno) = fault { errno } else { EIO }))
            }
        }
    }

    fn can(&self, can: bool) -> io::Result<()> {
        if can { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}

impl Fs for Faulty {
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.point("real_path")?;
        Real.real_path(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.point("stat")?;
        Real.stat(path)
    }
    fn fstat(&self, file: &File, path: &Path) -> io::Result<Stat> {
        self.point("fstat")?;
        Real.fstat(file, path)
    }
    fn open(&self, path: &Path) -> io::Result<File> {
        self.point("open")?;
        Real.open(path)
    }
    fn read(&self, file: &File, len: u64) -> io::Result<Vec<u8>> {
        self.point("read")?;
        Real.read(file, len)
    }
    fn try_lock(&self, file: &File) -> io::Result<bool> {
        self.can(self.world.locks)?;
        self.point("try_lock")?;
        Real.try_lock(file)
    }
    /// Nobody else will release it here, so it does not wait.
    fn lock(&self, _file: &File) -> io::Result<()> {
        self.point("lock")?;
        Err(io::ErrorKind::WouldBlock.into())
    }
    fn unlock(&self, file: &File) -> io::Result<()> {
        self.point("unlock")?;
        Real.unlock(file)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.can(self.world.links)?;
        self.point("link")?;
        Real.link(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.point("unlink")?;
        Real.unlink(path)
    }
    fn nameless(&self, dir: &Path) -> io::Result<File> {
        self.can(self.world.nameless)?;
        self.point("nameless")?;
        Real.nameless(dir)
    }
    fn name(&self, file: &File, to: &Path) -> io::Result<()> {
        self.point("name")?;
        Real.name(file, to)
    }
    fn create(&self, path: &Path) -> io::Result<File> {
        self.point("create")?;
        Real.create(path)
    }
    fn reflink(&self, from: &File, to: &File) -> io::Result<()> {
        self.can(self.world.reflinks)?;
        self.point("reflink")?;
        Real.copy(from, to, from.metadata()?.len())
    }
    /// Half of it is done before it fails.
    fn copy(&self, from: &File, to: &File, len: u64) -> io::Result<()> {
        let point = self.point("copy");
        Real.copy(from, to, if point.is_ok() { len } else { len / 2 })?;
        point
    }
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let point = self.point("write");
        let written = if point.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        Real.write(file, written)?;
        point
    }
    fn set_mode(&self, file: &File, mode: u32) -> io::Result<()> {
        self.point("set_mode")?;
        Real.set_mode(file, mode)
    }
    /// What a disk does when the power fails is not tested here.
    fn sync(&self, _file: &File) -> io::Result<()> {
        self.point("sync")
    }
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.point("make_dir")?;
        Real.make_dir(path, mode)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.point("remove_dir")?;
        Real.remove_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.point("list")?;
        Real.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.point("rename")?;
        Real.rename(from, to)
    }
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        self.can(self.world.exchange)?;
        self.point("exchange")?;
        Real.exchange(a, b)
    }
}
