//! One file per subcommand.

mod audit;
mod backends;
mod completions;
mod repair;
mod show;
mod tree;

pub use backends::{BackendReport, backends};
pub use completions::completions;
pub use repair::repair;
pub use show::show;
pub use tree::tree;

use std::path::Path;

use serde::Serialize;
use spokeshave_core::Result;

use crate::terminal::{ErrorReport, Output, print_error};

/// What `--json` prints in place of a report.
#[derive(Serialize)]
struct Failure {
    input: String,
    error: ErrorReport,
}

/// Reports an input that failed; the run goes on.
fn report_failure(input: &Path, error: &anyhow::Error, json: bool, out: &mut Output) -> Result<()> {
    print_error(error);
    if json {
        out.json(&Failure { input: input.display().to_string(), error: ErrorReport::new(error) })?;
    }
    Ok(())
}

/// The environment as a value; what is not Unicode can't be a path list or a tag that is meant here.
fn environment() -> std::collections::BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
