//! The package as it will be, audited once more before anyone can see it.

use super::Engine;
use super::patch::{Input, Plan, fault, needed_by};
use crate::{
    Artifact, Bytes, Context, Error, Files, Locate as _, Location, Options, PackagePath, PatchKind, Result,
    Role, Target,
};

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
        work.ask(|backend| backend.note(found.id, &bytes, work.cache)).locate(path)?;
        Ok(bytes)
    }
}

impl Input<'_> {
    /// The package as it will be.
    pub fn repaired(&self, plan: &Plan) -> Repaired {
        let mut files = self.files.clone();
        let mut set = self.artifacts.to_vec();
        for (artifact, patched) in set.iter_mut().zip(&plan.artifacts) {
            if let Some(patched) = patched {
                files.insert(artifact.path.clone(), patched.clone(), artifact.mode);
                artifact.source = patched.clone();
            }
            // It no longer lies where the build put it, and nobody has the directories that it was linked from.
            artifact.origin = None;
            artifact.linked_paths.clear();
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
        env.retain(|name, _| !name.ends_with("LIBRARY_PATH") && name != "PATH");
        let cx = Context {
            options: &options,
            claimed_tags: self.claimed,
            claimed_pythons: self.pythons,
            env: &env,
            events: &crate::Silent,
            files: &repaired.files,
            cache: self.cache,
            jobs: self.jobs,
        };
        let after = self.checked_audit(&repaired.set, &cx)?;
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
        let again = self.predict(&after, &kind)?;
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

fn list(tags: &[String]) -> String {
    if tags.is_empty() { "no tag".to_owned() } else { tags.join(".") }
}
