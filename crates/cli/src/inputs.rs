//! The inputs of a command: patterns expanded, doubles dropped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use spokeshave_core::{Error, Result};

/// An input, or why there is none: the argument and the error.
pub type Input = Result<PathBuf, (PathBuf, anyhow::Error)>;

/// The files that `arguments` mean, in their order. An argument that is no file and has the characters of a pattern
/// is expanded (the shells of Windows leave that to the program). A path given twice is worked on once.
pub fn expand(arguments: &[PathBuf]) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for argument in arguments {
        match matches(argument) {
            Ok(paths) => {
                for path in paths {
                    if !inputs.iter().flatten().any(|known| *known == path) {
                        inputs.push(Ok(path));
                    }
                }
            }
            Err(error) => inputs.push(Err((argument.clone(), error))),
        }
    }
    inputs
}

/// As [`expand`], for wheels that all go into one directory: a second one of the same file name is an error.
pub fn expand_wheels(arguments: &[PathBuf]) -> Vec<Input> {
    let mut names: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    let check = |input: Input| {
        let path = input?;
        let name = path.file_name().unwrap_or_default().to_owned();
        match names.get(&name) {
            Some(first) => {
                let error = Error::new(format!("its output would replace that of {}", first.display()))
                    .at(path.display())
                    .hint("repair wheels of one name into different directories (`--wheel-dir`)");
                Err((path, error.into()))
            }
            None => {
                names.insert(name, path.clone());
                Ok(path)
            }
        }
    };
    expand(arguments).into_iter().map(check).collect()
}

fn matches(argument: &Path) -> Result<Vec<PathBuf>> {
    let pattern = match argument.to_str() {
        Some(text) if text.contains(['*', '?', '[']) && fs_err::symlink_metadata(argument).is_err() => text,
        _ => return Ok(vec![argument.to_path_buf()]),
    };
    let paths = glob::glob(pattern)
        .map_err(|error| Error::new(format!("not a pattern: {}", error.msg)).at(pattern))?
        .collect::<Result<Vec<_>, _>>()?;
    if paths.is_empty() {
        return Err(Error::new("no file matches this pattern").at(pattern).into());
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_doubles_and_clashes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs_err::create_dir(at("sub")).unwrap();
        for name in ["b.whl", "a.whl", "sub/a.whl", "odd[1].whl"] {
            fs_err::write(at(name), "").unwrap();
        }
        let shown = |inputs: Vec<Input>| -> Vec<String> {
            let show = |path: &Path| path.strip_prefix(dir.path()).unwrap().display().to_string();
            let line = |input: &Input| match input {
                Ok(path) => show(path),
                Err((path, error)) => format!("{}! {error}", show(path)),
            };
            inputs
                .iter()
                .map(line)
                .map(|line| line.replace(&dir.path().display().to_string(), "DIR"))
                .collect()
        };
        assert_eq!(shown(expand(&[at("*.whl"), at("b.whl")])), ["a.whl", "b.whl", "odd[1].whl"]);
        assert_eq!(shown(expand(&[at("odd[1].whl")])), ["odd[1].whl"], "a file is a file, whatever its name");
        assert_eq!(shown(expand(&[at("gone.whl")])), ["gone.whl"], "the engine says what is wrong with it");
        assert_eq!(shown(expand(&[at("no*.whl")])), ["no*.whl! DIR/no*.whl: no file matches this pattern"]);
        let clash = shown(expand_wheels(&[at("a.whl"), at("sub/a.whl")]));
        assert_eq!(clash, ["a.whl", "sub/a.whl! DIR/sub/a.whl: its output would replace that of DIR/a.whl"]);
    }
}
