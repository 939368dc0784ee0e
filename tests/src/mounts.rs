//! File systems of a test's own, gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Outcome, run};

/// Set in the process that [`in_own_mounts`] starts.
const INSIDE: &str = "SPOKESHAVE_TEST_OWN_MOUNTS";

/// Runs the rest of the test `name` in a mount namespace of its own, so that nothing stays mounted however it ends:
/// false in the outer process, which has run the test in another one and seen it pass.
///
/// Mounting needs root; a test that can't mount fails.
#[track_caller]
pub fn in_own_mounts(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--include-ignored", "--nocapture"]).env(INSIDE, "1");
    let outcome = Outcome::of(&mut command).exits(0);
    assert!(outcome.stdout.contains("1 passed"), "{outcome:?}");
    print!("{}", outcome.stdout);
    false
}

/// Something mounted, until this is dropped.
pub struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        Outcome::of(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

#[track_caller]
fn mount(args: &[&str], at: &Path) -> Mounted {
    run("mount", args.iter().copied().chain([at.to_str().unwrap()]));
    Mounted(at.to_owned())
}

/// Mounts an empty tmpfs with these options (`size=64k`) at `at`.
#[track_caller]
#[must_use]
pub fn tmpfs(at: &Path, options: &str) -> Mounted {
    fs_err::create_dir_all(at).unwrap();
    mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at)
}

/// Mounts an empty xfs, whose files can share extents (`FICLONE`), at `at`.
#[track_caller]
#[must_use]
pub fn xfs(at: &Path) -> Mounted {
    let dir = TempDir::with_prefix("image-").unwrap();
    let image = dir.path().join("xfs");
    // The smallest that mkfs.xfs makes; sparse.
    fs_err::File::create(&image).unwrap().set_len(300 << 20).unwrap();
    run("mkfs.xfs", ["-q", image.to_str().unwrap()]);
    fs_err::create_dir_all(at).unwrap();
    // The mount keeps the image, which needs no name any more.
    mount(&["-o", "loop", image.to_str().unwrap()], at)
}

/// Makes everything below the directory `at` unwritable, in a way that root can't overcome.
#[track_caller]
#[must_use]
pub fn read_only(at: &Path) -> Mounted {
    let mounted = itself(at);
    run("mount", ["-o", "remount,bind,ro", at.to_str().unwrap()]);
    mounted
}

/// Makes `at`, a directory or a file, a mount point: no link leads out of it.
#[track_caller]
#[must_use]
pub fn itself(at: &Path) -> Mounted {
    mount(&["--bind", at.to_str().unwrap()], at)
}

/// Makes what stands at `at` the lower layer of an overlay, as an earlier step of a container image's build leaves it;
/// `scratch` gets the upper one.
#[track_caller]
#[must_use]
pub fn lower_layer(at: &Path, scratch: &Path) -> [Mounted; 2] {
    // Not in the file system of `scratch`, which may be an overlay itself.
    let below = tmpfs(scratch, "size=64m");
    let [upper, work] = ["upper", "work"].map(|name| scratch.join(name));
    for dir in [&upper, &work] {
        fs_err::create_dir_all(dir).unwrap();
    }
    let layers = format!("lowerdir={},upperdir={},workdir={}", at.display(), upper.display(), work.display());
    [mount(&["-t", "overlay", "-o", &layers, "overlay"], at), below]
}
