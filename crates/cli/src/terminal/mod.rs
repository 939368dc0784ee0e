//! The two streams: reports on stdout, everything else on stderr.

mod console;
mod error;
mod output;

pub use console::Console;
pub use error::{ErrorReport, core_error, message, print_error, print_warning};
pub use output::Output;

/// Decides for both streams; `auto` looks at the stream and at NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
pub fn choose_color(when: clap::ColorChoice) {
    match when {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}
