//! `spokeshave cargo`: cargo is run, and what it built is bundled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spokeshave_core::pipeline::Origin;
use spokeshave_core::{Error, OptionValues, Repairer, Result};

use super::bundle::{Delivery, stem};
use super::{environment, report_failed_output, warn};
use crate::args::{CargoArgs, TerminalArgs};
use crate::cargo::{Build, Invocation, environment_flags, linked_paths};
use crate::exit::Exit;
use crate::terminal::Output;

/// Builds and bundles.
pub fn cargo(
    args: &CargoArgs,
    backends: &[&'static dyn Repairer],
    given: OptionValues,
    terminal: &TerminalArgs,
    out: &mut Output,
) -> Result<Exit> {
    let json = args.settings.json;
    warn(&args.settings.warnings(), terminal);
    let built = match build(args, out) {
        Ok(built) => built,
        Err(error) => return report_failed_output(args.output.as_deref(), &error, json, out),
    };
    let output = args.output.clone().unwrap_or_else(|| built.default_output());
    let delivery = Delivery { settings: &args.settings, backends, given, terminal };
    delivery.run(built.origins, Some(&output), args.dist_name.clone().unwrap_or(built.name), out)
}

/// What cargo built, ready for a bundle.
struct Built {
    origins: Vec<Origin>,
    /// The directory of the first.
    beside: PathBuf,
    /// What the whole is called.
    name: String,
}

impl Built {
    /// Where the bundle goes when the user does not say: beside the first artifact, where no artifact is.
    fn default_output(&self) -> PathBuf {
        let usual = self.beside.join("spokeshave");
        let taken = self.origins.iter().any(|origin| origin.path == usual);
        if taken { self.beside.join("spokeshave-bundle") } else { usual }
    }
}

fn build(args: &CargoArgs, out: &mut Output) -> Result<Built> {
    let invocation = Invocation::new(&args.arguments, std::env::var_os("CARGO"))?;
    let build = invocation.run(&mut |bytes| out.pass(bytes, args.settings.json))?;
    let Some(first) = build.artifacts().next() else {
        return Err(Error::new("cargo built nothing to bundle")
            .hint(
                "programs and libraries whose `crate-type` is `cdylib` are bundled, examples when `--example` or \
                 `--examples` asks for them; `cargo check` builds none of these",
            )
            .into());
    };
    let beside = first.parent().unwrap_or(Path::new("")).to_owned();
    let name = build.package().map_or_else(|| stem(Some(first)), str::to_owned);
    let mut linked = args.settings.linked_path.clone();
    linked.extend(searched(&invocation, &build, &environment())?);
    let origins =
        build.artifacts().map(|path| Origin { path: path.to_owned(), linked_paths: linked.clone() });
    Ok(Built { origins: origins.collect(), beside, name })
}

/// The directories that the build linked from: those of build scripts, then those of the compiler's flags.
fn searched(invocation: &Invocation, build: &Build, env: &BTreeMap<String, String>) -> Result<Vec<PathBuf>> {
    let mut paths = build.linked_paths(|package| invocation.workspace_root(package))?;
    let flags = [environment_flags(env), invocation.compiler_flags()].concat();
    for path in linked_paths(&flags).into_iter().map(Path::new) {
        let path = match build.package_dir() {
            Some(package) if path.is_relative() => invocation.workspace_root(package)?.join(path),
            _ => path.to_owned(),
        };
        if path.is_absolute() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}
