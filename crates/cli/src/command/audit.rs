//! What `show` and `tree` share: an audit per input, and a report of each.

use std::path::PathBuf;

use spokeshave_core::pipeline::{AuditReport, Engine};
use spokeshave_core::{OptionValues, Repairer, Result};

use super::{environment, lossy, report_failure, warn};
use crate::args::{SearchArgs, TerminalArgs};
use crate::exit::Exit;
use crate::terminal::{Console, Output};
use crate::{formats, inputs};

/// What a command that only looks is given.
pub struct Look<'a> {
    pub inputs: &'a [PathBuf],
    pub search: &'a SearchArgs,
    pub json: bool,
    pub backends: &'a [&'static dyn Repairer],
    pub given: OptionValues,
    pub terminal: &'a TerminalArgs,
}

impl Look<'_> {
    /// Audits the inputs one after the other and prints `render` of each report, or its JSON.
    pub fn run(self, render: impl Fn(&AuditReport, bool) -> String, out: &mut Output) -> Result<Exit> {
        let (options, env) = (self.search.options(self.given)?, environment());
        warn(&self.search.warnings(), self.terminal);
        let mut exit = Exit::Done;
        let mut printed = false;
        for input in inputs::expand(self.inputs) {
            let audited = input.and_then(|input| {
                let console = Console::new(self.terminal, false, self.json, "");
                let engine =
                    Engine { backends: self.backends, options: &options, env: &env, events: &console };
                let report =
                    engine.audit(&input).map_err(|error| formats::explain(error, &input, self.backends));
                let told = console.finish(report.as_ref().map_or(&[], |report| &report.warnings));
                report.map(|report| (report, told)).map_err(|error| (input, error))
            });
            match audited {
                Ok((mut report, told)) => {
                    report.warnings.extend(told);
                    if self.json {
                        report.input = lossy(&report.input);
                        out.json(&report)?;
                    } else if !self.terminal.quiet {
                        let gap = if printed { "\n" } else { "" };
                        out.text(&format!("{gap}{}", render(&report, self.terminal.verbose)))?;
                        printed = true;
                    }
                }
                Err((input, error)) => {
                    report_failure(&input, error, self.json, out)?;
                    exit = Exit::Failed;
                }
            }
        }
        Ok(exit)
    }
}
