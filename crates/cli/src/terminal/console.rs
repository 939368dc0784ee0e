//! Stderr while the engine works: warnings, details, a progress bar.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spokeshave_core::{Event, EventSink};

use crate::args::TerminalArgs;
use crate::render::style;

/// A run that is over by then shows no bar.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// Takes the engine's events, from any thread.
pub struct Console {
    /// Warnings and waits are printed as they come; otherwise warnings are kept for the report.
    print: bool,
    /// Said before each warning, when several inputs are worked on.
    prefix: String,
    bar_wanted: bool,
    state: Mutex<State>,
}

struct State {
    started: Instant,
    bar: Option<ProgressBar>,
    warned: BTreeSet<String>,
}

impl Console {
    /// A console for one input. With `live`, warnings and progress are printed as they come.
    pub fn new(args: &TerminalArgs, live: bool, json: bool, prefix: impl Into<String>) -> Self {
        Console {
            print: live && !args.quiet,
            prefix: prefix.into(),
            bar_wanted: live && !args.quiet && !json && std::io::stderr().is_terminal(),
            state: Mutex::new(State { started: Instant::now(), bar: None, warned: BTreeSet::new() }),
        }
    }

    /// How long the work took so far.
    pub fn elapsed(&self) -> Duration {
        self.state().started.elapsed()
    }

    /// Takes the bar away and tells those warnings of the report that no event told; gives back those that only
    /// events told.
    pub fn finish(&self, reported: &[String]) -> Vec<String> {
        for warning in reported {
            self.event(Event::Warning(warning.clone()));
        }
        let mut state = self.state();
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        state.warned.iter().filter(|warning| !reported.contains(warning)).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock leaves nothing half done that matters here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Console {
    fn event(&self, event: Event) {
        let mut state = self.state();
        match event {
            Event::Warning(text) => {
                let line = format!("{}: {}{text}", style::paint(style::WARNING, "warning"), self.prefix);
                let new = state.warned.insert(text);
                if new && self.print {
                    state.line(&line);
                }
            }
            Event::Waiting { path } if self.print => {
                let line = format!("{}{}: another run works on it, waiting", self.prefix, path.display());
                state.line(&line);
            }
            Event::Progress { done, total } if self.bar_wanted => state.progress(done, total),
            _ => {}
        }
    }
}

impl State {
    fn line(&self, line: &str) {
        let print = || {
            // A stderr that can't be written to leaves nobody to tell.
            let _ = writeln!(anstream::stderr(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn progress(&mut self, done: u64, total: u64) {
        if self.bar.is_none() && self.started.elapsed() >= BAR_AFTER {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(
                "{wide_bar} {decimal_bytes} of {decimal_total_bytes}, {eta} left",
            ) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_told_once_and_kept() {
        let quiet = TerminalArgs { verbose: false, quiet: true, color: clap::ColorChoice::Never };
        let console = Console::new(&quiet, true, false, "");
        std::thread::scope(|scope| {
            for text in ["b", "a", "b"] {
                let console = &console;
                scope.spawn(move || console.event(Event::Warning(text.to_owned())));
            }
        });
        assert_eq!(console.finish(&["a".to_owned(), "c".to_owned()]), ["b"]);
    }
}
