//! The command line of spokeshave: arguments in, the engine called, a report out.
//!
//! Only this crate prints. Data goes to stdout; errors, warnings and progress go to stderr.
//!
//! 1. `args` declares the options, those of the backends included, and turns them into the engine's.
//! 2. `command` has one file per subcommand.
//! 3. `render` turns reports into text.
//! 4. `terminal` writes it: broken pipes, errors with hints, events, the progress bar.
//! 5. `formats` is the one table that names formats which no linked backend may know.

mod args;
mod command;
mod exit;
mod formats;
mod inputs;
mod render;
mod terminal;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use spokeshave_core::Result;

use args::{Cli, Command};
use exit::Exit;
use terminal::Output;

// A backend that is linked but never named is dropped by the linker, and its registration with it.
#[cfg(feature = "elf")]
use spokeshave_elf as _;
#[cfg(feature = "macho")]
use spokeshave_macho as _;
#[cfg(feature = "pe")]
use spokeshave_pe as _;

/// Runs the program on the process's own arguments and environment.
pub fn main() -> ExitCode {
    let exit = run().unwrap_or_else(|error| {
        terminal::print_error(&error);
        Exit::Failed
    });
    exit.into()
}

fn run() -> Result<Exit> {
    // Help and completions are there even if no backend is.
    let backends = spokeshave_core::backends();
    let declared = backends.as_deref().unwrap_or_default();
    let command = args::with_backends(Cli::command(), declared)?;
    let parsed = command.clone().color(args::color_of(std::env::args_os())).try_get_matches();
    let (cli, matches) = match parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches))) {
        Ok(parsed) => parsed,
        Err(usage) => return print_usage(&usage),
    };
    terminal::choose_color(cli.terminal.color);
    let given =
        matches.subcommand().map(|(_, given)| args::backend_values(given, declared)).unwrap_or_default();
    let mut out = Output::stdout();
    let exit = match &cli.command {
        Command::Repair(args) => command::repair(args, &backends?, given, &cli.terminal, &mut out),
        Command::Show(args) => command::show(args, &backends?, given, &cli.terminal, &mut out),
        Command::Tree(args) => command::tree(args, &backends?, given, &cli.terminal, &mut out),
        Command::Backends(args) => command::backends(args, &backends?, &mut out),
        Command::Completions(args) => command::completions(args, command, &mut out),
    }?;
    out.finish()?;
    Ok(exit)
}

/// Prints help, the version, or what is wrong with the command line.
fn print_usage(usage: &clap::Error) -> Result<Exit> {
    match usage.print() {
        // Help that nobody reads to its end (`--help | head`) is no error.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ if usage.use_stderr() => Ok(Exit::Usage),
        _ => Ok(Exit::Done),
    }
}
