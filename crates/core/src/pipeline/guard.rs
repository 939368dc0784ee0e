//! Every call to a backend goes through here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Repairer, Result};

/// Calls `backend`; a panic of it is an error that names it.
///
/// # Errors
/// Those of the call.
pub fn guarded<T>(
    backend: &'static dyn Repairer,
    call: impl FnOnce(&'static dyn Repairer) -> Result<T>,
) -> Result<T> {
    // What the call was at is not looked at again after a panic: the run fails.
    catch_unwind(AssertUnwindSafe(|| call(backend))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(format!("the {} backend panicked: {said}", backend.about().name))
            .hint("nothing was written; please report this with the input")
            .into())
    })
}
