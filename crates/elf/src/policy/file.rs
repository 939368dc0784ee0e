//! The policy files as they are written (`policies/README.md`).

use std::collections::BTreeMap;

use serde::Deserialize;
use spokeshave_core::{Error, Result};

use crate::target::Libc;

/// One policy: what it adds to the one before it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The tag without its architecture.
    pub name: String,
    /// Other names of it, likewise.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The architectures that have it.
    pub architectures: Vec<String>,
    /// Sonames that are promised from here on.
    #[serde(default)]
    pub libraries: Vec<String>,
    /// Symbols by library, separated by blanks, that are forbidden from here on.
    #[serde(default)]
    pub forbids: BTreeMap<String, String>,
    /// Those that are forbidden no longer.
    #[serde(default)]
    pub frees: BTreeMap<String, String>,
    /// By architecture and namespace, the versions that are allowed from here on, separated by blanks.
    #[serde(default)]
    pub versions: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policy: Vec<Entry>,
}

/// The policies of a C library, strictest first.
///
/// # Errors
/// When the data that this program was built with are damaged.
pub fn read(libc: Libc) -> Result<Vec<Entry>> {
    let (name, text) = match libc {
        Libc::Glibc => ("manylinux.toml", include_str!("../../policies/manylinux.toml")),
        Libc::Musl => ("musllinux.toml", include_str!("../../policies/musllinux.toml")),
        Libc::Android => ("android.toml", include_str!("../../policies/android.toml")),
    };
    let file: File = toml::from_str(text).map_err(|error| Error::new(error.to_string()).at(name))?;
    Ok(file.policy)
}
