//! `cargo spokeshave`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spokeshave::cargo_main()
}
