//! What is told of the libraries that are carried: in the report and in the bill of materials.

use std::path::Path;

use super::patch::{Plan, needed_by};
use super::{CarriedReport, Engine};
use crate::sbom::{self, PackageDb};
use crate::{GraftedLib, Library, Location, Need, PackagePath, Result, Target};

/// A carried library's permission bits: at least readable, never writable for others.
pub fn mode(original: u32) -> u32 {
    (original | 0o644) & 0o755
}

/// The time that documents may name: `SOURCE_DATE_EPOCH`, seconds since 1970.
pub fn epoch(engine: &Engine<'_>) -> Option<u64> {
    engine.env.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse().ok())
}

impl Plan {
    /// The libraries that are added to the package, for the report.
    pub fn carried(&self) -> impl Iterator<Item = CarriedReport> {
        let source = |libraries: &[usize]| {
            let first = libraries.first().and_then(|index| self.audit.libraries.get(*index));
            first.map(|lib| lib.real.to_string()).unwrap_or_default()
        };
        self.added().map(move |(lib, _)| CarriedReport {
            original: lib.original.clone(),
            source: source(&lib.libraries),
            path: lib.path.to_string(),
            size: lib.source.size(),
            needed_by: needed_by(
                &self.audit,
                |target| matches!(target, Target::Library(index) if lib.libraries.contains(&index)),
            ),
        })
    }

    /// The carried libraries for the bill of materials; `written` tells the sha256 of the bytes in the package. Those
    /// that they need are indices that begin at `first`.
    pub fn bill(
        &self,
        first: usize,
        written: impl Fn(&PackagePath) -> Option<[u8; 32]>,
    ) -> Vec<sbom::Carried<'_>> {
        let listed: Vec<(&GraftedLib, &Library, &Path)> = self
            .grafted
            .iter()
            .filter_map(|lib| {
                let library = self.audit.libraries.get(*lib.libraries.first()?)?;
                match &library.real {
                    Location::Host(path) => Some((lib, library, path.as_path())),
                    Location::Package(_) => None,
                }
            })
            .collect();
        let needed = |need: &Need| match need.target {
            Target::Library(index) => {
                listed.iter().position(|(lib, ..)| lib.libraries.contains(&index)).map(|at| first + at)
            }
            _ => None,
        };
        let mut bill = Vec::with_capacity(listed.len());
        for (lib, library, host_path) in &listed {
            bill.push(sbom::Carried {
                original: &lib.original,
                carried_path: &lib.path,
                sha256: lib.sha256,
                carried_sha256: written(&lib.path),
                host_path,
                version: library.version.clone(),
                needs: library.result.needs.iter().filter_map(needed).collect(),
            });
        }
        bill
    }
}

/// The bill of materials of `subject`; whose file a library is, the package database below the sysroot tells.
///
/// # Errors
/// When `existing` is no bill of materials.
pub fn document(
    engine: &Engine<'_>,
    subject: &sbom::Described<'_>,
    carried: &[sbom::Carried<'_>],
    existing: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let owners = PackageDb::open(engine.options.sysroot.as_deref());
    sbom::build(subject, carried, &|path| owners.owner(path), existing)
}
