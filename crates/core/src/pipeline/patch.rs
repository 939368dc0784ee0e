//! Audit → graft → edits → the package as it will be, read back.

use std::sync::Arc;

use super::Engine;
use crate::parallel::parallel_map;
use crate::wheel::{Scheme, install_path};
use crate::{
    Artifact, Audit, ByteSource, Bytes, Context, Edit, Error, FactsCache, Files, GraftedLib, Locate as _,
    Location, Options, PackagePath, PatchKind, Repairer, Result, Role, Subject, Target, Which, apply, graft,
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

/// A package as it will be.
pub struct Repaired {
    files: Files,
    set: Vec<Artifact>,
}

impl Repaired {
    /// The bytes of the binary at `path`, which the backend takes note of when they are made, so that the read-back
    /// need not make them again.
    pub fn open(&self, path: &PackagePath, work: &Input<'_>) -> Result<Bytes> {
        let missing = || Error::new("is not in the repaired package").at(path);
        let found = self.files.find(&Location::Package(path.clone())).ok_or_else(missing)?;
        let bytes = found.source.open()?;
        work.backend.note(found.id, &bytes, work.cache).locate(path)?;
        Ok(bytes)
    }
}

/// What a plan is made of.
pub struct Input<'a> {
    pub backend: &'static dyn Repairer,
    pub files: &'a Files,
    pub artifacts: &'a [Artifact],
    pub claimed: &'a [String],
    pub libs_dir: PackagePath,
    pub jobs: usize,
    pub cache: &'a FactsCache,
}

