//! The exit codes, all of them.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was asked for is done.
    Done = 0,
    /// 1: at least one input failed; the others are done.
    Failed = 1,
    /// 2: the command line can't be understood; nothing was done.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
