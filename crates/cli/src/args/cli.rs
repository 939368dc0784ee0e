//! The subcommands and the options that belong to no backend.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{ArgAction, Args, ColorChoice, Parser, Subcommand};
use spokeshave_core::pipeline::{MergeOptions, WheelOptions};
use spokeshave_core::{Globs, Include, OptionValues, Options, Result};

use super::{BundleArgs, CargoArgs, EditableArgs, ModeArg, values};

/// Makes native binaries portable: finds the shared libraries that a wheel or a program needs and its target will not
/// have, carries copies of them along, and rewrites the references. On any host for any target, with no other program
/// installed.
#[derive(Debug, Parser)]
#[command(name = "spokeshave", version, max_term_width = 110)]
#[command(after_help = "Exit codes: 0 done, 1 failed (at least one input), 2 usage.")]
pub struct Cli {
    /// How to talk.
    #[command(flatten)]
    pub terminal: TerminalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the single options can't check. `command` is what they were parsed with.
    pub fn check(&self, mut command: clap::Command) -> Result<(), clap::Error> {
        match &self.command {
            Command::Bundle(args) if args.output.is_none() && args.settings.mode != ModeArg::Check => {
                let missing = "a bundle needs a place: --output <DIR> is missing";
                Err(command.error(clap::error::ErrorKind::MissingRequiredArgument, missing))
            }
            _ => Ok(()),
        }
    }
}