impl Input<'_> {
    /// Audits the package.
    pub fn audit(&self, engine: &Engine<'_>) -> Result<Audit> {
        let cx = Context {
            options: engine.options,
            claimed_tags: self.claimed,
            env: engine.env,
            events: engine.events,
            files: self.files,
            cache: self.cache,
            jobs: self.jobs,
        };
        self.backend.audit(self.artifacts, &cx)
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
        let grafted = graft(&audit, &self.libs_dir, about.hash_before, engine.options, self.jobs)?;
        self.check_room(&grafted)?;
        let kind =
            PatchKind::Repair { grafted: &grafted, libs_dir: &self.libs_dir, strip: engine.options.strip };

        let subjects: Vec<Subject<'_>> = (0..audit.artifacts.len())
            .map(Which::Artifact)
            .chain(grafted.iter().map(Which::Grafted))
            .map(|which| Subject { audit: &audit, which })
            .collect();
        let predicted = self.backend.patch_required(&audit, &kind)?;
        if predicted.len() != subjects.len() {
            return Err(fault(
                self.backend,
                "predicts for another number of files than it was asked for",
                None,
            ));
        }
        let sources = subjects.iter().map(|subject| match subject.which {
            Which::Artifact(index) => audit.artifacts[index].artifact.source.clone(),
            Which::Grafted(lib) => lib.source.clone(),
        });
        let work: Vec<(Subject<'_>, Arc<dyn ByteSource>)> = subjects
            .iter()
            .copied()
            .zip(sources)
            .zip(predicted)
            .filter(|(_, changes)| *changes)
            .map(|(w, _)| w)
            .collect();
        let patched = parallel_map(self.jobs, &work, |(subject, source)| -> Result<Patched> {
            let old = source.open()?;
            let edits = self.backend.patch(*subject, &old, &kind).locate(subject.path())?;
            Ok(Patched::new(source.clone(), edits))
        });

        let mut artifacts: Vec<Option<Arc<dyn ByteSource>>> = vec![None; audit.artifacts.len()];
        let mut libraries: Vec<Arc<dyn ByteSource>> = grafted.iter().map(|lib| lib.source.clone()).collect();
        for ((subject, _), patched) in work.iter().zip(patched) {
            let patched = patched?;
            if patched.edits.is_empty() {
                continue;
            }
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
                .hint("carry it to another directory: --lib-sdir, or --include LIB=DEST")
                .into());
            }
        }
        Ok(())
    }

    /// The package as it will be.
    pub fn repaired(&self, plan: &Plan) -> Repaired {
        let mut files = self.files.clone();
        let mut set = self.artifacts.to_vec();
        for (artifact, patched) in set.iter_mut().zip(&plan.artifacts) {
            if let Some(patched) = patched {
                files.insert(artifact.path.clone(), patched.clone(), artifact.mode);
                artifact.source = patched.clone();
            }
        }
        set.retain(|artifact| !plan.grafted.iter().any(|lib| lib.path == artifact.path));
        for (lib, source) in plan.grafted.iter().zip(&plan.libraries) {
            files.insert(lib.path.clone(), source.clone(), lib.mode);
            set.push(Artifact {
                path: lib.path.clone(),
                tree: PackagePath::root(),
                origin: None,
                source: source.clone(),
                mode: lib.mode,
                linked_paths: Vec::new(),
            });
        }
        Repaired { files, set }
    }

    /// Audits the package as it will be: it must earn the same tags, need nothing from outside and be such that a
    /// second repair changes nothing.
    ///
    /// # Errors
    /// When it does not, which is a fault of the backend.
    pub fn read_back(&self, engine: &Engine<'_>, plan: &Plan, repaired: &Repaired) -> Result<()> {
        // What was carried is looked for in the package, not on the host again. A library that was kept out by the path
        // that it was found at stays out, though no path leads to it now.
        let kept_out = plan.audit.libraries.iter().filter(|lib| lib.role == Role::Excluded);
        let options = Options {
            exclude: engine.options.exclude.with_names(kept_out.flat_map(|lib| &lib.aliases))?,
            include: Vec::new(),
            lib_dirs: Vec::new(),
            ..engine.options.clone()
        };
        let mut env = engine.env.clone();
        env.retain(|name, _| !name.ends_with("LIBRARY_PATH"));
        let cx = Context {
            options: &options,
            claimed_tags: self.claimed,
            env: &env,
            events: &crate::Silent,
            files: &repaired.files,
            cache: self.cache,
            jobs: self.jobs,
        };
        let after = self.backend.audit(&repaired.set, &cx)?;
        if let Some((_, lib)) = after.external().next() {
            let who = needed_by(
                &after,
                |target| matches!(target, Target::Library(i) if after.libraries[i].name == lib.name),
            );
            return Err(fault(
                self.backend,
                &format!("the repaired package still needs {} from outside", lib.name),
                who.first(),
            ));
        }
        if let Some(missing) = after.missing.first() {
            return Err(fault(
                self.backend,
                &format!("the repaired package does not find {}", missing.name),
                missing.needed_by.first(),
            ));
        }
        let kind = PatchKind::Repair { grafted: &[], libs_dir: &self.libs_dir, strip: engine.options.strip };
        let again = self.backend.patch_required(&after, &kind)?;
        if let Some((artifact, _)) = after.artifacts.iter().zip(again).find(|(_, again)| *again) {
            let path = artifact.artifact.path.to_string();
            return Err(fault(self.backend, "a second repair would change the file again", Some(&path)));
        }
        if after.tags != plan.audit.tags || after.tags_as_is != plan.audit.tags {
            return Err(fault(
                self.backend,
                &format!(
                    "the repaired package earns {} where {} was planned",
                    list(&after.tags_as_is),
                    list(&plan.audit.tags)
                ),
                None,
            ));
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

fn missing(audit: &Audit) -> Error {
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

fn fault(backend: &dyn Repairer, what: &str, path: Option<&String>) -> anyhow::Error {
    let error = Error::new(format!("{what} (the {} backend contradicts itself)", backend.about().name))
        .hint("nothing was written; please report this with the wheel");
    match path {
        Some(path) => error.at(path).into(),
        None => error.into(),
    }
}

fn list(tags: &[String]) -> String {
    if tags.is_empty() { "no tag".to_owned() } else { tags.join(".") }
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
