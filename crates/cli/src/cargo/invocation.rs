//! The command line of cargo.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use spokeshave_core::{Error, Result};

use super::build::Build;
use super::message::Message;

/// Takes what is no message of cargo's: the output of the programs that it runs.
pub type Passed<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// A command line of cargo that makes it print messages.
#[derive(Debug)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    /// How many of the arguments stand before cargo's own `--`, the one that was added included.
    own: usize,
}

impl Invocation {
    /// The user's arguments and one more. `cargo` is the program that calls itself so in the environment (`$CARGO`).
    ///
    /// # Errors
    /// When the user asks for messages of a format himself.
    pub fn new(arguments: &[OsString], cargo: Option<OsString>) -> Result<Self> {
        let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
        let (own, rest) = arguments.split_at(end);
        if own.iter().any(|argument| is_option(argument, "--message-format")) {
            return Err(Error::new("--message-format can't be given to cargo here")
                .hint("leave it out: cargo's messages are read to find what it built, its diagnostics are printed")
                .into());
        }
        let mut all = own.to_vec();
        all.push("--message-format=json-render-diagnostics".into());
        all.extend_from_slice(rest);
        // `+toolchain` is understood by rustup's cargo, which stands in the PATH, and not by the one of a toolchain.
        let toolchain = own.first().is_some_and(|first| first.as_encoded_bytes().starts_with(b"+"));
        let program = cargo.filter(|_| !toolchain).unwrap_or_else(|| "cargo".into());
        Ok(Invocation { program, arguments: all, own: end + 1 })
    }

    /// Runs cargo to its end. It has this process's stdin and stderr; what it prints and is no message goes to `passed`.
    ///
    /// # Errors
    /// When cargo can't be run or fails.
    pub fn run(&self, passed: &mut Passed<'_>) -> Result<Build> {
        let mut cargo = Command::new(&self.program)
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| self.not_run())?;
        let mut build = Build::new(self.own().iter().any(|a| is_option(a, "--example") || a == "--examples"));
        let listened = match cargo.stdout.take() {
            Some(stdout) => listen(stdout, &mut build, passed),
            None => Ok(()),
        };
        let status = cargo.wait().context("cargo")?;
        listened?;
        if !status.success() {
            return Err(Error::new(format!("cargo failed ({status}), so nothing is bundled"))
                .hint("cargo's own messages above say why")
                .into());
        }
        Ok(build)
    }

    /// The flags that `cargo rustc -- FLAGS` gives to the compiler; none with any other subcommand.
    pub fn compiler_flags(&self) -> Vec<String> {
        let rest = self.arguments.get(self.own + 1..).unwrap_or_default();
        let rest = rest.iter().filter(|_| self.own().iter().any(|argument| argument == "rustc"));
        rest.map(|flag| flag.to_string_lossy().into_owned()).collect()
    }

    /// The root of the workspace of the package in the directory `package`, as cargo knows it.
    ///
    /// # Errors
    /// When cargo does not say.
    pub fn workspace_root(&self, package: &Path) -> Result<PathBuf> {
        let output = Command::new(&self.program)
            .args(["locate-project", "--workspace", "--message-format=plain", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| self.not_run())?;
        let manifest = String::from_utf8_lossy(&output.stdout);
        match Path::new(manifest.trim_end()).parent() {
            Some(root) if output.status.success() && root.is_absolute() => Ok(root.to_owned()),
            _ => Err(Error::new("cargo does not say which workspace this package is of")
                .at(package.display())
                .into()),
        }
    }

    fn own(&self) -> &[OsString] {
        self.arguments.get(..self.own).unwrap_or_default()
    }

    fn not_run(&self) -> Error {
        Error::new("cargo can't be run")
            .at(Path::new(&self.program).display())
            .hint("install Rust, or let CARGO name the program")
    }
}

fn is_option(argument: &OsStr, name: &str) -> bool {
    let rest = argument.as_encoded_bytes().strip_prefix(name.as_bytes());
    matches!(rest, Some([] | [b'=', ..]))
}

/// Reads what cargo prints: messages into `build`, everything else to `passed`.
fn listen(stdout: impl Read, build: &mut Build, passed: &mut Passed<'_>) -> Result<()> {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).context("cargo's messages")? > 0 {
        match Message::parse(&line)? {
            Some(Message::Finished) => return pass(stdout, passed),
            Some(message) => build.take(message),
            None => passed(&line)?,
        }
        line.clear();
    }
    Ok(())
}

/// Hands on the rest as it comes: a program that asks something does not end its line.
fn pass(mut from: impl Read, passed: &mut Passed<'_>) -> Result<()> {
    let mut chunk = [0; 8192];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => passed(chunk.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cargo's output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(line: &str, cargo: Option<&str>) -> Result<Invocation> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Invocation::new(&words, cargo.map(OsString::from))
    }

    fn shown(line: &str, cargo: Option<&str>) -> String {
        let Invocation { program, arguments, .. } = invocation(line, cargo).unwrap();
        let words = std::iter::once(&program).chain(&arguments).map(|word| word.to_str().unwrap());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_format_stands_before_the_other_programs_arguments() {
        assert_eq!(
            shown("build --release", Some("/x/cargo")),
            "/x/cargo build --release --message-format=json-render-diagnostics"
        );
        assert_eq!(
            shown("run -- -- --message-format=x", None),
            "cargo run --message-format=json-render-diagnostics -- -- --message-format=x"
        );
        assert_eq!(
            shown("+nightly build", Some("/x/cargo")),
            "cargo +nightly build --message-format=json-render-diagnostics",
            "the cargo of a toolchain does not know toolchains"
        );
        for line in ["build --message-format json", "build --message-format=short"] {
            assert!(invocation(line, None).unwrap_err().to_string().contains("--message-format"), "{line}");
        }
    }

    #[test]
    fn flags_behind_rustc() {
        let flags = |line| invocation(line, None).unwrap().compiler_flags();
        assert_eq!(flags("rustc --release -- -L native=/a"), ["-L", "native=/a"]);
        assert!(flags("run -- -L /a").is_empty());
        assert!(flags("rustc").is_empty());
    }

    #[test]
    fn what_is_no_message_goes_through_unharmed() {
        let stdout = b"a line\n{\"not\": \"cargo's\"}\n{\"reason\":\"new-in-2030\"}\n\xff\x1b[1m\n{\"reason\":\"build-finished\",\"success\":true}\n{\"reason\":\"mine\"}\n? ";
        let mut through = Vec::new();
        let mut passed = |bytes: &[u8]| {
            through.extend_from_slice(bytes);
            Ok(())
        };
        listen(&stdout[..], &mut Build::new(false), &mut passed).unwrap();
        let want = b"a line\n{\"not\": \"cargo's\"}\n\xff\x1b[1m\n{\"reason\":\"mine\"}\n? ";
        assert_eq!(through, want, "{}", String::from_utf8_lossy(&through));
    }

    #[test]
    fn a_message_that_changed_is_an_error() {
        let line = &b"{\"reason\":\"compiler-artifact\",\"package_id\":7}\n"[..];
        let error = listen(line, &mut Build::new(false), &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("compiler-artifact"), "{error}");
    }
}
