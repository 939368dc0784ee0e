//! Audit → graft → edits: what is to change in a package.

use std::sync::Arc;

use super::Engine;
use super::guard::guarded;
use crate::parallel::parallel_map;
use crate::wheel::{Scheme, install_path};
use crate::{
    Artifact, Audit, ByteSource, Bytes, Context, Edit, Error, FactsCache, Files, GraftedLib, Locate as _,
    Location, PackagePath, PatchKind, Repairer, Result, Status, Subject, Target, Which, apply, edit, graft,
};

/// A package with its audit and what is to change in it; nothing is written yet.
pub struct Plan {
    pub audit: Audit,
    pub grafted: Vec<GraftedLib>,
    /// For each artifact its bytes afterwards; `None` when it stays as it is.
    pub artifacts: Vec<Option<Arc<dyn ByteSource>>>,
    /// For each grafted library its bytes in the package.
    pub libraries: Vec<Arc<dyn ByteSource>>,
    /// For each grafted library whether an earlier repair has carried the same bytes to the same place.
    pub present: Vec<bool>,
}

impl Plan {
    /// What is to be added to the package.
    pub fn added(&self) -> impl Iterator<Item = (&GraftedLib, &Arc<dyn ByteSource>)> {
        let all = self.grafted.iter().zip(&self.libraries).zip(&self.present);
        all.filter(|(_, present)| !**present).map(|(added, _)| added)
    }
}

/// What a plan is made of.
pub struct Input<'a> {
    pub backend: &'static dyn Repairer,
    pub files: &'a Files,
    pub artifacts: &'a [Artifact],
    pub claimed: &'a [String],
    /// The interpreters and ABIs that a wheel claims.
    pub pythons: &'a [String],
    pub libs_dir: PackagePath,
    pub jobs: usize,
    pub cache: &'a FactsCache,
    /// Asked after each call to the backend: fails when what must stay as it is did not.
    pub watch: &'a (dyn Fn() -> Result<()> + Sync),
    /// Whether the edits of what is predicted to stay are asked for too, to see that there are none.
    pub distrusts: bool,
}

/// Watches nothing: a wheel is one open file that no backend has the path of.
pub fn unwatched() -> Result<()> {
    Ok(())
}

