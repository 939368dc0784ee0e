//! The options that backends declare as data, put into the commands that call a backend.

use clap::{Arg, ArgAction, ArgMatches, Command};
use spokeshave_core::{Error, OptionSpec, OptionValue, OptionValues, Repairer, Result};

const SUBCOMMANDS: [&str; 5] = ["repair", "bundle", "cargo", "show", "tree"];

/// An option and the backends that declare it.
struct Declared {
    spec: &'static OptionSpec,
    backends: Vec<&'static str>,
}

/// `command` with the options of all backends, each under a heading that names who declares it.
///
/// # Errors
/// When a backend declares an option that the commands have already.
pub fn with_backends(mut command: Command, backends: &[&'static dyn Repairer]) -> Result<Command> {
    for name in SUBCOMMANDS {
        let Some(sub) = command.find_subcommand_mut(name) else { continue };
        for option in declared(backends) {
            let taken = |arg: &Arg| {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long() == Some(option.spec.name) || aliases.contains(&option.spec.name)
            };
            if sub.get_arguments().any(taken) || matches!(option.spec.name, "help" | "version") {
                let who = option.backends.join("`, `");
                return Err(Error::new(format!(
                    "backend `{who}` declares --{}, which is taken",
                    option.spec.name
                ))
                .hint("this program is put together wrongly: a backend must choose another name")
                .into());
            }
            *sub = std::mem::take(sub).arg(argument(&option));
        }
    }
    Ok(command)
}

/// What was given for the options of the backends.
pub fn backend_values(given: &ArgMatches, backends: &[&'static dyn Repairer]) -> OptionValues {
    let mut values = OptionValues::default();
    for Declared { spec, .. } in declared(backends) {
        let id = id(spec);
        match spec.value {
            OptionValue::Flag => {
                if matches!(given.try_get_one::<bool>(&id), Ok(Some(true))) {
                    values.push(spec.name, None);
                }
            }
            OptionValue::One(_) | OptionValue::Many(_) => {
                for value in given.try_get_many::<String>(&id).ok().flatten().into_iter().flatten() {
                    values.push(spec.name, Some(value.clone()));
                }
            }
        }
    }
    values
}

fn declared(backends: &[&'static dyn Repairer]) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::new();
    for about in backends.iter().map(|backend| backend.about()) {
        for spec in about.options {
            match all.iter_mut().find(|known| known.spec.name == spec.name) {
                Some(known) => known.backends.push(about.name),
                None => all.push(Declared { spec, backends: vec![about.name] }),
            }
        }
    }
    all
}

/// An id of its own, so that no field of a command's own struct is meant by accident.
fn id(spec: &OptionSpec) -> String {
    format!("backend:{}", spec.name)
}

fn argument(option: &Declared) -> Arg {
    let spec = option.spec;
    let heading = format!("Options for {}", option.backends.join(", "));
    let arg = Arg::new(id(spec)).long(spec.name).help(spec.help).help_heading(heading);
    let arg = match spec.env {
        Some(name) => arg.env(name).hide_env_values(true),
        None => arg,
    };
    match spec.value {
        OptionValue::Flag => arg.action(ArgAction::SetTrue),
        OptionValue::One(value) => arg.action(ArgAction::Set).value_name(value),
        OptionValue::Many(value) => arg.action(ArgAction::Append).value_name(value),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use spokeshave_core::*;

    use super::*;
    use crate::args::Cli;

    struct Fake(&'static About);

    impl Repairer for Fake {
        fn about(&self) -> &'static About {
            self.0
        }
        fn recognizes(&self, _: &[u8], _: u64) -> bool {
            false
        }
        fn audit(&self, _: &[Artifact], _: &Context<'_>) -> Result<Audit> {
            Err(Error::new("fake").into())
        }
        fn patch_required(&self, _: &Audit, _: &PatchKind<'_>) -> Result<Vec<bool>> {
            Err(Error::new("fake").into())
        }
        fn patch(&self, _: Subject<'_>, _: &[u8], _: &PatchKind<'_>) -> Result<Vec<Edit>> {
            Err(Error::new("fake").into())
        }
        fn libs_dir(&self, _: &Layout<'_>) -> Result<PackagePath> {
            Err(Error::new("fake").into())
        }
    }

    const fn about(name: &'static str, options: &'static [OptionSpec]) -> About {
        About {
            name,
            formats: "",
            tag_prefixes: &[],
            options,
            hash_before: ".x",
            name_hash: NameHash::File,
            folds_case: false,
            strips: false,
            merge: None,
        }
    }

    const SHARED: OptionSpec =
        OptionSpec { name: "gamma", value: OptionValue::Flag, env: None, help: "Both have it" };
    static A: About = about(
        "aaa",
        &[
            OptionSpec {
                name: "alpha",
                value: OptionValue::One("A:B"),
                env: Some("FAKE_ALPHA"),
                help: "One value",
            },
            OptionSpec { name: "beta", value: OptionValue::Many("GLOB"), env: None, help: "Many values" },
            SHARED,
        ],
    );
    static B: About = about("bbb", &[SHARED]);
    static TAKEN: About = about(
        "ccc",
        &[OptionSpec { name: "add-path", value: OptionValue::Many("DIR"), env: None, help: "" }],
    );

    fn parse(backends: &[&'static dyn Repairer], args: &[&str]) -> Result<OptionValues, clap::Error> {
        let command = with_backends(Cli::command(), backends).unwrap();
        let matches = command.try_get_matches_from(args)?;
        Ok(backend_values(matches.subcommand().unwrap().1, backends))
    }

    #[test]
    fn values_arrive_at_the_backend() {
        static BOTH: [&dyn Repairer; 2] = [&Fake(&A), &Fake(&B)];
        let line = ["spokeshave", "repair", "--alpha", "x:y", "--beta", "1", "--gamma", "--beta=2", "w.whl"];
        let values = parse(&BOTH, &line).unwrap();
        assert_eq!(values.one("alpha"), Some("x:y"));
        assert_eq!(values.many("beta"), ["1", "2"]);
        assert!(values.flag("gamma"));
        assert!(!parse(&BOTH, &["spokeshave", "tree", "f"]).unwrap().flag("gamma"));
        assert!(parse(&BOTH[1..], &line).is_err(), "an option of a backend that is not linked in");
    }

    #[test]
    fn headings_name_who_declares() {
        static BACKENDS: [&dyn Repairer; 2] = [&Fake(&A), &Fake(&B)];
        let mut command = with_backends(Cli::command(), &BACKENDS).unwrap();
        let help = command.find_subcommand_mut("show").unwrap().render_help().to_string();
        let from = help.find("Options for aaa").unwrap();
        insta::assert_snapshot!(&help[from..], @"
        Options for aaa:
              --alpha <A:B>  One value [env: FAKE_ALPHA]
              --beta <GLOB>  Many values

        Options for aaa, bbb:
              --gamma  Both have it
        ");
    }

    #[test]
    fn unknown_options_get_a_suggestion() {
        static BACKENDS: [&dyn Repairer; 1] = [&Fake(&A)];
        let error = parse(&BACKENDS, &["spokeshave", "repair", "--alpa", "x", "w.whl"]).unwrap_err();
        assert!(error.to_string().contains("'--alpha'"), "{error}");
    }

    #[test]
    fn a_taken_name_is_an_error() {
        static BACKENDS: [&dyn Repairer; 1] = [&Fake(&TAKEN)];
        let error = with_backends(Cli::command(), &BACKENDS).unwrap_err();
        assert_eq!(error.to_string(), "backend `ccc` declares --add-path, which is taken");
    }
}
