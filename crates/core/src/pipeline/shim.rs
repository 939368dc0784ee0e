//! A program of a wheel that moved into the package leaves a script behind that runs it.
//!
//! Installers put `.data/scripts` into a directory whose way to `site-packages` is not known beforehand, so no
//! relative search path leads from there to the carried libraries.

use crate::{PackagePath, Result};

/// Where the program `name` of the distribution `dist` moves to.
///
/// # Errors
/// When the name is no safe path.
pub fn moved_path(dist: &str, name: &str) -> Result<PackagePath> {
    Ok(PackagePath::new(&format!("{dist}.scripts"))?.join(name)?)
}

/// The script that stands in for the program at `moved`. Installers replace the first line by their interpreter.
///
/// It looks first where it was itself installed to (`--prefix`, `--target`, an environment that another interpreter
/// runs), so that of two installed versions each script runs its own, and then where Python imports from.
pub fn script(moved: &PackagePath) -> String {
    let parts: Vec<String> = moved.components().map(python_string).collect();
    format!(
        r#"#!python
import os
import sys
import sysconfig

prefix = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
own = [sysconfig.get_path("platlib", vars=dict(base=prefix, platbase=prefix)), prefix]
for directory in [*own, *sys.path, sysconfig.get_path("platlib")]:
    program = os.path.join(directory, {parts})
    if os.path.isfile(program):
        os.execv(program, [program, *sys.argv[1:]])
sys.exit(f"{{sys.argv[0]}}: its program is not installed")
"#,
        parts = parts.join(", ")
    )
}

fn python_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            other => quoted.push_str(&format!("\\U{:08x}", other as u32)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let moved = moved_path("démo", "to\"ol").unwrap();
        assert!(script(&moved).contains(r#"os.path.join(directory, "d\U000000e9mo.scripts", "to\"ol")"#));
    }
}
