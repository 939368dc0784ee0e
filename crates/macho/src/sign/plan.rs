//! What a new ad-hoc signature says: what it keeps of the old one, what has to go.

use std::fmt;

use crate::Arch;

use super::entitlements::restricted_keys;
use super::identifier::{default_identifier, unique_of_code, unique_of_uuid};
use super::read::{CodeDirectory, SHA1, SHA256, slot};
use super::{CS_ADHOC, CS_KEPT, CS_REQUIRE_LV, CS_RUNTIME, Signature};

/// `CPU_TYPE_ARM64`
const CPU_TYPE_ARM64: u32 = 0x0100_000c;
/// `MH_EXECUTE`
const MH_EXECUTE: u32 = 2;
/// `CS_EXECSEG_MAIN_BINARY`
const MAIN_BINARY: u64 = 1;
/// An empty `SecRequirements` set: what codesign writes for ad-hoc code.
const NO_REQUIREMENTS: &[u8] = &[0xfa, 0xde, 0x0c, 0x01, 0, 0, 0, 12, 0, 0, 0, 0];

/// What a signature needs to know of the slice.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Its processor.
    pub arch: Arch,
    /// `filetype` of the header.
    pub filetype: u32,
    /// `fileoff` and `filesize` of `__TEXT`.
    pub exec_segment: (u64, u64),
    /// `LC_UUID`.
    pub uuid: Option<[u8; 16]>,
    /// The load commands before any change: they name code without a UUID.
    pub load_commands: &'a [u8],
    /// The section `__TEXT,__info_plist`, if there is one.
    pub info_plist: Option<&'a [u8]>,
    /// The name of the file, for the identifier of code that had none.
    pub file_name: &'a str,
}

/// What an ad-hoc signature cannot keep of the one that it replaces. Shown as a noun phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The signature of a real identity, with its team.
    Identity(Option<String>),
    /// The hardened runtime.
    HardenedRuntime,
    /// Library validation: ad-hoc code has no team, so no library would pass.
    LibraryValidation,
    /// Requirements that name an identity.
    Requirements,
    /// The entitlements of a program, because of these keys that only a real identity may claim.
    Entitlements(Vec<String>),
    /// Launch or library constraints.
    LaunchConstraints,
    /// The stapled ticket of a notarization.
    Ticket,
}

/// A signature to be made: everything but the hashes of the pages.
#[derive(Debug, Clone)]
pub struct Signing<'a> {
    pub(super) identifier: String,
    pub(super) flags: u32,
    pub(super) page_shift: u8,
    pub(super) exec_segment: (u64, u64),
    pub(super) exec_seg_flags: u64,
    /// One code directory by each of these, in the order of their slots.
    pub(super) directories: Vec<Directory<'a>>,
    /// Slot and blob (header included), in the order of the slots.
    pub(super) blobs: Vec<(u32, &'a [u8])>,
    lost: Vec<Lost>,
}

/// A code directory to be made.
#[derive(Debug, Clone)]
pub(super) struct Directory<'a> {
    /// [`SHA1`] or [`SHA256`].
    pub(super) hash_type: u8,
    /// Special slots whose contents are outside of the signature.
    pub(super) external: Vec<(u32, External<'a>)>,
}

/// How the hash of a special slot is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum External<'a> {
    /// By the old signature.
    Hash(&'a [u8]),
    /// By what is hashed.
    Contents(&'a [u8]),
}

impl<'a> Signing<'a> {
    /// Decides what the new signature of this slice says. `old` is the one that it had.
    pub fn new(code: &Code<'a>, old: Option<&Signature<'a>>) -> Signing<'a> {
        let directory = old.and_then(Signature::directory);
        // SHA-1 stays beside SHA-256 where it was: codesign writes both for systems before 10.11.4.
        let with_sha1 = old.is_some_and(|old| old.with_hash(SHA1).is_some());
        let restricted = old.map(|old| restricted(code, old)).unwrap_or_default();
        let hashes: &[u8] = if with_sha1 { &[SHA1, SHA256] } else { &[SHA256] };
        Signing {
            identifier: identifier(code, directory),
            flags: kept_flags(directory),
            page_shift: page_shift(code, directory),
            exec_segment: code.exec_segment,
            exec_seg_flags: exec_seg_flags(code, directory),
            directories: hashes.iter().map(|hash| Directory::new(*hash, code, old)).collect(),
            blobs: kept_blobs(old, restricted.is_empty()),
            lost: old.map(|old| lost(old, restricted)).unwrap_or_default(),
        }
    }

    /// `identifier` of the new code directory.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// What the old signature had and this one has not.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }
}

