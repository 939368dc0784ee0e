//! The subcommands for plain build outputs.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use spokeshave_core::pipeline::{BundleOptions, Mode};
use spokeshave_core::{Globs, OptionValues, Options, PackagePath, Result};

use super::values;
use super::{MangleArgs, SearchArgs, jobs};

/// `spokeshave bundle`
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// Programs and shared libraries, all for one target; they are read and never changed
    #[arg(required = true, value_name = "BINARY")]
    pub binaries: Vec<PathBuf>,
    /// The directory that the bundle becomes, whole or not at all; one that an earlier bundle made is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Name of the whole, after which the directory for the carried libraries is named [default: that of the first
    /// binary]
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub dist_name: Option<String>,
    /// What is done and how.
    #[command(flatten)]
    pub settings: BundleSettings,
}

/// `spokeshave cargo`
#[derive(Debug, Args)]
#[command(version)]
#[command(after_help = "Examples:\n  spokeshave cargo -- build --release\n  \
    cargo spokeshave -o dist -- build --release --bin app --target x86_64-unknown-linux-gnu")]
pub struct CargoArgs {
    /// What cargo is given: a subcommand that builds, and its options
    #[arg(required = true, value_name = "CARGO_ARGUMENTS", trailing_var_arg = true)]
    pub arguments: Vec<OsString>,
    /// The directory that the bundle becomes, whole or not at all; one that an earlier bundle made is replaced
    /// [default: `spokeshave` beside what cargo built, or `spokeshave-bundle` where that is a program]
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Name of the whole, after which the directory for the carried libraries is named [default: that of the package]
    #[arg(long, value_name = "NAME", value_parser = values::name)]
    pub dist_name: Option<String>,
    /// What is done and how.
    #[command(flatten)]
    pub settings: BundleSettings,
}

/// What `bundle` and `cargo` share.
#[derive(Debug, Args)]
pub struct BundleSettings {
    /// What is done with libraries that the target will not have
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ModeArg::Repair)]
    pub mode: ModeArg,
    /// Where in the bundle the binaries go [default: its root]
    #[arg(long, value_name = "DIR-IN-BUNDLE", value_parser = PackagePath::new)]
    pub artifact_dir: Option<PackagePath>,
    /// Where in the bundle the carried libraries go [default: a directory named after the whole, as `app.libs`]
    #[arg(long, value_name = "DIR-IN-BUNDLE", value_parser = PackagePath::new)]
    pub libs_dir: Option<PackagePath>,
    /// A directory that the build linked from (repeatable)
    #[arg(long, value_name = "DIR", value_parser = PathBufValueParser::new().try_map(std::path::absolute))]
    pub linked_path: Vec<PathBuf>,
    /// What to look for and where
    #[command(flatten)]
    pub search: SearchArgs,
    /// What carried libraries are called.
    #[command(flatten)]
    pub mangle: MangleArgs,
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
    /// Print one JSON object on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `spokeshave editable`
#[derive(Debug, Args)]
pub struct EditableArgs {
    /// A program or shared library; it is read and never changed
    #[arg(value_name = "BINARY")]
    pub binary: PathBuf,
    /// The file that the copy becomes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A directory that the build linked from, which the copy is to search when it runs (repeatable)
    #[arg(long, value_name = "DIR", value_parser = PathBufValueParser::new().try_map(std::path::absolute))]
    pub linked_path: Vec<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What is done with external libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// They are carried along
    Repair,
    /// They are an error; nothing is written
    Check,
    /// The binaries are bundled as they are, nobody looks
    Skip,
}

impl BundleSettings {
    /// What is odd about the values but may be meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.search.warnings();
        warnings.extend(absent(&self.linked_path));
        warnings
    }

    /// The engine's options.
    pub fn options(&self, backend: OptionValues) -> Result<Options> {
        Ok(Options {
            mangle_included: self.mangle.mangle_included,
            no_mangle: Globs::new(&self.mangle.no_mangle)?,
            strip: self.strip,
            ..self.search.options(backend)?
        })
    }

    /// What concerns only bundles.
    pub fn bundle_options(&self, out: PathBuf, dist_name: String) -> BundleOptions {
        BundleOptions {
            out,
            dist_name,
            artifact_dir: self.artifact_dir.clone().unwrap_or_default(),
            libs_dir: self.libs_dir.clone(),
            mode: self.mode.into(),
            sbom: !self.no_sbom,
            dry_run: self.dry_run,
            jobs: jobs(self.jobs),
        }
    }
}

impl EditableArgs {
    /// What is odd about the values but may be meant.
    pub fn warnings(&self) -> Vec<String> {
        absent(&self.linked_path).collect()
    }
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Repair => Mode::Repair,
            ModeArg::Check => Mode::Check,
            ModeArg::Skip => Mode::Skip,
        }
    }
}

fn absent(linked_paths: &[PathBuf]) -> impl Iterator<Item = String> {
    let absent = linked_paths.iter().filter(|dir| !dir.is_dir());
    absent.map(|dir| format!("--linked-path {}: no such directory", dir.display()))
}
