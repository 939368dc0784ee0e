//! The merged package, which the backend audits for its tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::patch::{Input, unwatched};
use super::members::{Members, Merging};
use super::parts::{Join, Parts};
use super::{Engine, PartialReport, guarded};
use crate::parallel::parallel_map;
use crate::{
    Artifact, Audit, ByteSource, Bytes, FactsCache, FileId, Files, Locate as _, Location, Options,
    PackagePath, Result, Silent, Target,
};

/// The merged package.
pub struct Merged {
    files: Files,
    artifacts: Vec<Artifact>,
    /// For each artifact the member that it is.
    names: Vec<String>,
    /// The bytes of each joined binary.
    joined: BTreeMap<String, Arc<dyn ByteSource>>,
    cache: FactsCache,
}

impl Merged {
    /// Joins each binary once, to see that it can be done.
    ///
    /// # Errors
    /// When binaries can't be joined; it names the member.
    pub fn new(parts: &Parts, members: &Members, jobs: usize) -> Result<Self> {
        let mut merged = Merged {
            files: Files::new(parts.first().files.sysroot().map(Into::into)),
            artifacts: Vec::new(),
            names: Vec::new(),
            joined: BTreeMap::new(),
            cache: FactsCache::default(),
        };
        merged.collect(parts);
        let joining: Vec<&Merging> = members.joined().collect();
        let place = |name: &str| {
            let at = merged.names.iter().position(|known| known == name)?;
            merged.artifacts.get(at).map(|artifact| artifact.path.clone())
        };
        let sources = parallel_map(jobs, &joining, |merging| -> Result<Arc<dyn ByteSource>> {
            let mut joined = Joined { bytes: parts.sources(merging), join: parts.joiner(), size: 0 };
            let bytes = joined.open().locate(&merging.name)?;
            joined.size = bytes.len() as u64;
            if let Some(path) = place(&merging.name) {
                // It is put in the place of the first wheel's, once.
                let id = FileId::Package(path, 1);
                guarded(parts.backend, |backend| backend.note(id, &bytes, &merged.cache))
                    .locate(&merging.name)?;
            }
            Ok(Arc::new(joined))
        });
        for (merging, source) in joining.into_iter().zip(sources) {
            let source = source?;
            let at = merged.names.iter().position(|name| *name == merging.name);
            if let Some(artifact) = at.and_then(|at| merged.artifacts.get_mut(at)) {
                artifact.source = source.clone();
                merged.files.insert(artifact.path.clone(), source.clone(), artifact.mode);
            }
            merged.joined.insert(merging.name.clone(), source);
        }
        Ok(merged)
    }

    /// The files and binaries of all wheels; of those that several have, the first one's.
    fn collect(&mut self, parts: &Parts) {
        let mut taken: BTreeSet<PackagePath> = BTreeSet::new();
        for part in &parts.wheels {
            let own = &part.package.files;
            for path in own.members() {
                let at = Location::Package(path.clone());
                if let Some(found) = own.find(&at).filter(|_| self.files.find(&at).is_none()) {
                    self.files.insert(path.clone(), found.source, found.mode);
                }
            }
            for (artifact, (index, _)) in part.binaries.artifacts.iter().zip(&part.binaries.members) {
                if taken.insert(artifact.path.clone()) {
                    self.artifacts.push(artifact.clone());
                    self.names.push(part.package.archive.members()[*index].name.clone());
                }
            }
        }
    }

    /// The bytes of a joined binary.
    pub fn source(&self, merging: &Merging) -> Option<&Arc<dyn ByteSource>> {
        self.joined.get(&merging.name)
    }

    /// What the backend says of the package.
    ///
    /// # Errors
    /// When the backend fails, or finds no platform that the package is for.
    pub fn audit(&self, engine: &Engine<'_>, parts: &Parts, jobs: usize) -> Result<Audit> {
        // What this host has, and what its user asks for, has no part in what the wheels promise together.
        let (options, env) = (Options::default(), BTreeMap::new());
        let engine = Engine { options: &options, env: &env, events: &Silent, ..*engine };
        let work = Input {
            backend: parts.backend,
            files: &self.files,
            artifacts: &self.artifacts,
            claimed: &parts.tags(),
            pythons: &parts.first().name.pythons(),
            libs_dir: PackagePath::root(),
            jobs,
            cache: &self.cache,
            watch: &unwatched,
            distrusts: false,
        };
        let audit = work.audit(&engine)?;
        match &audit.refusal {
            Some(refusal) => Err(refusal.clone().into()),
            None => Ok(audit),
        }
    }

    /// A warning for each binary that some wheels lack and nothing in the package asks for: a module that can be
    /// imported on some of the machines only. A library that is carried for some machines is asked for.
    pub fn unneeded(&self, audit: &Audit, parts: &Parts, partial: &[PartialReport]) -> Vec<String> {
        let results = audit.artifacts.iter().map(|audited| &audited.result);
        let needs = results.flat_map(|result| &result.needs).map(|need| need.target);
        let needed: BTreeSet<Target> = needs.collect();
        let alone = |report: &&PartialReport| {
            let at = self.names.iter().position(|name| *name == report.path);
            report.binary && at.is_some_and(|at| !needed.contains(&Target::Artifact(at)))
        };
        let line = |report: &PartialReport| {
            let wheels = report.inputs.iter().filter_map(|index| parts.wheels.get(*index));
            let wheels: Vec<String> = wheels.map(|part| part.package.name.to_string()).collect();
            format!("{} is in {} only and stays as it is", report.path, wheels.join(" and "))
        };
        partial.iter().filter(alone).map(line).collect()
    }
}

/// A joined binary; made anew each time it is opened, so that no more of them is held than is in use.
struct Joined {
    bytes: Vec<Arc<dyn ByteSource>>,
    join: Arc<Join>,
    size: u64,
}

impl ByteSource for Joined {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> Result<Bytes> {
        let mut opened: Vec<Bytes> = Vec::with_capacity(self.bytes.len());
        for source in &self.bytes {
            let bytes = source.open()?;
            // Of several wheels some may have the same file.
            if !opened.iter().any(|known| **known == *bytes) {
                opened.push(bytes);
            }
        }
        let slices: Vec<&[u8]> = opened.iter().map(|bytes| &**bytes).collect();
        Ok(Bytes::from((self.join)(&slices)?))
    }
}
