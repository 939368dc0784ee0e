//! Cargo's messages, one JSON object a line: those that tell what was built.
//!
//! Source: The Cargo Book, "External tools", "JSON messages". Only the fields that are used are named here, so that a
//! cargo that says more, or says other things in other messages, is understood.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use spokeshave_core::Result;

/// One message.
#[derive(Debug)]
pub enum Message {
    /// `compiler-artifact`
    Artifact(CompilerArtifact),
    /// `build-script-executed`
    BuildScript(BuildScriptExecuted),
    /// `build-finished`: what comes behind it is the output of the programs that cargo runs.
    Finished,
    /// Any other.
    Other,
}

/// Something was compiled, now or before.
#[derive(Debug, Deserialize)]
pub struct CompilerArtifact {
    /// The package, as cargo's own id.
    pub package_id: String,
    /// Its `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// What of the package was compiled.
    pub target: Target,
    /// How.
    pub profile: Profile,
    /// The files that came out.
    pub filenames: Vec<PathBuf>,
    /// That of them which can be run.
    pub executable: Option<PathBuf>,
}

/// What of a package was compiled.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// `bin`, `example`, `test`, `bench`, `custom-build`, or what `crate-type` says of a library.
    pub kind: Vec<String>,
    /// `bin`, or what `crate-type` says.
    pub crate_types: Vec<String>,
}

/// How something was compiled.
#[derive(Debug, Deserialize)]
pub struct Profile {
    /// Whether it is its tests.
    pub test: bool,
}

/// A build script ran, now or before.
#[derive(Debug, Deserialize)]
pub struct BuildScriptExecuted {
    /// The package, as cargo's own id.
    pub package_id: String,
    /// What it printed as `rustc-link-search`.
    pub linked_paths: Vec<String>,
}

impl Message {
    /// The message that a line is; `None` when it is something else, such as the output of a program.
    ///
    /// # Errors
    /// When it is one of the messages above, but lacks what such a message has.
    pub fn parse(line: &[u8]) -> Result<Option<Message>> {
        #[derive(Deserialize)]
        struct Any {
            reason: String,
        }
        let Ok(Any { reason }) = serde_json::from_slice(line) else { return Ok(None) };
        let unknown =
            || format!("cargo's message `{reason}` is not what it was in the cargo that this was made for");
        Ok(Some(match reason.as_str() {
            "compiler-artifact" => Message::Artifact(serde_json::from_slice(line).with_context(unknown)?),
            "build-script-executed" => {
                Message::BuildScript(serde_json::from_slice(line).with_context(unknown)?)
            }
            "build-finished" => Message::Finished,
            _ => Message::Other,
        }))
    }
}
