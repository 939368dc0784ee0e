//! rpm's own container: slots that name blobs, see `lib/backend/ndb/rpmpkg.c` in rpm's source.

use super::{Headers, field, le32};

const PAGE: usize = 4096;
const SLOT: usize = 16;
const BLOCK: usize = 16;

pub(super) fn read(file: &[u8], headers: &mut Headers<'_>) -> Option<()> {
    if !file.starts_with(b"RpmP") {
        return None;
    }
    let slots = file.get(..le32(file, 12)?.checked_mul(PAGE)?)?;
    // The file's header stands where the first two slots would.
    for slot in slots.chunks_exact(SLOT).skip(2) {
        let (id, block) = (le32(slot, 4)?, le32(slot, 8)?);
        if !slot.starts_with(b"Slot") || id == 0 || block == 0 {
            continue;
        }
        let blob = file.get(block.checked_mul(BLOCK)?..)?;
        if field(blob, 0)? != *b"BlbS" || le32(blob, 4)? != id {
            return None;
        }
        let len = le32(blob, 12)?;
        headers.reserve(len)?;
        (headers.take)(blob.get(16..)?.get(..len)?);
    }
    Some(())
}
