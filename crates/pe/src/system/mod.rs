//! What the target brings: Windows, the interpreter, and what of Microsoft's runtime may only be carried unchanged.
//!
//! - `windows`: API sets and Windows' own DLLs
//! - `interpreter`: Python's own DLLs, and the C runtime that an interpreter comes with
//! - `runtime`: Microsoft's redistributable runtime

mod interpreter;
mod runtime;
mod windows;

pub(crate) use interpreter::{brings, is_python};
pub(crate) use runtime::is_runtime;
pub(crate) use windows::{is_api_set, is_windows};
