//! The command line as data: what is declared here and what the backends declare.

mod backend;
mod cli;
mod values;

pub use backend::{backend_values, with_backends};
pub use cli::{
    BackendsArgs, Cli, Command, CompletionsArgs, RepairArgs, SearchArgs, ShowArgs, TerminalArgs, TreeArgs,
};
pub use values::color_of;
