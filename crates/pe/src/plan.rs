//! The one planner: what is to change in a binary. Prediction and patch both call it on the same facts.

use std::sync::Arc;

use spokeshave_core::{
    AuditResult, Error, GraftedLib, PackagePath, PatchKind, Result, Status, Subject, Target, Which,
};

use crate::change::{Changes, same_name};
use crate::facts::PeFacts;

/// What the PE backend keeps in [`AuditResult::detail`].
pub struct Detail {
    /// What was read from the file.
    pub facts: Arc<PeFacts>,
    /// Whether it may not change.
    pub verbatim: bool,
}

/// The detail of a file that this backend audited.
///
/// # Errors
/// When the audit is not this backend's.
pub fn detail(result: &AuditResult) -> Result<&Detail> {
    let detail = result.detail.downcast_ref::<Detail>();
    detail.ok_or_else(|| Error::new("this audit was not made by the pe backend").into())
}

/// What `kind` asks for in `subject`: other names for what is carried under another name. (The format has no search path
/// that could be extended.)
///
/// # Errors
/// When the audit is not this backend's, or a file that may not change would have to.
pub fn plan(subject: Subject<'_>, kind: &PatchKind<'_>) -> Result<Changes> {
    let result = subject.result();
    let detail = detail(result)?;
    let PatchKind::Repair { grafted, libs_dir, .. } = kind else { return Ok(Changes::default()) };
    if result.status != Status::Active {
        return Ok(Changes::default());
    }
    let mut imports: Vec<(String, String)> = Vec::new();
    for need in &result.needs {
        let Target::Library(index) = need.target else { continue };
        let Some(lib) = grafted.iter().find(|lib| lib.libraries.contains(&index)) else { continue };
        within_reach(subject, lib, libs_dir)?;
        if !same_name(&need.name, &lib.name) {
            imports.push((need.name.clone(), lib.name.clone()));
        }
    }
    match imports.first() {
        Some((old, new)) if detail.verbatim => {
            Err(Error::new(format!("may not be changed, and asks for {old}, which is carried as {new}"))
                .at(subject.path())
                .hint("keep the name with --no-mangle, or allow the change (--modify-runtime)")
                .into())
        }
        _ => Ok(Changes { imports }),
    }
}

/// A program finds only what lies beside it.
fn within_reach(subject: Subject<'_>, lib: &GraftedLib, libs_dir: &PackagePath) -> Result<()> {
    let Which::Artifact(index) = subject.which else { return Ok(()) };
    let output = subject.audit.artifacts.get(index).is_some_and(|audited| audited.artifact.origin.is_some());
    if !output || lib.path.parent() == subject.path().parent() {
        return Ok(());
    }
    Err(Error::new(format!("needs {}, which would be carried to {libs_dir}", lib.original))
        .at(subject.path())
        .hint(
            "Windows looks for DLLs beside the program: leave out --libs-dir and the directory in --include",
        )
        .into())
}
