//! The backend as core sees it.

use std::sync::Arc;

use spokeshave_core::{
    About, Artifact, Audit, Context, Edit, FactsCache, FileId, Layout, NameHash, OptionSpec, OptionValue,
    PackagePath, PatchKind, Registration, Repairer, Result, Subject, Which,
};

use crate::facts::MachoFacts;
use crate::merge::Lipo;
use crate::plan::plan;
use crate::{audit, edit, image};

pub(crate) struct Macho;

inventory::submit! { Registration(&Macho) }

static ABOUT: About = About {
    name: "macho",
    formats: "Mach-O (macOS)",
    tag_prefixes: &["macosx"],
    options: &[
        OptionSpec {
            name: "require-archs",
            value: OptionValue::One("ARCHS"),
            env: None,
            help: "Carry only libraries for all of these: universal2, intel, or a list like x86_64,arm64",
        },
        OptionSpec {
            name: "executable-path",
            value: OptionValue::One("DIR"),
            env: None,
            help: "What @executable_path stands for in a library",
        },
        OptionSpec {
            name: "no-sanitize-rpaths",
            value: OptionValue::Flag,
            env: None,
            help: "Keep search paths that mean nothing on another machine",
        },
        OptionSpec {
            name: "in-package",
            value: OptionValue::Flag,
            env: None,
            help: "Carry libraries to PACKAGE/.dylibs: the package named like the wheel, or else its first",
        },
    ],
    hash_before: ".dylib",
    name_hash: NameHash::File,
    folds_case: false,
    strips: false,
    merge: Some(&Lipo),
};

impl Repairer for Macho {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn recognizes(&self, head: &[u8], _len: u64) -> bool {
        image::recognizes(head)
    }

    fn audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
        audit::audit(set, cx)
    }

    fn note(&self, file: FileId, bytes: &[u8], cache: &FactsCache) -> Result<()> {
        cache.insert(file, Arc::new(MachoFacts::read(bytes)?));
        Ok(())
    }

    fn patch_required(&self, audit: &Audit, kind: &PatchKind<'_>) -> Result<Vec<bool>> {
        let artifacts = (0..audit.artifacts.len()).map(Which::Artifact);
        let grafted = match kind {
            PatchKind::Repair { grafted, .. } => *grafted,
            PatchKind::Editable => &[],
        };
        let subjects = artifacts.chain(grafted.iter().map(Which::Grafted));
        subjects.map(|which| Ok(!plan(Subject { audit, which }, kind)?.is_empty())).collect()
    }

    fn patch(&self, subject: Subject<'_>, old: &[u8], kind: &PatchKind<'_>) -> Result<Vec<Edit>> {
        let changes = plan(subject, kind)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        edit::patch(old, &changes)
    }

    fn libs_dir(&self, layout: &Layout<'_>) -> Result<PackagePath> {
        let (dist, suffix, package) = match *layout {
            Layout::Wheel { dist, suffix, packages, options, .. } if options.flag("in-package") => {
                let named = packages.iter().find(|package| package.as_str() == dist);
                (dist, suffix, named.or(packages.first()))
            }
            Layout::Wheel { dist, suffix, .. } | Layout::Bundle { dist, suffix, .. } => (dist, suffix, None),
        };
        let suffix = suffix.unwrap_or(".dylibs");
        Ok(match package {
            Some(package) => package.join(suffix)?,
            None => PackagePath::new(&format!("{dist}{suffix}"))?,
        })
    }
}
