//! The command line of spokeshave: arguments in, the engine called, a report out.
//!
//! Only this crate prints. Data goes to stdout; errors, warnings and progress go to stderr.
//!
//! 1. `args` declares the options, those of the backends included, and turns them into the engine's.
//! 2. `command` has one file per subcommand.
//! 3. `cargo` runs cargo and finds out what it built.
//! 4. `render` turns reports into text.
//! 5. `terminal` writes it: broken pipes, errors with hints, events, the progress bar.
//! 6. `formats` is the one table that names formats which no linked backend may know.

mod args;
mod cargo;
mod command;
mod exit;
mod formats;
mod inputs;
mod render;
mod terminal;

use std::ffi::OsString;
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
    finish(std::env::args_os().collect())
}

/// The same as `cargo spokeshave`: cargo's word for it is dropped and the arguments are those of `spokeshave cargo`.
pub fn cargo_main() -> ExitCode {
    let mut given = std::env::args_os().skip(1).peekable();
    given.next_if(|word| word == "spokeshave");
    finish(["spokeshave".into(), "cargo".into()].into_iter().chain(given).collect())
}

fn finish(arguments: Vec<OsString>) -> ExitCode {
    let exit = run(arguments).unwrap_or_else(|error| {
        terminal::print_error(&error);
        Exit::Failed
    });
    exit.into()
}

fn run(arguments: Vec<OsString>) -> Result<Exit> {
    // Help and completions are there even if no backend is.
    let backends = spokeshave_core::backends();
    let declared = backends.as_deref().unwrap_or_default();
    let command = args::with_backends(Cli::command(), declared)?;
    let coloured = command.clone().color(args::color_of(arguments.iter().cloned()));
    let parsed = coloured.clone().try_get_matches_from(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        cli.check(coloured)?;
        Ok((cli, matches))
    });
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(usage) => return print_usage(&usage),
    };
    terminal::choose_color(cli.terminal.color);
    let given =
        matches.subcommand().map(|(_, given)| args::backend_values(given, declared)).unwrap_or_default();
    let mut out = Output::stdout();
    let exit = match &cli.command {
        Command::Repair(args) => command::repair(args, &backends?, given, &cli.terminal, &mut out),
        Command::Bundle(args) => command::bundle(args, &backends?, given, &cli.terminal, &mut out),
        Command::Cargo(args) => command::cargo(args, &backends?, given, &cli.terminal, &mut out),
        Command::Editable(args) => command::editable(args, &backends?, &cli.terminal, &mut out),
        Command::Merge(args) => command::merge(args, &backends?, &cli.terminal, &mut out),
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
