//! Platform policies: what the systems of a platform tag promise.

mod file;
mod names;
mod policies;
#[cfg(test)]
mod tests;

pub use names::is_libpython;
pub use policies::Policies;
