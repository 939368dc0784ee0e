//! The command line as data: what is declared here and what the backends declare.

mod backend;
mod cli;
mod outputs;
mod values;

pub use backend::{backend_values, with_backends};
pub use cli::{
    BackendsArgs, Cli, Command, CompletionsArgs, MangleArgs, MergeArgs, RepairArgs, SearchArgs, ShowArgs,
    TerminalArgs, TreeArgs, jobs,
};
pub use outputs::{BundleArgs, BundleSettings, CargoArgs, EditableArgs, ModeArg};
pub use values::color_of;
