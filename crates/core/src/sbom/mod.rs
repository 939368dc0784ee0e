//! CycloneDX bill of materials (PEP 770) of the carried libraries, and the package databases that know who owns them.
//!
//! [`build`] makes the document; [`PackageDb`] answers whose file a library is, from the database files below a
//! sysroot, with no program run.

mod apk;
mod conda;
mod database;
mod distro;
mod document;
mod dpkg;
mod existing;
mod homebrew;
mod owner;
mod purl;
mod rpm;
#[cfg(test)]
mod tests;

pub use document::{Carried, Described, WheelId, build};
pub use existing::merge;
pub use owner::{PackageDb, PackageOwner};

/// The document's place below a wheel's `.dist-info` directory.
pub const SBOM_FILE: &str = "sboms/spokeshave.cdx.json";
