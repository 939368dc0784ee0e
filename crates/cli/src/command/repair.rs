//! `spokeshave repair`: wheels in, repaired wheels out.

use std::path::Path;

use spokeshave_core::pipeline::{Engine, RepairReport, WheelOptions};
use spokeshave_core::{Error, OptionValues, Repairer, Result};

use super::{environment, lossy, report_failure, warn};
use crate::args::{RepairArgs, TerminalArgs};
use crate::exit::Exit;
use crate::terminal::{Console, Output};
use crate::{formats, inputs, render};

/// Repairs each wheel; one that fails is reported and the rest go on.
pub fn repair(
    args: &RepairArgs,
    backends: &[&'static dyn Repairer],
    given: OptionValues,
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    let (options, mut wheel, env) = (args.options(given)?, args.wheel_options(), environment());
    let wheels = inputs::expand_wheels(&args.wheels);
    warn(&args.search.warnings(), terminal);
    let several = wheels.len() > 1;
    let mut exit = Exit::Done;
    for input in wheels {
        let repaired = input.and_then(|input| {
            let name = input.file_name().unwrap_or_default().to_string_lossy();
            let prefix = if several { format!("{name}: ") } else { String::new() };
            let console = Console::new(terminal, true, args.json, prefix);
            let engine = Engine { backends, options: &options, env: &env, events: &console };
            let report = one(&engine, &input, &wheel);
            console.finish(report.as_ref().map_or(&[], |report| &report.warnings));
            report.map(|report| (report, console.elapsed())).map_err(|error| (input, error))
        });
        match repaired {
            Ok((mut report, elapsed)) => {
                wheel.taken.insert(report.output.clone());
                if args.json {
                    for path in [&mut report.input, &mut report.output] {
                        *path = lossy(path);
                    }
                    out.json(&report)?;
                } else if !terminal.quiet {
                    out.text(&render::repair(&report, elapsed, terminal.verbose))?;
                }
            }
            Err((input, error)) => {
                report_failure(&input, error, args.json, out)?;
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

fn one(engine: &Engine<'_>, input: &Path, wheel: &WheelOptions) -> Result<RepairReport> {
    if input.is_dir() {
        let hint = format!("name the wheels in it: {}", input.join("*.whl").display());
        return Err(Error::new("is a directory, not a wheel").at(input.display()).hint(hint).into());
    }
    engine.repair_wheel(input, wheel).map_err(|error| formats::explain(error, input, engine.backends))
}
