//! `spokeshave show`: which tag an input earns and why no better one.

use spokeshave_core::{OptionValues, Repairer, Result};

use super::audit::Look;
use crate::args::{ShowArgs, TerminalArgs};
use crate::exit::Exit;
use crate::render;
use crate::terminal::Output;

/// Shows each input; one that fails is reported and the rest go on.
pub fn show(
    args: &ShowArgs,
    backends: &[&'static dyn Repairer],
    given: OptionValues,
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    let look =
        Look { inputs: &args.inputs, search: &args.search, json: args.json, backends, given, terminal };
    look.run(render::show, out)
}