/// How to talk.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct TerminalArgs {
    /// Say more: nothing is folded
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print nothing but errors (and JSON, if asked for)
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Whether to use colours; `auto` looks at the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry the libraries that wheels need into them and give them the tag they earn
    Repair(RepairArgs),
    /// Make a directory of programs and shared libraries that runs anywhere: with them what they need
    Bundle(BundleArgs),
    /// Run cargo and bundle what it builds
    Cargo(CargoArgs),
    /// Make one wheel of wheels of one release that are for different processors: universal2
    Merge(MergeArgs),
    /// Copy a program or shared library so that it finds at run time what it was linked with
    Editable(EditableArgs),
    /// Say which platform tag an input earns and why no better one
    Show(ShowArgs),
    /// Print the dependency tree: where each library was found, by which rule
    Tree(TreeArgs),
    /// List the platform backends of this program
    Backends(BackendsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// `spokeshave repair`
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// The wheels; a pattern that the shell did not expand is expanded here
    #[arg(required = true, value_name = "WHEEL")]
    pub wheels: Vec<PathBuf>,
    /// Where the repaired wheels go; made when it is not there
    #[arg(short, long, value_name = "DIR", default_value = "wheelhouse")]
    pub wheel_dir: PathBuf,
    /// What to look for and where
    #[command(flatten)]
    pub search: SearchArgs,
    /// Keep the platform tags of the file name and of WHEEL as they are
    #[arg(long)]
    pub no_update_tags: bool,
    /// What carried libraries are called.
    #[command(flatten)]
    pub mangle: MangleArgs,
    /// Suffix of the directory for the carried libraries, after the distribution's name [default: the backend's, as
    /// `.libs`]
    #[arg(short = 'L', long, value_name = "SUFFIX")]
    pub lib_sdir: Option<String>,
    /// Compression of changed members, 0 (stored) to 9; unchanged ones are copied compressed
    #[arg(short = 'z', long, alias = "zip-compression-level", value_name = "N", default_value_t = 6)]
    #[arg(env = "AUDITWHEEL_ZIP_COMPRESSION_LEVEL", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=9))]
    pub compression_level: u32,
    /// Drop what no loader needs: symbols, debug information
    #[arg(long)]
    pub strip: bool,
    /// Write no bill of materials of what is carried
    #[arg(long)]
    pub no_sbom: bool,
    /// Make the plan and print it, write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Worker threads [default: as many as the machine has processors]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print one JSON object per wheel and line on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave merge`
#[derive(Debug, Args)]
#[command(
    after_help = "Binaries that differ are joined, with their signatures. What is the same, and what only some of the \
    wheels have, stays as it is. Other files that differ are an error that names them all."
)]
pub struct MergeArgs {
    /// Wheels of one release, each for other processors; they are read and never changed
    #[arg(required = true, num_args = 2.., value_name = "WHEEL")]
    pub wheels: Vec<PathBuf>,
    /// Where the merged wheel goes; made when it is not there
    #[arg(short, long, value_name = "DIR", default_value = "wheelhouse")]
    pub wheel_dir: PathBuf,
    /// Compression of joined members, 0 (stored) to 9; unchanged ones are copied compressed
    #[arg(short = 'z', long, value_name = "N", default_value_t = 6)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=9))]
    pub compression_level: u32,
    /// Make the plan and print it, write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Worker threads [default: as many as the machine has processors]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print one JSON object on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Wheels, binaries, or directories of binaries
    #[arg(required = true, value_name = "WHEEL|FILE|DIR")]
    pub inputs: Vec<PathBuf>,
    /// What to look for and where
    #[command(flatten)]
    pub search: SearchArgs,
    /// Print one JSON object per input and line on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave tree`
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// Binaries; of a wheel or a directory, everything that nothing else in it needs is a root
    #[arg(required = true, value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
    /// What to look for and where
    #[command(flatten)]
    pub search: SearchArgs,
    /// Print one JSON object per input and line on stdout: the graph, as `show --json` does
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave backends`
#[derive(Debug, Args)]
pub struct BackendsArgs {
    /// Print a JSON array on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// What to look for and where; the options that an audit understands.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The platform tag to reach, or `auto` for the best that is earned
    #[arg(
        long,
        value_name = "auto|TAG",
        default_value = "auto",
        env = "AUDITWHEEL_PLAT",
        hide_env_values = true
    )]
    pub plat: String,
    /// Search this directory before all others (repeatable)
    #[arg(short, long, visible_alias = "add-path", value_name = "DIR")]
    #[arg(value_parser = PathBufValueParser::new().try_map(std::path::absolute))]
    pub lib_dir: Vec<PathBuf>,
    /// The root directory of the target system, in place of this machine's
    #[arg(long, value_name = "DIR", value_parser = PathBufValueParser::new().try_map(values::directory))]
    pub sysroot: Option<PathBuf>,
    /// Leave a library outside, by soname, file name or real path (repeatable); the target must bring it
    #[arg(long, value_name = "GLOB", value_parser = values::glob)]
    pub exclude: Vec<String>,
    /// Carry a library that is only opened at run time, under its own name (repeatable)
    #[arg(long, value_name = "LIB[=DEST]", action = ArgAction::Append)]
    pub include: Vec<Include>,
}

/// What carried libraries are called.
#[derive(Debug, Args)]
pub struct MangleArgs {
    /// Carried libraries that keep their name, by soname or file name (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = values::glob)]
    pub no_mangle: Vec<String>,
    /// Give a hashed name to what `--include` brings, too
    #[arg(long)]
    pub mangle_included: bool,
}

/// Worker threads: as many as asked for, else as many as there are processors.
pub fn jobs(asked: Option<NonZeroUsize>) -> usize {
    asked.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

impl SearchArgs {
    /// What is odd about the values but may be meant.
    pub fn warnings(&self) -> Vec<String> {
        let absent = self.lib_dir.iter().filter(|dir| !dir.is_dir());
        absent.map(|dir| format!("--lib-dir {}: no such directory", dir.display())).collect()
    }

    /// The engine's options for an audit.
    pub fn options(&self, backend: OptionValues) -> Result<Options> {
        Ok(Options {
            plat: Some(self.plat.clone()).filter(|tag| !matches!(tag.as_str(), "" | "auto")),
            exclude: Globs::new(&self.exclude)?,
            include: self.include.clone(),
            lib_dirs: self.lib_dir.clone(),
            sysroot: self.sysroot.clone(),
            backend,
            ..Options::default()
        })
    }
}

impl RepairArgs {
    /// The engine's options for a repair.
    pub fn options(&self, backend: OptionValues) -> Result<Options> {
        Ok(Options {
            mangle_included: self.mangle.mangle_included,
            no_mangle: Globs::new(&self.mangle.no_mangle)?,
            strip: self.strip,
            ..self.search.options(backend)?
        })
    }

    /// What concerns only wheels.
    pub fn wheel_options(&self) -> WheelOptions {
        WheelOptions {
            wheel_dir: self.wheel_dir.clone(),
            lib_sdir: self.lib_sdir.clone(),
            update_tags: !self.no_update_tags,
            compression_level: self.compression_level,
            sbom: !self.no_sbom,
            dry_run: self.dry_run,
            jobs: jobs(self.jobs),
            taken: BTreeSet::new(),
        }
    }
}

impl MergeArgs {
    /// The engine's options for a merge.
    pub fn options(&self) -> MergeOptions {
        MergeOptions {
            wheel_dir: self.wheel_dir.clone(),
            compression_level: self.compression_level,
            dry_run: self.dry_run,
            jobs: jobs(self.jobs),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn declares_a_sound_command() {
        Cli::command().debug_assert();
    }

    #[test]
    fn auto_and_empty_ask_for_no_platform() {
        for (given, want) in [("auto", None), ("", None), ("manylinux2014", Some("manylinux2014"))] {
            let cli = Cli::try_parse_from(["spokeshave", "show", "--plat", given, "x"]).unwrap();
            let Command::Show(args) = cli.command else { panic!("show") };
            assert_eq!(args.search.options(OptionValues::default()).unwrap().plat.as_deref(), want);
        }
    }
}
