//! The wheels, and whether they belong together.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::super::elect;
use super::super::package::{Binaries, WheelPackage};
use super::members::Merging;
use super::{Engine, guarded};
use crate::{ByteSource, Error, Files, Merge, Repairer, Result};

/// Makes one binary of several.
pub type Join = dyn Fn(&[&[u8]]) -> Result<Vec<u8>> + Send + Sync;

/// The wheels that are merged: two at least, of one release.
pub struct Parts {
    pub wheels: Vec<Part>,
    pub backend: &'static dyn Repairer,
    merge: &'static dyn Merge,
}

/// One wheel.
pub struct Part {
    pub package: WheelPackage,
    /// Its binaries that the backend recognizes.
    pub binaries: Binaries,
}

impl Parts {
    /// Opens the wheels.
    ///
    /// # Errors
    /// When one is damaged, they are of different releases or for different Pythons, or the binaries of their platform
    /// can't be joined.
    pub fn open(engine: &Engine<'_>, inputs: &[&Path], jobs: usize) -> Result<Self> {
        // Nothing of this host counts: there is no path below a file.
        let opened = inputs.iter().map(|path| {
            Ok((WheelPackage::open(path, Files::new(Some(path.to_path_buf())))?, path.display().to_string()))
        });
        let opened = opened.collect::<Result<Vec<_>>>()?;
        let [(first, _), others @ ..] = opened.as_slice() else { return Err(too_few()) };
        if others.is_empty() {
            return Err(too_few());
        }
        for (other, path) in others {
            if let Some(what) = first.differs_from(other) {
                return Err(Error::new(format!("{what} than {} has", first.name))
                    .at(path)
                    .hint("only wheels of one release and for the same Pythons can be merged")
                    .into());
            }
        }
        let platforms: Vec<String> =
            opened.iter().flat_map(|(package, _)| package.name.platforms()).cloned().collect();
        let Some(backend) = elect::by_tags(engine.backends, &platforms, None)? else {
            return Err(Error::new("the wheels are for any platform; there is nothing to merge").into());
        };
        let Some(merge) = backend.about().merge else {
            return Err(Error::new(format!(
                "binaries of {} are for one processor each and can't be merged",
                backend.about().formats
            ))
            .hint("publish the wheels side by side; installers choose by the platform tag")
            .into());
        };
        let wheels = opened.into_iter().map(|(package, _)| {
            Ok(Part { binaries: package.binaries(backend, engine.backends, jobs)?, package })
        });
        Ok(Parts { wheels: wheels.collect::<Result<_>>()?, backend, merge })
    }

    /// The wheel whose name, order and metadata the output has.
    pub fn first(&self) -> &WheelPackage {
        &self.wheels[0].package
    }

    /// The platform tags of the whole, if the binaries keep what the wheels promise.
    pub fn tags(&self) -> Vec<String> {
        let claimed: Vec<&[String]> = self.wheels.iter().map(|part| part.package.name.platforms()).collect();
        self.merge.tags(&claimed)
    }

    /// What makes one binary of several.
    pub fn joiner(&self) -> Arc<Join> {
        let (backend, merge) = (self.backend, self.merge);
        Arc::new(move |files: &[&[u8]]| guarded(backend, |_| merge.files(files)))
    }

    /// The bytes of a member, in each wheel that has it.
    pub fn sources(&self, merging: &Merging) -> Vec<Arc<dyn ByteSource>> {
        merging
            .sources
            .iter()
            .map(|(wheel, index)| self.wheels[*wheel].package.archive.source(*index))
            .collect()
    }

    /// What is odd about the wheels.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for Part { package, .. } in &self.wheels {
            warnings.extend(package.warnings.iter().map(|warning| format!("{}: {warning}", package.name)));
        }
        let signed = self.wheels.iter().flat_map(|part| {
            let members = part.package.archive.members();
            part.package.dist_info.signatures.iter().map(|index| members[*index].name.clone())
        });
        let signed: BTreeSet<String> = signed.collect();
        warnings.extend(signed.iter().map(|name| format!("{name} no longer holds and was dropped")));
        warnings
    }

    /// # Errors
    /// When the output would replace one of the wheels.
    pub fn refuse_own(&self, output: &Path) -> Result<()> {
        let Ok(output_real) = output.canonicalize() else { return Ok(()) };
        let same =
            |part: &Part| part.package.archive.path().canonicalize().is_ok_and(|path| path == output_real);
        if !self.wheels.iter().any(same) {
            return Ok(());
        }
        Err(Error::new("the output would replace one of the inputs")
            .at(output.display())
            .hint("choose another directory with --wheel-dir")
            .into())
    }
}

impl WheelPackage {
    /// In what it is no wheel of the same release and for the same Pythons, in words.
    fn differs_from(&self, other: &WheelPackage) -> Option<&'static str> {
        let set = |tags: Vec<String>| tags.into_iter().collect::<BTreeSet<_>>();
        if self.dist_info.dir != other.dist_info.dir || self.name.version() != other.name.version() {
            Some("is of another release")
        } else if self.name.build() != other.name.build() {
            Some("has another build tag")
        } else if set(self.name.pythons()) != set(other.name.pythons()) {
            Some("is for other Pythons")
        } else {
            None
        }
    }
}

fn too_few() -> anyhow::Error {
    Error::new("there is nothing to merge a single wheel with").hint("name two wheels at least").into()
}
