//! Programs, run to their end.

use std::ffi::OsStr;
use std::process::Command;

/// How a program ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The command line, for messages.
    pub command: String,
}

impl Outcome {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Outcome {
        let line = format!("{command:?}");
        let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            command: line,
        }
    }

    /// Panics unless the exit code is `code`; hands itself on.
    #[track_caller]
    pub fn exits(self, code: i32) -> Outcome {
        assert!(
            self.code == Some(code),
            "{}\nexit {:?} instead of {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Panics unless each of `parts` stands in standard error; hands itself on.
    #[track_caller]
    pub fn complains(self, parts: &[&str]) -> Outcome {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in\n{}\n{}", self.command, self.stderr);
        }
        self
    }
}

/// Runs a program that must succeed; its standard output.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> String {
    Outcome::of(Command::new(program).args(args)).exits(0).stdout
}
