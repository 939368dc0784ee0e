//! Checks of single values, made while the command line is read, so that a wrong one is a usage error.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ColorChoice, ValueEnum as _};
use spokeshave_core::{Globs, PackagePath};

/// A directory that is there, as an absolute path: what lies below it is told by the beginning of its path.
pub fn directory(path: PathBuf) -> Result<PathBuf, String> {
    match fs_err::metadata(&path) {
        Ok(meta) if meta.is_dir() => std::path::absolute(&path).map_err(|error| error.to_string()),
        Ok(_) => Err("not a directory".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("no such directory".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A pattern that compiles.
pub fn glob(pattern: &str) -> Result<String, String> {
    Globs::new([pattern]).map_err(|error| format!("{error:#}"))?;
    Ok(pattern.to_owned())
}

/// A name that files and directories can have.
pub fn name(name: &str) -> Result<String, String> {
    match PackagePath::new(name) {
        Ok(path) if path.file_name() == name => Ok(name.to_owned()),
        Ok(_) => Err("a name, not a path".to_owned()),
        Err(error) => Err(error.what),
    }
}

/// What `--color` says, before the command line is read: usage errors and help are coloured, too.
pub fn color_of(args: impl Iterator<Item = OsString>) -> ColorChoice {
    let args: Vec<_> =
        args.take_while(|arg| arg != "--").map(|arg| arg.to_string_lossy().into_owned()).collect();
    let joined = args.iter().filter_map(|arg| arg.strip_prefix("--color="));
    let apart = args.windows(2).filter_map(|pair| match pair {
        [name, value] if name == "--color" => Some(value.as_str()),
        _ => None,
    });
    joined
        .chain(apart)
        .last()
        .and_then(|when| ColorChoice::from_str(when, false).ok())
        .unwrap_or(ColorChoice::Auto)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_is_known_before_the_rest() {
        let of = |args: &[&str]| color_of(args.iter().map(OsString::from));
        assert_eq!(of(&["x", "--color=never"]), ColorChoice::Never);
        assert_eq!(of(&["x", "--color", "always", "--help"]), ColorChoice::Always);
        assert_eq!(of(&["x", "--", "--color", "always"]), ColorChoice::Auto);
        assert_eq!(of(&["x", "--color"]), ColorChoice::Auto);
    }

    #[test]
    fn directories_are_there_and_absolute() {
        assert!(directory("no/such/place".into()).is_err());
        assert!(directory("Cargo.toml".into()).is_err());
        assert!(directory("src".into()).unwrap().is_absolute());
    }
}