impl<'a> Directory<'a> {
    fn new(hash_type: u8, code: &Code<'a>, old: Option<&Signature<'a>>) -> Directory<'a> {
        let kept = |slot| old?.with_hash(hash_type)?.special_hash(slot).map(External::Hash);
        let info = kept(slot::INFO).or(code.info_plist.map(External::Contents));
        let external = [(slot::INFO, info), (slot::RESOURCES, kept(slot::RESOURCES))];
        let external = external.into_iter().filter_map(|(slot, hash)| Some((slot, hash?))).collect();
        Directory { hash_type, external }
    }
}

fn identifier(code: &Code<'_>, old: Option<&CodeDirectory<'_>>) -> String {
    match old.map(|old| old.identifier) {
        Some(identifier) if !identifier.is_empty() => identifier.to_owned(),
        _ => {
            let unique = match &code.uuid {
                Some(uuid) => unique_of_uuid(uuid),
                None => unique_of_code(code.load_commands),
            };
            default_identifier(code.file_name, &unique)
        }
    }
}

fn kept_flags(old: Option<&CodeDirectory<'_>>) -> u32 {
    old.map_or(0, |old| old.flags & CS_KEPT) | CS_ADHOC
}

/// 4 and 16 KiB are what the kernel takes; new code on arm64 gets the page of its processor, as codesign does it.
fn page_shift(code: &Code<'_>, old: Option<&CodeDirectory<'_>>) -> u8 {
    let default = if code.arch.cputype == CPU_TYPE_ARM64 { 14 } else { 12 };
    old.map(|old| old.page_shift).filter(|shift| matches!(shift, 12 | 14)).unwrap_or(default)
}

fn exec_seg_flags(code: &Code<'_>, old: Option<&CodeDirectory<'_>>) -> u64 {
    let main = if code.filetype == MH_EXECUTE { MAIN_BINARY } else { 0 };
    old.map_or(0, |old| old.exec_seg_flags & !MAIN_BINARY) | main
}

/// Entitlements matter in programs only.
fn restricted(code: &Code<'_>, old: &Signature<'_>) -> Vec<String> {
    let xml = old.payload(slot::ENTITLEMENTS).filter(|_| code.filetype == MH_EXECUTE);
    xml.map(restricted_keys).unwrap_or_default()
}

fn kept_blobs<'a>(old: Option<&Signature<'a>>, with_entitlements: bool) -> Vec<(u32, &'a [u8])> {
    let requirements = old.filter(|old| !old.has_identity()).and_then(|old| old.blob(slot::REQUIREMENTS));
    let mut blobs = vec![(slot::REQUIREMENTS, requirements.unwrap_or(NO_REQUIREMENTS))];
    for slot in [slot::ENTITLEMENTS, slot::ENTITLEMENTS_DER] {
        let entitlements = old.filter(|_| with_entitlements).and_then(|old| old.blob(slot));
        blobs.extend(entitlements.map(|blob| (slot, blob)));
    }
    blobs
}

fn lost(old: &Signature<'_>, restricted: Vec<String>) -> Vec<Lost> {
    let directory = old.directory();
    let flags = directory.map_or(0, |directory| directory.flags);
    let requirements = old.blob(slot::REQUIREMENTS).is_some_and(|blob| blob != NO_REQUIREMENTS);
    let team = directory.and_then(|directory| directory.team).map(str::to_owned);
    let all = [
        (old.has_identity(), Lost::Identity(team)),
        (flags & CS_RUNTIME != 0, Lost::HardenedRuntime),
        (flags & CS_REQUIRE_LV != 0, Lost::LibraryValidation),
        (old.has_identity() && requirements, Lost::Requirements),
        (!restricted.is_empty(), Lost::Entitlements(restricted)),
        (slot::LAUNCH_CONSTRAINTS.into_iter().any(|slot| old.blob(slot).is_some()), Lost::LaunchConstraints),
        (old.blob(slot::TICKET).is_some(), Lost::Ticket),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, lost)| lost).collect()
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lost::Identity(Some(team)) => return write!(f, "the signature by team {}", team.escape_debug()),
            Lost::Identity(None) => "the signature by an identity",
            Lost::HardenedRuntime => "the hardened runtime",
            Lost::LibraryValidation => "library validation",
            Lost::Requirements => "the requirements that name its identity",
            Lost::Entitlements(keys) => {
                return write!(f, "the entitlements ({})", keys.join(", ").escape_debug());
            }
            Lost::LaunchConstraints => "the launch constraints",
            Lost::Ticket => "the notarization ticket",
        })
    }
}
