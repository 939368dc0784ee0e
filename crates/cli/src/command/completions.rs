//! `spokeshave completions`: a script for a shell.

use spokeshave_core::Result;

use crate::args::CompletionsArgs;
use crate::exit::Exit;
use crate::terminal::Output;

/// Prints the script for `command`, which has the options of all backends.
pub fn completions(args: &CompletionsArgs, mut command: clap::Command, out: &mut Output) -> Result<Exit> {
    // Not straight to stdout: the generator panics when it can't write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "spokeshave", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
