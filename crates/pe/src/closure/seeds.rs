//! Which binaries of a package are looked into from the start.

use spokeshave_core::{Artifact, Context, PackagePath};

use crate::facts::PeFacts;

/// Whether `artifact` is looked into though nothing imports it: every build output; of a wheel the extension modules,
/// with `--analyze-existing` DLLs too, with `--analyze-existing-exes` programs too. (What a wheel has besides, it loads
/// in ways of its own.)
pub fn is_seed(artifact: &Artifact, facts: &PeFacts, cx: &Context<'_>) -> bool {
    if facts.inert.is_some() {
        return false;
    }
    if cx.claimed_pythons.is_empty() {
        return true;
    }
    let scripts = artifact.path.components().next().is_some_and(|first| first.ends_with(".scripts"));
    if artifact.tree != PackagePath::root() || scripts {
        return false;
    }
    let name = artifact.path.file_name().to_ascii_lowercase();
    let given = |option| cx.options.backend.flag(option);
    name.ends_with(".pyd")
        || (facts.is_dll && !facts.init_names.is_empty())
        || (facts.is_dll && given("analyze-existing"))
        || (!facts.is_dll && given("analyze-existing-exes"))
}
