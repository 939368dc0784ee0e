//! Build outputs as the pipeline works on them: where they go, whose they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::audit::{head, unrecognized};
use super::kept::Budget;
use super::{Engine, Origin, elect};
use crate::staging::Staged;
use crate::{
    Artifact, BuildOutput, ByteSource, Error, Files, Locate as _, Location, PackagePath, Repairer, Result,
};

/// How many bytes of build outputs are kept from one step to the next.
const KEPT: u64 = 64 << 20;

/// The origins of one backend.
pub struct Group {
    pub backend: &'static dyn Repairer,
    /// For each artifact the index of its origin.
    pub origins: Vec<usize>,
    pub artifacts: Vec<Artifact>,
    /// The artifacts at the places where they will be.
    pub files: Files,
}

/// The places in the directory `dir` of the package that the origins get: their own file names.
///
/// # Errors
/// When there is none, two get one place, a name is no safe path, or a linked path is relative.
pub fn places(origins: &[Origin], dir: &PackagePath) -> Result<Vec<PackagePath>> {
    if origins.is_empty() {
        return Err(Error::new("no binary is named").hint("name the build's outputs").into());
    }
    let mut taken: BTreeMap<PackagePath, &Path> = BTreeMap::new();
    let mut places = Vec::with_capacity(origins.len());
    for origin in origins {
        absolute_links(origin)?;
        let shown = origin.path.display();
        let Some(name) = origin.path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::new("has no file name that is text").at(shown).hint("name a binary").into());
        };
        let place = dir.join(name).locate(shown.to_string())?;
        if let Some(other) = taken.insert(place.clone(), &origin.path) {
            return Err(Error::new(format!(
                "has the same name as {}: both would be {place}",
                other.display()
            ))
            .at(shown)
            .hint("bundle them into two directories, or rename one")
            .into());
        }
        places.push(place);
    }
    Ok(places)
}

/// What is told of an origin that changed while `backend` worked.
pub fn during(backend: &dyn Repairer) -> String {
    format!("while the backend `{}` worked on it", backend.about().name)
}

/// A relative path would depend on the working directory; who calls knows what it is relative to.
fn absolute_links(origin: &Origin) -> Result<()> {
    match origin.linked_paths.iter().find(|path| !path.is_absolute()) {
        None => Ok(()),
        Some(path) => Err(Error::new("a linked path must be absolute")
            .at(path.display())
            .hint("join it to the directory that the build ran in")
            .into()),
    }
}

/// The origins by backend, sorted by its name.
///
/// # Errors
/// When one can't be read or no backend recognizes it.
pub fn groups(
    engine: &Engine<'_>,
    origins: &[Origin],
    places: &[PackagePath],
    staged: Option<&[Staged]>,
) -> Result<Vec<Group>> {
    let budget = Budget::new(KEPT);
    let mut groups: BTreeMap<&'static str, Group> = BTreeMap::new();
    for (index, (origin, place)) in origins.iter().zip(places).enumerate() {
        let (source, mode) = match staged.and_then(|staged| staged.get(index)) {
            Some(staged) => (staged.source(), staged.mode()),
            None => unstaged(&origin.path)?,
        };
        let Some(backend) = elect::by_head(engine.backends, &head(&origin.path)?, source.size())? else {
            return Err(unrecognized(engine, &origin.path));
        };
        let artifact = artifact(origin, place.clone(), budget.keep(source), mode)?;
        let group = groups.entry(backend.about().name).or_insert_with(|| Group {
            backend,
            origins: Vec::new(),
            artifacts: Vec::new(),
            files: Files::new(engine.options.sysroot.clone()),
        });
        group.files.insert(place.clone(), artifact.source.clone(), mode);
        group.files.built_in(&origin.linked_paths);
        group.origins.push(index);
        group.artifacts.push(artifact);
    }
    Ok(groups.into_values().collect())
}

fn artifact(origin: &Origin, path: PackagePath, source: Arc<dyn ByteSource>, mode: u32) -> Result<Artifact> {
    Ok(Artifact {
        path,
        tree: PackagePath::root(),
        origin: Some(std::path::absolute(&origin.path)?),
        source,
        mode,
        linked_paths: origin.linked_paths.clone(),
    })
}

/// The bytes and permission bits of a build output that is only looked at.
pub fn unstaged(path: &Path) -> Result<(Arc<dyn ByteSource>, u32)> {
    let Some(found) = Files::new(None).find(&Location::Host(std::path::absolute(path)?)) else {
        return Err(Error::new("is no regular file").at(path.display()).hint("name a binary").into());
    };
    Ok((Arc::new(BuildOutput { path: path.to_path_buf(), size: found.source.size() }), found.mode))
}
