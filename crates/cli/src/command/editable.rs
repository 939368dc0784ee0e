//! `spokeshave editable`: a copy that finds at run time what it was linked with.

use spokeshave_core::pipeline::{EditableReport, Engine, Origin};
use spokeshave_core::{Options, Repairer, Result};

use super::{environment, lossy, report_failed_output, warn};
use crate::args::{EditableArgs, TerminalArgs};
use crate::exit::Exit;
use crate::terminal::{Console, Output};
use crate::{formats, render};

/// Makes the copy.
pub fn editable(
    args: &EditableArgs,
    backends: &[&'static dyn Repairer],
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    warn(&args.warnings(), terminal);
    let (options, env) = (Options::default(), environment());
    let console = Console::new(terminal, true, args.json, "");
    let engine = Engine { backends, options: &options, env: &env, events: &console };
    let origin = Origin { path: args.binary.clone(), linked_paths: args.linked_path.clone() };
    let report = engine.editable(&origin, &args.output);
    console.finish(report.as_ref().map_or(&[], |report| &report.warnings));
    match report {
        Ok(report) if args.json => out.json(&printable(report))?,
        Ok(_) if terminal.quiet => {}
        Ok(report) => out.text(&render::editable(&report))?,
        Err(error) => {
            let error = formats::explain(error, &args.binary, backends);
            return report_failed_output(Some(&args.output), &error, args.json, out);
        }
    }
    Ok(Exit::Done)
}

/// With paths that JSON can hold.
fn printable(mut report: EditableReport) -> EditableReport {
    for path in [&mut report.origin, &mut report.output].into_iter().chain(&mut report.linked_paths) {
        *path = lossy(path);
    }
    report
}
