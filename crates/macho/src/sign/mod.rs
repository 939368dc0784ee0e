//! The embedded signature: read from a slice, and built anew, ad hoc.
//!
//! [`Signature`] reads what a slice carries (hostile input, so a reader of our own); [`Signing`] decides what of it an
//! ad-hoc signature can keep, says how many bytes the new one takes and builds it. Apple documents the format in code
//! only: `osfmk/kern/cs_blobs.h` of XNU and `libsecurity_codesigning` of Security. Everything in it is big-endian.
//!
//! The size is known before any page is hashed, since `LC_CODE_SIGNATURE` and `__LINKEDIT` stand in the first page:
//!
//! ```text
//! let signing = Signing::new(&code, old.as_ref());
//! let datasize = signing.size(dataoff)?.max(old_datasize);
//! // ... write dataoff and datasize into LC_CODE_SIGNATURE, filesize and vmsize into __LINKEDIT ...
//! let bytes = signing.superblob(&[new_header, rest_up_to_dataoff], datasize)?;
//! ```

mod build;
mod entitlements;
mod identifier;
mod plan;
mod read;
#[cfg(test)]
mod tests;

pub use plan::{Code, Lost, Signing};
pub use read::{CodeDirectory, Signature};

/// `LC_CODE_SIGNATURE.dataoff` is a multiple of this.
pub const ALIGNMENT: u32 = 16;

/// `CS_ADHOC`: sealed without a signing identity.
const CS_ADHOC: u32 = 0x2;
/// What the signer may ask for and ad-hoc code may have: `CS_HOST`, `CS_HARD`, `CS_KILL`, `CS_RESTRICT`,
/// `CS_ENFORCEMENT`. Not `CS_LINKER_SIGNED` (another signer did it) and `CS_CHECK_EXPIRATION` (of no certificate).
const CS_KEPT: u32 = 0x1 | 0x100 | 0x200 | 0x800 | 0x1000;
/// `CS_REQUIRE_LV`: only libraries of the same team may be loaded.
const CS_REQUIRE_LV: u32 = 0x2000;
/// `CS_RUNTIME`: the hardened runtime.
const CS_RUNTIME: u32 = 0x1_0000;
