//! The backend as core sees it.

use std::sync::Arc;

use spokeshave_core::{
    About, Artifact, Audit, Context, Edit, FactsCache, FileId, Layout, NameHash, OptionSpec, OptionValue,
    PackagePath, PatchKind, Registration, Repairer, Result, Subject, Which,
};

use crate::facts::ElfFacts;
use crate::plan::plan;
use crate::{audit, edit};

struct Elf;

inventory::submit! { Registration(&Elf) }

static ABOUT: About = About {
    name: "elf",
    formats: "ELF (Linux, musl, Android)",
    tag_prefixes: &["linux", "manylinux", "musllinux", "android"],
    options: &[
        OptionSpec {
            name: "ldpaths",
            value: OptionValue::One("A:B"),
            env: None,
            help: "Search these directories in place of the system's list",
        },
        OptionSpec {
            name: "no-system-paths",
            value: OptionValue::Flag,
            env: None,
            help: "Search no directory of the system",
        },
        OptionSpec {
            name: "only-plat",
            value: OptionValue::Flag,
            env: None,
            help: "Write the tag that --plat asks for and no other, even if the wheel earns a better one",
        },
        OptionSpec {
            name: "disable-isa-ext-check",
            value: OptionValue::Flag,
            env: None,
            help: "Let binaries need a processor above the platform's baseline",
        },
    ],
    hash_before: ".so",
    name_hash: NameHash::File,
    folds_case: false,
    strips: true,
    merge: None,
};

impl Repairer for Elf {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn recognizes(&self, head: &[u8], _len: u64) -> bool {
        // gABI, "ELF Identification": EI_CLASS and EI_DATA are 1 or 2.
        matches!(head, [0x7f, b'E', b'L', b'F', 1 | 2, 1 | 2, ..])
    }

    fn audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
        audit::audit(set, cx)
    }

    fn note(&self, file: FileId, bytes: &[u8], cache: &FactsCache) -> Result<()> {
        cache.insert(file, Arc::new(ElfFacts::read(bytes)?));
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
        let (Layout::Wheel { dist, suffix, .. } | Layout::Bundle { dist, suffix, .. }) = layout;
        Ok(PackagePath::new(&format!("{dist}{}", suffix.unwrap_or(".libs")))?)
    }
}
