//! Reports as text for people. Colours are in the text; the stream takes them out where they are not wanted.

mod backends;
mod bundle;
mod carried;
mod editable;
mod merge;
mod obstacles;
mod repair;
mod show;
mod tree;

#[cfg(test)]
pub mod samples;

pub mod style;

pub use backends::backends;
pub use bundle::bundle;
pub use editable::editable;
pub use merge::merge;
pub use repair::repair;
pub use show::show;
pub use tree::tree;
