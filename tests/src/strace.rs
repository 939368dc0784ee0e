//! The file-system calls of a run, and runs that are killed or refused at one of them.
//!
//! strace does both: it counts calls by name and thread, and `inject` acts on the entry of the n-th. A fatal signal on
//! entry means that the call does not happen, so a run killed at each call in turn has been killed between any two.

use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::Outcome;

/// All calls that take a path or a descriptor, and the last of all.
const TRACED: &str = "%file,%desc,exit_group";

/// A system call of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// How many calls of this name its thread had made with this one, as strace counts.
    pub nth: usize,
    /// The thread, in the order of their first calls.
    pub thread: usize,
    /// Arguments and result as strace prints them, with the paths of descriptors.
    pub text: String,
}

impl Call {
    /// Whether it concerns something below `dir`.
    pub fn touches(&self, dir: &Path) -> bool {
        self.text.contains(dir.to_str().unwrap())
    }

    /// The result when it is a count of bytes, or another number that is no error.
    pub fn result(&self) -> Option<u64> {
        let result = self.text.rsplit_once(" = ")?.1;
        result.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} number {}: {}({}", self.name, self.nth, self.name, self.text)
    }
}

/// Runs `command` to its end; all its file-system calls in order.
#[track_caller]
pub fn trace(command: &Command) -> (Outcome, Vec<Call>) {
    let (outcome, log) = strace(command, &[&format!("--trace={TRACED}")]);
    (outcome, parse(&log))
}

/// How often a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// This one call.
    Once,
    /// This one and all later ones of its name.
    FromThenOn,
}

/// Runs `command` and kills it on entry of `call`; whether it came there.
#[track_caller]
pub fn kill_at(command: &Command, call: &Call) -> bool {
    inject(command, call, "signal=SIGKILL", Times::Once).0.code.is_none()
}

/// Runs `command` with `call` failing with the error `errno`, such as `ENOSPC`, and not happening; `None` when it never
/// came there.
#[track_caller]
pub fn fail_at(command: &Command, call: &Call, errno: &str, times: Times) -> Option<Outcome> {
    let (outcome, log) = inject(command, call, &format!("error={errno}"), times);
    log.contains("(INJECTED)").then_some(outcome)
}

#[track_caller]
fn inject(command: &Command, call: &Call, what: &str, times: Times) -> (Outcome, String) {
    let Call { name, nth, .. } = call;
    let on = if times == Times::Once { "" } else { "+" };
    strace(command, &[&format!("--trace={name}"), &format!("--inject={name}:{what}:when={nth}{on}")])
}

#[track_caller]
fn strace(command: &Command, options: &[&str]) -> (Outcome, String) {
    let log = NamedTempFile::with_prefix("strace-").unwrap();
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-y", "-s", "0", "--signal=none", "-o"]).arg(log.path());
    traced.args(options).arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    // Its paths are all absolute, and a working directory would stand in every line.
    traced.current_dir("/");
    let outcome = Outcome::of(&mut traced);
    (outcome, fs_err::read_to_string(log.path()).unwrap())
}

fn parse(log: &str) -> Vec<Call> {
    let mut threads: Vec<&str> = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let Some((name, text)) = rest.split_once('(') else { continue };
        // Signals, exits and the second halves of interrupted lines.
        if name.starts_with(['<', '+', '-']) {
            continue;
        }
        let thread = threads.iter().position(|t| *t == thread).unwrap_or_else(|| {
            threads.push(thread);
            threads.len() - 1
        });
        let nth = calls.iter().filter(|call| call.thread == thread && call.name == name).count() + 1;
        calls.push(Call { name: name.to_owned(), nth, thread, text: text.to_owned() });
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the enumeration of all points stands on.
    #[test]
    fn a_killed_or_failed_call_does_not_happen() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        let mut command = Command::new("mkdir");
        command.args([&first, &second]);
        let (outcome, calls) = trace(&command);
        outcome.exits(0);
        let calls: Vec<Call> = calls.into_iter().filter(|call| call.name == "mkdir").collect();
        assert_eq!(calls.iter().map(|call| call.nth).collect::<Vec<_>>(), [1, 2]);
        assert!(calls[1].touches(&second) && !calls[1].touches(&first));

        let made = || [&first, &second].map(|path| fs_err::remove_dir(path).is_ok());
        assert_eq!(made(), [true, true]);
        assert!(kill_at(&command, &calls[1]));
        assert_eq!(made(), [true, false]);
        fail_at(&command, &calls[0], "EIO", Times::Once).unwrap().exits(1).complains(&["Input/output error"]);
        assert_eq!(made(), [false, true]);
        fail_at(&command, &calls[0], "EIO", Times::FromThenOn).unwrap().exits(1);
        assert_eq!(made(), [false, false]);
        let third = Call { nth: 3, ..calls[1].clone() };
        assert!(!kill_at(&command, &third) && fail_at(&command, &third, "EIO", Times::Once).is_none());
    }
}
