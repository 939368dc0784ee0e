//! What surrounds a load.

use std::path::PathBuf;

use spokeshave_core::Context;

/// The directories that no binary names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `--lib-dir`.
    pub lib_dirs: Vec<PathBuf>,
    /// `--executable-path`: the directory of the program, where no program of the package is the root of the load.
    pub executable_path: Option<PathBuf>,
    /// `DYLD_FRAMEWORK_PATH`.
    pub framework_path: Vec<PathBuf>,
    /// `DYLD_LIBRARY_PATH`.
    pub library_path: Vec<PathBuf>,
    /// `DYLD_FALLBACK_FRAMEWORK_PATH`, or dyld's own list below the sysroot.
    pub fallback_framework_path: Vec<PathBuf>,
    /// `DYLD_FALLBACK_LIBRARY_PATH`, or dyld's own list below the sysroot.
    pub fallback_library_path: Vec<PathBuf>,
}

impl Environment {
    /// From the options and the variables in [`Context::env`]. Variables hold paths of this host.
    pub fn new(cx: &Context<'_>) -> Self {
        let listed = |name: &str| -> Option<Vec<PathBuf>> {
            let value = cx.env.get(name).filter(|value| !value.is_empty())?;
            Some(value.split(':').filter(|entry| !entry.is_empty()).map(PathBuf::from).collect())
        };
        let own = |dirs: &[&str]| dirs.iter().map(|dir| cx.files.in_sysroot(dir)).collect::<Vec<_>>();
        // The lists are those of dyld(1), but for /System/Library/Frameworks: what is there can't be seen, since it is in
        // dyld's cache only, so every name would be found.
        Environment {
            lib_dirs: cx.options.lib_dirs.clone(),
            executable_path: cx.options.backend.one("executable-path").map(PathBuf::from),
            framework_path: listed("DYLD_FRAMEWORK_PATH").unwrap_or_default(),
            library_path: listed("DYLD_LIBRARY_PATH").unwrap_or_default(),
            fallback_framework_path: listed("DYLD_FALLBACK_FRAMEWORK_PATH")
                .unwrap_or_else(|| own(&["/Library/Frameworks"])),
            fallback_library_path: listed("DYLD_FALLBACK_LIBRARY_PATH")
                .unwrap_or_else(|| own(&["/usr/local/lib", "/usr/lib"])),
        }
    }
}
