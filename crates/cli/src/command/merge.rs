//! `spokeshave merge`: wheels for different processors in, one wheel for all of them out.

use std::path::{Path, PathBuf};

use spokeshave_core::pipeline::{Engine, MergeReport};
use spokeshave_core::{Options, Repairer, Result};

use super::{environment, lossy, report_failed_output};
use crate::args::{MergeArgs, TerminalArgs};
use crate::exit::Exit;
use crate::terminal::{Console, Output};
use crate::{formats, inputs, render};

/// Merges the wheels.
pub fn merge(
    args: &MergeArgs,
    backends: &[&'static dyn Repairer],
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    let (options, env) = (Options::default(), environment());
    let console = Console::new(terminal, true, args.json, "");
    let engine = Engine { backends, options: &options, env: &env, events: &console };
    let report = wheels(&args.wheels).and_then(|wheels| {
        let paths: Vec<&Path> = wheels.iter().map(PathBuf::as_path).collect();
        let explained = |error| match paths.first() {
            Some(first) => formats::explain(error, first, backends),
            None => error,
        };
        engine.merge(&paths, &args.options()).map_err(explained)
    });
    console.finish(report.as_ref().map_or(&[], |report| &report.warnings));
    match report {
        Ok(report) if args.json => out.json(&printable(report))?,
        Ok(_) if terminal.quiet => {}
        Ok(report) => out.text(&render::merge(&report, console.elapsed(), terminal.verbose))?,
        Err(error) => return report_failed_output(None, &error, args.json, out),
    }
    Ok(Exit::Done)
}

/// The wheels that the arguments mean; all must be there.
fn wheels(arguments: &[PathBuf]) -> Result<Vec<PathBuf>> {
    inputs::expand(arguments).into_iter().map(|input| input.map_err(|(_, error)| error)).collect()
}

/// With paths that JSON can hold.
fn printable(mut report: MergeReport) -> MergeReport {
    for path in report.inputs.iter_mut().chain([&mut report.output]) {
        *path = lossy(path);
    }
    report
}
