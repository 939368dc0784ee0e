//! One file per subcommand.

mod audit;
mod backends;
mod bundle;
mod cargo;
mod completions;
mod editable;
mod merge;
mod repair;
mod show;
mod tree;

pub use backends::{BackendReport, backends};
pub use bundle::bundle;
pub use cargo::cargo;
pub use completions::completions;
pub use editable::editable;
pub use merge::merge;
pub use repair::repair;
pub use show::show;
pub use tree::tree;

use std::path::{Path, PathBuf};

use serde::Serialize;
use spokeshave_core::Result;

use crate::args::TerminalArgs;
use crate::exit::Exit;
use crate::terminal::{ErrorReport, Output, message, print_error, print_warning};

/// What `--json` prints in place of a report.
#[derive(Serialize)]
struct Failure {
    input: String,
    error: ErrorReport,
}

/// Reports an input that failed; the run goes on.
fn report_failure(input: &Path, error: anyhow::Error, json: bool, out: &mut Output) -> Result<()> {
    if json {
        out.json(&Failure { input: input.display().to_string(), error: ErrorReport::new(&error) })?;
    }
    // An error that names only a member does not say of which input.
    let name = input.file_name().unwrap_or_default().to_string_lossy();
    let named = message(&error).contains(&*name);
    print_error(&if named { error } else { error.context(input.display().to_string()) });
    Ok(())
}

/// What `--json` prints in place of the report of a deliverable that several inputs go into.
#[derive(Serialize)]
struct FailedOutput {
    output: Option<PathBuf>,
    error: ErrorReport,
}

/// Reports that `output` was not made.
fn report_failed_output(
    output: Option<&Path>,
    error: &anyhow::Error,
    json: bool,
    out: &mut Output,
) -> Result<Exit> {
    if json {
        out.json(&FailedOutput { output: output.map(lossy), error: ErrorReport::new(error) })?;
    }
    print_error(error);
    Ok(Exit::Failed)
}

/// The path with what is no Unicode replaced, as JSON needs it.
fn lossy(path: &Path) -> PathBuf {
    PathBuf::from(path.to_string_lossy().into_owned())
}

/// The path as someone in the working directory would write it.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path).to_owned()
}

/// Prints what is odd about the options.
fn warn(warnings: &[String], terminal: &TerminalArgs) {
    for warning in warnings.iter().filter(|_| !terminal.quiet) {
        print_warning(warning);
    }
}

/// The environment as a value; what is not Unicode can't be a path list or a tag that is meant here.
fn environment() -> std::collections::BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use serde_json::json;
    use spokeshave_core::Error;

    use super::*;
    use crate::render::samples;

    fn problems(schema: &str, values: &[serde_json::Value]) -> String {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut check = Command::new(spokeshave_testkit::python())
            .arg(format!("{root}/tests/validate.py"))
            .arg(format!("{root}/../../docs/{schema}.schema.json"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
        check.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        String::from_utf8(check.wait_with_output().unwrap().stderr).unwrap()
    }

    /// Reports that hold every field, which no single real input does.
    #[test]
    fn reports_match_their_schemas() {
        let error: anyhow::Error = Error::new("what").at("path").offset(7).hint("do").into();
        let failure = json!(Failure { input: "x".into(), error: ErrorReport::new(&error) });
        let mut audit = samples::audit();
        audit.files[0].needs[0].slice = Some("arm64".into());
        let refused = json!(audit);
        audit.refusal = None;
        assert_eq!(problems("show", &[refused, json!(audit), failure.clone()]), "");
        assert_eq!(problems("repair", &[json!(samples::repair()), failure]), "");
        let failed = |output| FailedOutput { output, error: ErrorReport::new(&error) };
        let failed = [json!(failed(None)), json!(failed(Some("dist".into())))];
        assert_eq!(problems("bundle", &[&[json!(samples::bundle())], &failed[..]].concat()), "");
        assert_eq!(problems("editable", &[&[json!(samples::editable())], &failed[1..]].concat()), "");
        assert_eq!(problems("merge", &[&[json!(samples::merge())], &failed[..]].concat()), "");
        assert!(problems("show", &[json!(samples::repair())]).contains("'files' is a required property"));
    }
}
