//! What surrounds a load, as a value.

use std::path::PathBuf;

use spokeshave_core::{Context, Files};

use super::{config, tokens};
use crate::target::{Architecture, Libc, Target};

/// A directory that is searched for every file of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchDir {
    /// Its path on the host; the sysroot is part of it.
    pub path: PathBuf,
    /// Why it is searched: `ld.so.conf`, `default directory`.
    pub rule: String,
    /// Whether the loader has it built in, so that `DF_1_NODEFLIB` leaves it out.
    pub default: bool,
    /// Whether the loader knows it through `ldconfig`'s cache only, which takes no other names than `lib*.so*`.
    pub cached: bool,
}

/// What surrounds a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Whose rules are followed.
    pub target: Target,
    /// `--lib-dir`.
    pub lib_dirs: Vec<PathBuf>,
    /// `AUDITWHEEL_LD_LIBRARY_PATH`, then `LD_LIBRARY_PATH`.
    pub library_path: Vec<SearchDir>,
    /// The directories of the system, or those of `--ldpaths`.
    pub system: Vec<SearchDir>,
    /// What `$LIB` stands for: `lib64`, `lib/x86_64-linux-gnu`.
    pub lib: String,
    /// What `$PLATFORM` stands for: that of the architecture's baseline.
    pub platform: String,
}

impl Environment {
    /// The environment of a load for `target`: `--lib-dir`, the variables in [`Context::env`], and the system's
    /// directories below the sysroot, which `--ldpaths` replaces and `--no-system-paths` drops.
    ///
    /// Of Android nothing is on the host, so only what the options name is searched.
    pub fn new(target: Target, cx: &Context<'_>) -> Self {
        let options = cx.options;
        let files = cx.files;
        let mut env = Environment {
            target,
            lib_dirs: options.lib_dirs.clone(),
            library_path: Vec::new(),
            system: Vec::new(),
            lib: lib_dir(target, files),
            platform: platform(target.architecture).to_owned(),
        };
        if target.libc != Libc::Android {
            for name in ["AUDITWHEEL_LD_LIBRARY_PATH", "LD_LIBRARY_PATH"] {
                let value = cx.env.get(name).map(String::as_str).unwrap_or_default();
                let dirs = env.listed(value, &[':', ';'], name);
                env.library_path.extend(dirs);
            }
        }
        env.system = match options.backend.one("ldpaths") {
            Some(paths) => env.listed(paths, &[':'], "--ldpaths"),
            None if options.backend.flag("no-system-paths") => Vec::new(),
            None => system(target, files),
        };
        env
    }

    /// The directories of a list that the user gave. An empty entry would be the working directory of a program that
    /// is not running, so it is dropped.
    fn listed(&self, list: &str, separators: &[char], rule: &str) -> Vec<SearchDir> {
        let entries = list.split(separators).filter(|entry| !entry.is_empty());
        let expanded = entries.filter_map(|entry| tokens::expand(entry, None, &self.lib, &self.platform));
        expanded
            .map(|path| SearchDir { path: path.into(), rule: rule.to_owned(), default: false, cached: false })
            .collect()
    }
}

/// The directories that a loader of the system knows, in its order.
fn system(target: Target, files: &Files) -> Vec<SearchDir> {
    let mut dirs: Vec<SearchDir> = Vec::new();
    let mut add = |paths: Vec<String>, rule: &str, default: bool, cached: bool| {
        for path in paths {
            let path = files.in_sysroot(&path);
            match dirs.iter_mut().find(|dir| dir.path == path) {
                // The loader looks there by itself too, whatever the name.
                Some(known) if default => (known.default, known.cached) = (true, false),
                Some(_) => {}
                None => dirs.push(SearchDir { path, rule: rule.to_owned(), default, cached }),
            }
        }
    };
    match target.libc {
        Libc::Glibc => {
            add(config::ld_so_conf(files), "ld.so.conf", false, true);
            add(glibc_defaults(target.architecture, files), "default directory", true, false);
        }
        Libc::Musl => {
            let arch = target.architecture.map_or("", Architecture::musl_name);
            let file = format!("/etc/ld-musl-{arch}.path");
            match config::musl_path(files, &file) {
                Some(paths) => add(paths, &file, true, false),
                None => {
                    let paths = ["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned).to_vec();
                    add(paths, "default directory", true, false);
                }
            }
        }
        Libc::Android => {}
    }
    dirs
}

/// Whether the system has Debian's multiarch directories for the architecture.
fn multiarch(arch: Architecture, files: &Files) -> bool {
    let dir = |parent: &str| {
        spokeshave_core::Location::Host(files.in_sysroot(&format!("{parent}/{}", arch.triplet())))
    };
    files.is_dir(&dir("/lib")) || files.is_dir(&dir("/usr/lib"))
}

/// The directories built into glibc's loader (`SYSTEM_DIRS`): its upstream value, or Debian's where the system has
/// Debian's directories.
fn glibc_defaults(arch: Option<Architecture>, files: &Files) -> Vec<String> {
    let plain = ["/lib", "/usr/lib"].map(str::to_owned);
    let specific = match arch {
        Some(arch) if multiarch(arch, files) => {
            vec![format!("/lib/{t}", t = arch.triplet()), format!("/usr/lib/{t}", t = arch.triplet())]
        }
        Some(Architecture::I686 | Architecture::Armv7l) => Vec::new(),
        Some(Architecture::Riscv64) => vec!["/lib64/lp64d".to_owned(), "/usr/lib64/lp64d".to_owned()],
        _ => Vec::new(),
    };
    let lib64 = match arch {
        Some(Architecture::I686 | Architecture::Armv7l) => Vec::new(),
        Some(arch) if multiarch(arch, files) => Vec::new(),
        _ => ["/lib64", "/usr/lib64"].map(str::to_owned).to_vec(),
    };
    specific.into_iter().chain(lib64).chain(plain).collect()
}

/// `$LIB`: glibc's `DL_DST_LIB`, which is where the distribution puts its libraries.
fn lib_dir(target: Target, files: &Files) -> String {
    match (target.libc, target.architecture) {
        (Libc::Android, Some(Architecture::I686 | Architecture::Armv7l)) => "lib".to_owned(),
        (Libc::Android, _) => "lib64".to_owned(),
        (_, Some(arch)) if multiarch(arch, files) => format!("lib/{}", arch.triplet()),
        (_, Some(Architecture::I686 | Architecture::Armv7l)) => "lib".to_owned(),
        _ => "lib64".to_owned(),
    }
}

/// `$PLATFORM`: what the kernel says (`AT_PLATFORM`) on the architecture's plainest processor.
fn platform(arch: Option<Architecture>) -> &'static str {
    match arch {
        Some(Architecture::Armv7l) => "v7l",
        Some(Architecture::Ppc64le) => "power8",
        Some(Architecture::Ppc64) => "ppc970",
        Some(Architecture::S390x) => "z900",
        Some(arch) => arch.name(),
        None => "",
    }
}
