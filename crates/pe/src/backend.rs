//! The backend as core sees it.

use std::sync::Arc;

use spokeshave_core::{
    About, Artifact, Audit, Context, Edit, FactsCache, FileId, GraftedLib, Layout, NameHash, OptionSpec,
    OptionValue, PackagePath, PatchKind, PyPackage, PyPatch, Registration, Repairer, Result, Subject, Which,
};

use crate::facts::PeFacts;
use crate::plan::plan;
use crate::{audit, edit, python};

pub(crate) struct Pe;

inventory::submit! { Registration(&Pe) }

const fn flag(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { name, value: OptionValue::Flag, env: None, help }
}

const fn many(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { name, value: OptionValue::Many(value), env: None, help }
}

static ABOUT: About = About {
    name: "pe",
    formats: "PE (Windows)",
    tag_prefixes: &["win"],
    options: &[
        many("never-modify", "GLOB", "Carry these byte for byte, as Microsoft's runtime is (repeatable)"),
        flag("modify-runtime", "Rename Microsoft's runtime as other libraries"),
        flag("no-mangle-all", "Carry all libraries under their own names"),
        flag("analyze-existing", "Look into the DLLs of a wheel, too, not only its extension modules"),
        flag("analyze-existing-exes", "Look into the programs of a wheel, too"),
        flag("ignore-existing", "Accepted for delvewheel's users: what the wheel has is always used"),
        flag("include-symbols", "Carry the .pdb file beside a library, too"),
        flag("include-imports", "Carry the .lib file beside a library, too"),
        many("namespace-pkg", "PKG", "A namespace package, whose __init__.py is not touched (repeatable)"),
        flag(
            "custom-patch",
            "Put the start-up code where `# delvewheel: patch` or `# spokeshave: patch` stands",
        ),
    ],
    hash_before: ".dll",
    name_hash: NameHash::Closure,
    folds_case: true,
    strips: false,
    merge: None,
};

/// Whether a file of `len` bytes that begins with `head` is a PE file: a DOS header that leads to `PE\0\0`.
pub(crate) fn recognizes(head: &[u8], len: u64) -> bool {
    if !head.starts_with(b"MZ") {
        return false;
    }
    let Some(e_lfanew) = head.get(0x3c..0x40).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
    else {
        return false;
    };
    let signature = usize::try_from(e_lfanew).ok().and_then(|at| head.get(at..)?.get(..4));
    match signature {
        Some(signature) => signature == b"PE\0\0",
        // Headers that far behind are legal and rare.
        None => e_lfanew as usize >= head.len() && u64::from(e_lfanew).saturating_add(24) <= len,
    }
}

impl Repairer for Pe {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn recognizes(&self, head: &[u8], len: u64) -> bool {
        recognizes(head, len)
    }

    fn audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit> {
        audit::audit(set, cx)
    }

    fn note(&self, file: FileId, bytes: &[u8], cache: &FactsCache) -> Result<()> {
        cache.insert(file, Arc::new(PeFacts::read(bytes)?));
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

    fn init_py_patch(
        &self,
        audit: &Audit,
        grafted: &[GraftedLib],
        package: &PyPackage<'_>,
    ) -> Result<Vec<PyPatch>> {
        python::patches(audit, grafted, package)
    }

    fn libs_dir(&self, layout: &Layout<'_>) -> Result<PackagePath> {
        match layout {
            Layout::Wheel { dist, suffix, options, audit, files, .. } => {
                let beside = python::beside(audit, files, options)?;
                let apart = || PackagePath::new(&format!("{dist}{}", suffix.unwrap_or(".libs")));
                Ok(beside.map_or_else(apart, Ok)?)
            }
            // A program finds what lies beside it.
            Layout::Bundle { artifact_dir, .. } => Ok((*artifact_dir).clone()),
        }
    }
}
