//! The wheel container: a checked reader, the metadata files, a writer that copies what does not change.
//!
//! ```no_run
//! use spokeshave_core::wheel::{Archive, Item, Writer, WriteOptions, write_members};
//! # fn main() -> spokeshave_core::Result<()> {
//! let archive = Archive::open("demo-1.0-py3-none-any.whl".as_ref())?;
//! let mut writer = Writer::create("out/demo-1.0-py3-none-any.whl".as_ref())?;
//! let items = (0..archive.members().len()).map(|index| Item::Raw { archive: &archive, index }).collect();
//! write_members(&mut writer, &WriteOptions { jobs: 2, level: 6 }, items, &|_| {})?;
//! writer.finish()?;
//! # Ok(()) }
//! ```

mod archive;
mod directory;
mod dist_info;
mod inflate;
mod layout;
mod member;
mod name;
mod pack;
mod record;
mod scheme;
mod time;
mod wheel_file;
mod writer;
mod zip;
#[cfg(test)]
mod zip64_test;

pub use crate::output::copy;
pub use archive::Archive;
pub use dist_info::DistInfo;
pub use member::{Kind, Member, Method};
pub use name::WheelName;
pub use pack::{Item, Packed, Produce, WriteOptions, Written, pack, write_members};
pub use record::{Record, RecordEntry, hash_field};
pub use scheme::{Installed, Scheme, install_path};
pub use time::Timestamp;
pub use wheel_file::WheelFile;
pub use writer::{Entry, Writer};