impl Input<'_> {
    /// Calls the backend.
    ///
    /// # Errors
    /// When the call fails or what is watched changed meanwhile, which says more of why.
    pub fn ask<T>(&self, call: impl FnOnce(&'static dyn Repairer) -> Result<T>) -> Result<T> {
        let answer = guarded(self.backend, call);
        (self.watch)()?;
        answer
    }

    /// Audits the package.
    ///
    /// # Errors
    /// When the backend fails or its audit is not of this package.
    pub fn audit(&self, engine: &Engine<'_>) -> Result<Audit> {
        let cx = Context {
            options: engine.options,
            claimed_tags: self.claimed,
            claimed_pythons: self.pythons,
            env: engine.env,
            events: engine.events,
            files: self.files,
            cache: self.cache,
            jobs: self.jobs,
        };
        self.checked_audit(self.artifacts, &cx)
    }

    /// The backend's audit of `set`, in which every index leads somewhere.
    pub fn checked_audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
        let mut audit = self.ask(|backend| backend.audit(set, cx))?;
        if audit.artifacts.len() != set.len() {
            return Err(fault(self.backend, "audits another number of files than it was given", None));
        }
        for (audited, given) in audit.artifacts.iter_mut().zip(set) {
            audited.artifact = given.clone();
        }
        let leads_nowhere = |target: Target| match target {
            Target::Artifact(index) => index >= audit.artifacts.len(),
            Target::Library(index) => index >= audit.libraries.len(),
            Target::Missing | Target::Removed => false,
        };
        let results = audit.artifacts.iter().map(|artifact| &artifact.result);
        let mut needs =
            results.chain(audit.libraries.iter().map(|lib| &lib.result)).flat_map(|result| &result.needs);
        if let Some(need) = needs.find(|need| leads_nowhere(need.target)) {
            return Err(fault(self.backend, "names a file that is not in its audit", Some(&need.name)));
        }
        Ok(audit)
    }

    /// Names what is carried and lets the backend make the edits.
    ///
    /// # Errors
    /// When the audit forbids the repair, or the backend fails or contradicts itself.
    pub fn plan(&self, engine: &Engine<'_>, audit: Audit) -> Result<Plan> {
        if let Some(refusal) = &audit.refusal {
            return Err(refusal.clone().into());
        }
        if !audit.missing.is_empty() {
            return Err(missing(&audit).into());
        }
        let about = self.backend.about();
        if engine.options.strip && !about.strips {
            return Err(Error::new(format!("the {} backend can't strip", about.name))
                .hint("leave out --strip")
                .into());
        }
        let grafted = graft(&audit, &self.libs_dir, about, engine.options, self.jobs)?;
        self.check_room(&grafted)?;
        let kind =
            PatchKind::Repair { grafted: &grafted, libs_dir: &self.libs_dir, strip: engine.options.strip };

        let subjects: Vec<Subject<'_>> = (0..audit.artifacts.len())
            .map(Which::Artifact)
            .chain(grafted.iter().map(Which::Grafted))
            .map(|which| Subject { audit: &audit, which })
            .collect();
        let predicted = self.predict(&audit, &kind)?;
        let work: Vec<(Subject<'_>, bool)> = subjects
            .iter()
            .copied()
            .zip(predicted)
            .filter(|(subject, changes)| self.asks(*subject, *changes))
            .collect();
        let patched = parallel_map(self.jobs, &work, |(subject, changes)| -> Result<Option<Patched>> {
            let source = match subject.which {
                Which::Artifact(index) => audit.artifacts[index].artifact.source.clone(),
                Which::Grafted(lib) => lib.source.clone(),
            };
            let edits = self.edits(*subject, &source.open()?, &kind, *changes)?;
            Ok((!edits.is_empty()).then(|| Patched::new(source, edits)))
        });

        let mut artifacts: Vec<Option<Arc<dyn ByteSource>>> = vec![None; audit.artifacts.len()];
        let mut libraries: Vec<Arc<dyn ByteSource>> = grafted.iter().map(|lib| lib.source.clone()).collect();
        for ((subject, _), patched) in work.iter().zip(patched) {
            let Some(patched) = patched? else { continue };
            match subject.which {
                Which::Artifact(index) => artifacts[index] = Some(Arc::new(patched)),
                Which::Grafted(lib) => {
                    let at = grafted.iter().position(|other| other.path == lib.path).unwrap_or_default();
                    libraries[at] = Arc::new(patched);
                }
            }
        }
        drop(work);
        drop(subjects);
        let mut present = Vec::with_capacity(grafted.len());
        for (lib, source) in grafted.iter().zip(&libraries) {
            let old = self.artifacts.iter().position(|artifact| artifact.path == lib.path);
            present.push(match old.filter(|old| artifacts[*old].is_none()) {
                Some(old) => *self.artifacts[old].source.open()? == *source.open()?,
                None => false,
            });
        }
        Ok(Plan { audit, grafted, artifacts, libraries, present })
    }

    /// Whether each subject will change: the artifacts in order, then what is grafted in order.
    pub fn predict(&self, audit: &Audit, kind: &PatchKind<'_>) -> Result<Vec<bool>> {
        let grafted = match kind {
            PatchKind::Repair { grafted, .. } => grafted.len(),
            PatchKind::Editable => 0,
        };
        let predicted = self.ask(|backend| backend.patch_required(audit, kind))?;
        if predicted.len() != audit.artifacts.len() + grafted {
            let what = "predicts for another number of files than it was asked for";
            return Err(fault(self.backend, what, None));
        }
        Ok(predicted)
    }

    /// Whether the edits of `subject` are asked for.
    pub fn asks(&self, subject: Subject<'_>, predicted: bool) -> bool {
        predicted || (self.distrusts && subject.result().status == Status::Active)
    }

    /// The edits of `old`, which fit it and were `predicted` if there are any.
    pub fn edits(
        &self,
        subject: Subject<'_>,
        old: &[u8],
        kind: &PatchKind<'_>,
        predicted: bool,
    ) -> Result<Vec<Edit>> {
        let path = subject.path();
        let wrong = |what: &str| Err(fault(self.backend, what, Some(&path.to_string())));
        let edits = self.ask(|backend| backend.patch(subject, old, kind)).locate(path)?;
        if let Err(why) = edit::check(old.len() as u64, &edits) {
            return wrong(&format!("gives an edit that does not fit: {why}"));
        }
        if !predicted && !edits.is_empty() {
            return wrong("predicts no change, but changes it");
        }
        Ok(edits)
    }

    /// Nothing in the package may stand where a library is carried to, but for a copy that an earlier repair carried
    /// there under a name that its bytes determine.
    fn check_room(&self, grafted: &[GraftedLib]) -> Result<()> {
        for lib in grafted {
            if install_path(&lib.path).scheme != Scheme::Root {
                return Err(Error::new("libraries can't be carried to .data, which is installed elsewhere")
                    .at(&lib.path)
                    .hint("name a directory of the package")
                    .into());
            }
            let at = Location::Package(lib.path.clone());
            let replaces = lib.renamed && self.artifacts.iter().any(|artifact| artifact.path == lib.path);
            let mut taken = self.files.find(&at).filter(|_| !replaces).map(|_| lib.path.clone());
            if self.files.is_dir(&at) {
                taken = Some(lib.path.clone());
            }
            let mut dir = lib.path.parent();
            while dir != PackagePath::root() {
                if self.files.find(&Location::Package(dir.clone())).is_some() {
                    taken = Some(dir.clone());
                }
                dir = dir.parent();
            }
            if let Some(taken) = taken {
                return Err(Error::new(format!(
                    "stands where {} would be carried to ({})",
                    lib.original, lib.path
                ))
                .at(taken)
                .hint("carry it to another directory: --lib-sdir (of a bundle --libs-dir), or --include LIB=DEST")
                .into());
            }
        }
        Ok(())
    }
}

