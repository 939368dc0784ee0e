//! Hashes the pages and builds the superblob, with apple-codesign's types.

use apple_codesign::cryptography::{Digest, DigestType};
use apple_codesign::embedded_signature_builder::EmbeddedSignatureBuilder;
use apple_codesign::{
    AppleCodesignError, Blob, CodeDirectoryBlob, CodeSignatureFlags, CodeSigningSlot, ExecutableSegmentFlags,
    OtherBlob,
};
use spokeshave_core::{Error, Result};

use super::plan::{Directory, External};
use super::read::{SHA1, slot};
use super::{ALIGNMENT, Signing};

/// The code directory version that has `execSeg*`: what codesign writes.
const VERSION: u32 = 0x2_0400;
/// Bytes of a code directory of that version before the identifier.
const DIRECTORY: u64 = 88;
/// Bytes of a blob's magic and length: the empty CMS blob has no more.
const BLOB: u64 = 8;

impl Signing<'_> {
    /// The least `LC_CODE_SIGNATURE.datasize` for this many bytes of code, a multiple of 16.
    ///
    /// The old signature's own size, if larger, is as good (and leaves `__LINKEDIT` as it is): codesign reserves
    /// 18,000 bytes more than ad-hoc code needs.
    ///
    /// # Errors
    /// When it, or the code, is larger than the format can say.
    pub fn size(&self, code_limit: u64) -> Result<u32> {
        let length = u32::try_from(code_limit).ok().and_then(|code_limit| self.length(code_limit));
        let size = length.and_then(|length| length.checked_next_multiple_of(ALIGNMENT.into()));
        size.and_then(|size| u32::try_from(size).ok()).ok_or_else(|| too_large(code_limit))
    }

    /// The new signature, padded with zeros to `datasize` bytes.
    ///
    /// `code` is the slice from its header up to `LC_CODE_SIGNATURE.dataoff`, in pieces: what was edited and the rest,
    /// which need not be copied together.
    ///
    /// # Errors
    /// When it does not fit into `datasize`, or the code is larger than the format can say.
    pub fn superblob(&self, code: &[&[u8]], datasize: u32) -> Result<Vec<u8>> {
        let limit = code.iter().map(|piece| piece.len() as u64).sum();
        let size = self.size(limit)?;
        let code_limit = u32::try_from(limit).map_err(|_| too_large(limit))?;
        if size > datasize {
            return Err(
                Error::new(format!("the code signature takes {size} bytes, {datasize} are there")).into()
            );
        }
        let mut builder = EmbeddedSignatureBuilder::default();
        for (slot, blob) in &self.blobs {
            let blob = OtherBlob::from_blob_bytes(blob).map_err(failed)?;
            builder.add_blob((*slot).into(), blob.into()).map_err(failed)?;
        }
        let slots = std::iter::once(slot::CODE_DIRECTORY).chain(slot::ALTERNATES);
        for (slot, directory) in slots.zip(&self.directories) {
            let built = self.directory(directory, code, code_limit)?;
            builder.add_code_directory(CodeSigningSlot::from(slot), built).map_err(failed)?;
        }
        builder.create_empty_cms_signature().map_err(failed)?;
        let mut superblob = builder.create_superblob().map_err(failed)?;
        debug_assert_eq!(Some(superblob.len() as u64), self.length(code_limit));
        superblob.resize(datasize as usize, 0);
        Ok(superblob)
    }

    /// The superblob's length.
    fn length(&self, code_limit: u32) -> Option<u64> {
        let pages = u64::from(code_limit).div_ceil(1 << self.page_shift);
        let blobs: u64 = self.blobs.iter().map(|(_, blob)| blob.len() as u64).sum();
        let mut length = 12 + blobs + BLOB + 8 * (self.blobs.len() + self.directories.len() + 1) as u64;
        for directory in &self.directories {
            let inside = self.blobs.iter().map(|(slot, _)| *slot);
            let outside = directory.external.iter().map(|(slot, _)| *slot);
            let specials = u64::from(inside.chain(outside).max().unwrap_or(0));
            let hashes = (pages + specials).checked_mul(hash_size(directory.hash_type).into())?;
            length = length.checked_add(DIRECTORY + self.identifier.len() as u64 + 1)?.checked_add(hashes)?;
        }
        Some(length)
    }

    fn directory(
        &self,
        directory: &Directory<'_>,
        code: &[&[u8]],
        code_limit: u32,
    ) -> Result<CodeDirectoryBlob<'_>> {
        let kind = DigestType::from(directory.hash_type);
        let page = 1 << self.page_shift;
        let mut built = CodeDirectoryBlob {
            version: VERSION,
            flags: CodeSignatureFlags::from_bits_retain(self.flags),
            code_limit,
            digest_size: hash_size(directory.hash_type),
            digest_type: kind,
            page_size: page,
            exec_seg_base: Some(self.exec_segment.0),
            exec_seg_limit: Some(self.exec_segment.1),
            exec_seg_flags: Some(ExecutableSegmentFlags::from_bits_retain(self.exec_seg_flags)),
            ident: self.identifier.as_str().into(),
            code_digests: page_hashes(kind, code, page as usize)?,
            ..CodeDirectoryBlob::default()
        };
        for (slot, external) in &directory.external {
            let hash = match external {
                External::Hash(hash) => hash.to_vec(),
                External::Contents(contents) => kind.digest_data(contents).map_err(failed)?,
            };
            built.set_slot_digest((*slot).into(), hash).map_err(failed)?;
        }
        Ok(built)
    }
}

/// The hash of each page of these pieces, taken as one; the last page may be short.
fn page_hashes(kind: DigestType, code: &[&[u8]], page: usize) -> Result<Vec<Digest<'static>>> {
    let mut hashes = Vec::new();
    let (mut hasher, mut filled) = (kind.as_hasher().map_err(failed)?, 0);
    for piece in code {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(page - filled));
            hasher.update(now);
            (rest, filled) = (later, filled + now.len());
            if filled == page {
                let full = std::mem::replace(&mut hasher, kind.as_hasher().map_err(failed)?);
                hashes.push(full.finish().as_ref().to_vec().into());
                filled = 0;
            }
        }
    }
    if filled > 0 {
        hashes.push(hasher.finish().as_ref().to_vec().into());
    }
    Ok(hashes)
}

fn hash_size(hash_type: u8) -> u8 {
    if hash_type == SHA1 { 20 } else { 32 }
}

fn failed(error: AppleCodesignError) -> anyhow::Error {
    Error::new(format!("the code signature could not be built: {error}")).into()
}

fn too_large(code_limit: u64) -> anyhow::Error {
    Error::new(format!("{code_limit:#x} bytes of code are more than a code signature can cover")).into()
}
