//! The command line of spokeshave: arguments in, the engine called, a report out.
//!
//! Only this crate prints. Data goes to stdout; errors, warnings and progress go to stderr.
//!
//! 1. [`args`] declares the options, those of the backends included, and turns them into the engine's.
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

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

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
    let backends = spokeshave_core::backends();
    let declared = backends.as_deref().unwrap_or_default();
    let color = args::color_of(std::env::args_os());
    let matches =
        args::with_backends(Cli::command().color(color), declared).map(clap::Command::try_get_matches);
    let cli = match matches {
        Ok(Ok(matches)) => Cli::from_arg_matches(&matches).map(|cli| (cli, matches)),
        Ok(Err(usage)) => Err(usage),
        Err(error) => {
            terminal::print_error(&error);
            return Exit::Failed.into();
        }
    };
    let (cli, matches) = match cli {
        Ok(parsed) => parsed,
        Err(usage) => {
            // Help that nobody reads to its end (`--help | head`) is no error.
            let _ = usage.print();
            return if usage.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    terminal::choose_color(cli.terminal.color);
    let given =
        matches.subcommand().map(|(_, given)| args::backend_values(given, declared)).unwrap_or_default();
    let mut out = Output::stdout();
    let done = match &cli.command {
        Command::Repair(args) => {
            backends.and_then(|b| command::repair(args, &b, given, &cli.terminal, &mut out))
        }
        Command::Show(args) => backends.and_then(|b| command::show(args, &b, given, &cli.terminal, &mut out)),
        Command::Tree(args) => backends.and_then(|b| command::tree(args, &b, given, &cli.terminal, &mut out)),
        Command::Backends(args) => backends.and_then(|b| command::backends(args, &b, &mut out)),
        Command::Completions(args) => args::with_backends(Cli::command(), declared)
            .and_then(|c| command::completions(args, c, &mut out)),
    };
    let done = done.and_then(|exit| out.finish().map(|()| exit));
    done.unwrap_or_else(|error| {
        terminal::print_error(&error);
        Exit::Failed
    })
    .into()
}
