//! `spokeshave bundle`: build outputs in, a directory that runs anywhere out.

use std::path::{Path, PathBuf};

use spokeshave_core::pipeline::{BundleReport, Engine, Origin};
use spokeshave_core::{OptionValues, Repairer, Result};

use super::{environment, from_here, lossy, report_failed_output, warn};
use crate::args::{BundleArgs, BundleSettings, TerminalArgs};
use crate::exit::Exit;
use crate::terminal::{Console, Output};
use crate::{formats, inputs, render};

/// Bundles the binaries into one directory.
pub fn bundle(
    args: &BundleArgs,
    backends: &[&'static dyn Repairer],
    given: OptionValues,
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    warn(&args.settings.warnings(), terminal);
    let output = args.output.as_deref();
    let binaries: Result<Vec<PathBuf>, _> = inputs::expand(&args.binaries).into_iter().collect();
    let binaries = match binaries {
        Ok(binaries) => binaries,
        Err((_, error)) => return report_failed_output(output, &error, args.settings.json, out),
    };
    let name = args.dist_name.clone().unwrap_or_else(|| stem(binaries.first()));
    let linked_paths = &args.settings.linked_path;
    let origins =
        binaries.into_iter().map(|path| Origin { path, linked_paths: linked_paths.clone() }).collect();
    let delivery = Delivery { settings: &args.settings, backends, given, terminal };
    delivery.run(origins, output, name, out)
}

/// A file's name without its extension.
pub fn stem(file: Option<impl AsRef<Path>>) -> String {
    let stem = file.as_ref().and_then(|file| file.as_ref().file_stem());
    stem.map_or_else(|| "bundle".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// How a bundle is made, whoever names its binaries.
pub struct Delivery<'a> {
    pub settings: &'a BundleSettings,
    pub backends: &'a [&'static dyn Repairer],
    pub given: OptionValues,
    pub terminal: &'a TerminalArgs,
}

impl Delivery<'_> {
    /// Makes the bundle `output`, which only a check does without, and prints what became of it.
    pub fn run(
        self,
        origins: Vec<Origin>,
        output: Option<&Path>,
        name: String,
        out: &mut Output,
    ) -> Result<Exit> {
        let (settings, terminal) = (self.settings, self.terminal);
        let (options, env) = (settings.options(self.given)?, environment());
        let bundle = settings.bundle_options(output.unwrap_or(Path::new("")).to_owned(), name);
        let console = Console::new(terminal, true, settings.json, "");
        let engine = Engine { backends: self.backends, options: &options, env: &env, events: &console };
        let report = engine.bundle(&origins, &bundle);
        console.finish(report.as_ref().map_or(&[], |report| &report.warnings));
        match report {
            Ok(report) if settings.json => out.json(&with_paths(report, lossy))?,
            Ok(_) if terminal.quiet => {}
            Ok(report) => {
                let report = with_paths(report, from_here);
                out.text(&render::bundle(&report, console.elapsed(), terminal.verbose))?;
            }
            Err(error) => {
                let error = origins
                    .iter()
                    .fold(error, |error, origin| formats::explain_at(error, &origin.path, self.backends));
                return report_failed_output(output, &error, settings.json, out);
            }
        }
        Ok(Exit::Done)
    }
}

/// The report with other paths.
fn with_paths(mut report: BundleReport, path: impl Fn(&Path) -> PathBuf) -> BundleReport {
    report.output = path(&report.output);
    for artifact in &mut report.artifacts {
        artifact.origin = path(&artifact.origin);
    }
    report
}
