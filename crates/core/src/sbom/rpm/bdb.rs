//! Berkeley DB, access method hash: of its pages, see `src/dbinc/db_page.h` in Berkeley DB's source. Who only wants all
//! values needs neither the hash function nor the buckets.

use super::{Headers, field};

const HASH_MAGIC: u32 = 0x0006_1561;
/// Page types.
const P_HASH_UNSORTED: u8 = 2;
const P_OVERFLOW: u8 = 7;
const P_HASH: u8 = 13;
/// Item types.
const H_KEYDATA: u8 = 1;
const H_OFFPAGE: u8 = 3;
/// Size of a page's header.
const PAGE_HEADER: usize = 26;

pub(super) fn read(file: &[u8], headers: &mut Headers<'_>) -> Option<()> {
    let magic: [u8; 4] = field(file, 12)?;
    let big = match magic {
        _ if u32::from_le_bytes(magic) == HASH_MAGIC => false,
        _ if u32::from_be_bytes(magic) == HASH_MAGIC => true,
        _ => return None,
    };
    let size = usize::try_from(Bytes { bytes: file, big }.u32(20)?).ok()?;
    if !(512..=65_536).contains(&size) {
        return None;
    }
    for page in file.chunks_exact(size).skip(1) {
        let page = Bytes { bytes: page, big };
        if ![P_HASH_UNSORTED, P_HASH].contains(page.bytes.get(25)?) {
            continue;
        }
        let mut end = size;
        for entry in 0..usize::from(page.u16(20)?) {
            // Items are put in from the page's end towards its front, a key and then its value.
            let start = usize::from(page.u16(PAGE_HEADER + 2 * entry)?);
            let item = Bytes { bytes: page.bytes.get(start..end)?, big };
            end = start;
            if entry % 2 == 0 {
                continue;
            }
            match item.bytes.split_first() {
                Some((&H_KEYDATA, data)) => {
                    headers.reserve(data.len())?;
                    (headers.take)(data);
                }
                Some((&H_OFFPAGE, _)) => {
                    let len = usize::try_from(item.u32(8)?).ok()?;
                    headers.reserve(len)?;
                    (headers.take)(&overflow(file, size, big, item.u32(4)?, len)?);
                }
                _ => {}
            }
        }
    }
    Some(())
}

/// A value of `len` bytes that begins on the overflow page `number`.
fn overflow(file: &[u8], size: usize, big: bool, mut number: u32, len: usize) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(len);
    while value.len() < len {
        let start = usize::try_from(number).ok()?.checked_mul(size)?;
        let page = Bytes { bytes: file.get(start..)?.get(..size)?, big };
        let data = page.bytes.get(PAGE_HEADER..)?.get(..usize::from(page.u16(22)?))?;
        if *page.bytes.get(25)? != P_OVERFLOW || data.is_empty() {
            return None;
        }
        value.extend(data);
        number = page.u32(16)?;
    }
    value.truncate(len);
    Some(value)
}

/// Bytes in the order of the machine that wrote them.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Bytes<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = field(self.bytes, at)?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = field(self.bytes, at)?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}
