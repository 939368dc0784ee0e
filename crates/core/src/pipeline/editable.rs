//! The third door: a build output in, a copy out whose runtime search path also leads to its linked paths.

use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;

use super::origins::{Group, during, groups, places};
use super::patch::{Input, fault};
use super::{EditableReport, Engine, Origin};
use crate::staging::stage;
use crate::{
    Artifact, Audit, Bytes, Error, Event, FactsCache, Files, PackagePath, PatchKind, Result, Status, Subject,
    Which, apply,
};

const KIND: PatchKind<'_> = PatchKind::Editable;

pub fn editable(engine: &Engine<'_>, origin: &Origin, output: &Path) -> Result<EditableReport> {
    let places = places(from_ref(origin), &PackagePath::root())?;
    let staged = stage(from_ref(&origin.path), output, engine.events)?;
    let groups = groups(engine, from_ref(origin), &places, Some(&staged))?;
    let (Some(staged), Some(group)) = (staged.into_iter().next(), groups.into_iter().next()) else {
        return Err(Error::new("was not staged").at(origin.path.display()).into());
    };

    let during = during(group.backend);
    let (cache, watch) = (FactsCache::default(), || staged.check(&during));
    let work = input(&group, &group.files, &group.artifacts, &cache, &watch);
    let audit = work.audit(engine)?;
    let changes = work.predict(&audit, &KIND)?.contains(&true);
    let subject = Subject { audit: &audit, which: Which::Artifact(0) };
    let old = staged.source().open()?;
    let edits = match work.asks(subject, changes) {
        true => work.edits(subject, &old, &KIND, changes)?,
        false => Vec::new(),
    };

    let mut report = EditableReport {
        origin: origin.path.clone(),
        output: output.to_path_buf(),
        backend: group.backend.about().name,
        linked_paths: origin.linked_paths.clone(),
        patched: !edits.is_empty(),
        warnings: Vec::new(),
    };
    let delivered = if edits.is_empty() {
        let why = unchanged(&work, &audit)?;
        report.warnings.push(format!("{} is a plain copy: {why}", output.display()));
        staged.deliver(output)?
    } else {
        let restored = staged.restore_origin()?;
        let new = Bytes::from(apply(&old, &edits)?);
        let (mut files, mut artifacts) = (group.files.clone(), group.artifacts.clone());
        for artifact in &mut artifacts {
            artifact.source = Arc::new(new.clone());
            files.insert(artifact.path.clone(), artifact.source.clone(), artifact.mode);
        }
        let watch = || restored.check(&during);
        let work = input(&group, &files, &artifacts, &cache, &watch);
        if work.predict(&work.audit(engine)?, &KIND)?.contains(&true) {
            let path = origin.path.display().to_string();
            return Err(fault(work.backend, "would extend the search path again", Some(&path)));
        }
        restored.deliver(Some(&new), output)?
    };
    report.warnings.extend(delivered.finalize());
    for warning in &report.warnings {
        engine.events.event(Event::Warning(warning.clone()));
    }
    Ok(report)
}

fn input<'a>(
    group: &Group,
    files: &'a Files,
    artifacts: &'a [Artifact],
    cache: &'a FactsCache,
    watch: &'a (dyn Fn() -> Result<()> + Sync),
) -> Input<'a> {
    Input {
        backend: group.backend,
        files,
        artifacts,
        claimed: &[],
        pythons: &[],
        libs_dir: PackagePath::root(),
        jobs: 1,
        cache,
        watch,
        distrusts: true,
    }
}

/// Why the search path is not extended.
fn unchanged(work: &Input<'_>, audit: &Audit) -> Result<String> {
    let Some(audited) = audit.artifacts.first() else { return Ok(String::new()) };
    if let Status::Inert(why) | Status::Foreign(why) = &audited.result.status {
        return Ok(format!("it is not patched ({why})"));
    }
    if audited.artifact.linked_paths.is_empty() {
        return Ok("no linked path is given".to_owned());
    }
    // Would the backend add a path that is not there?
    let mut probe = audit.clone();
    for audited in &mut probe.artifacts {
        audited.artifact.linked_paths = vec![PathBuf::from("/spokeshave/linked/path")];
    }
    Ok(if work.predict(&probe, &KIND)?.contains(&true) {
        "its search path leads to the linked paths already".to_owned()
    } else {
        format!("the format has no runtime search path ({})", work.backend.about().formats)
    })
}
