//! `spokeshave backends`: what is linked into this program.

use serde::Serialize;
use spokeshave_core::{OptionValue, Repairer, Result};

use crate::args::BackendsArgs;
use crate::exit::Exit;
use crate::render;
use crate::terminal::Output;

/// A backend as it is shown.
#[derive(Debug, Serialize)]
pub struct BackendReport {
    /// Its name.
    pub name: &'static str,
    /// The formats that it repairs.
    pub formats: &'static str,
    /// A wheel belongs to it when the platform tag begins with one of these.
    pub tag_prefixes: &'static [&'static str],
    /// Whether it understands `--strip`.
    pub strips: bool,
    /// The options that it declares.
    pub options: Vec<OptionReport>,
}

/// An option that a backend declares.
#[derive(Debug, Serialize)]
pub struct OptionReport {
    /// The long name without dashes.
    pub name: &'static str,
    /// What the value is called; `None` for a flag.
    pub value: Option<&'static str>,
    /// Whether it may be repeated.
    pub repeatable: bool,
    /// The environment variable that stands in for it.
    pub env: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// Lists the backends, sorted by name.
pub fn backends(args: &BackendsArgs, backends: &[&'static dyn Repairer], out: &mut Output) -> Result<Exit> {
    let reports: Vec<BackendReport> = backends.iter().map(|backend| report(*backend)).collect();
    if args.json {
        out.json(&reports)?
    } else {
        out.text(&render::backends(&reports))?
    }
    Ok(Exit::Done)
}

fn report(backend: &dyn Repairer) -> BackendReport {
    let about = backend.about();
    let options = about.options.iter().map(|option| OptionReport {
        name: option.name,
        value: match option.value {
            OptionValue::Flag => None,
            OptionValue::One(value) | OptionValue::Many(value) => Some(value),
        },
        repeatable: matches!(option.value, OptionValue::Many(_)),
        env: option.env,
        help: option.help,
    });
    BackendReport {
        name: about.name,
        formats: about.formats,
        tag_prefixes: about.tag_prefixes,
        strips: about.strips,
        options: options.collect(),
    }
}