/// The subjects of a package, by name, that have a need with such a target.
pub fn needed_by(audit: &Audit, leads: impl Fn(Target) -> bool) -> Vec<String> {
    let artifacts = audit.artifacts.iter().map(|a| (a.artifact.path.to_string(), &a.result));
    let libraries = audit.libraries.iter().map(|lib| (lib.name.clone(), &lib.result));
    let mut names: Vec<String> = artifacts
        .chain(libraries)
        .filter(|(_, result)| result.needs.iter().any(|need| leads(need.target)))
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names.dedup();
    names
}

pub fn missing(audit: &Audit) -> Error {
    let mut what = match audit.missing.as_slice() {
        [_] => "a library that must be carried was found nowhere".to_owned(),
        several => format!("{} libraries that must be carried were found nowhere", several.len()),
    };
    for lib in &audit.missing {
        what.push_str(&format!("\n  {}, needed by {}", lib.name, lib.needed_by.join(", ")));
        for tried in &lib.tried {
            what.push_str(&format!("\n    {} ({}): {}", tried.path, tried.rule, tried.why));
        }
    }
    Error::new(what)
        .hint("name the directory with --lib-dir, or leave a library to the target with --exclude NAME")
}

pub fn fault(backend: &dyn Repairer, what: &str, path: Option<&String>) -> anyhow::Error {
    let error = Error::new(format!("{what} (the {} backend contradicts itself)", backend.about().name))
        .hint("nothing was written; please report this with the input");
    match path {
        Some(path) => error.at(path).into(),
        None => error.into(),
    }
}

/// Bytes with edits; made anew each time they are opened, so that no more of them is held than is in use.
struct Patched {
    source: Arc<dyn ByteSource>,
    edits: Vec<Edit>,
    size: u64,
}

impl Patched {
    fn new(source: Arc<dyn ByteSource>, edits: Vec<Edit>) -> Self {
        let grown: u64 = edits.iter().map(|edit| edit.bytes.len() as u64).sum();
        let size = source.size().saturating_add(grown);
        Patched { source, edits, size }
    }
}

impl ByteSource for Patched {
    fn size(&self) -> u64 {
        self.size
    }
    fn open(&self) -> Result<Bytes> {
        Ok(Bytes::from(apply(&self.source.open()?, &self.edits)?))
    }
}
