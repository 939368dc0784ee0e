//! `spokeshave tree`: the dependency tree, with the rule that found each library.

use spokeshave_core::{OptionValues, Repairer, Result};

use super::audit::Look;
use crate::args::{TerminalArgs, TreeArgs};
use crate::exit::Exit;
use crate::render;
use crate::terminal::Output;

/// Prints the tree of each input; one that fails is reported and the rest go on.
pub fn tree(
    args: &TreeArgs,
    backends: &[&'static dyn Repairer],
    given: OptionValues,
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    let look =
        Look { inputs: &args.inputs, search: &args.search, json: args.json, backends, given, terminal };
    look.run(render::tree, out)
}
