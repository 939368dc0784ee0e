//! A member's contents: whole by libdeflate, the first bytes only by flate2.

use std::io::Read as _;

use super::{Member, Method};
use crate::{Error, Result};

/// A deflate stream can't grow by more than this: 258 bytes for two bits.
pub(super) const MAX_RATIO: u64 = 1032;
/// Above both limits a member is taken for a bomb; no library compresses that well.
const BOMB_SIZE: u64 = 1 << 30;
const BOMB_RATIO: u64 = 100;

/// All of a member, checked against its declared size and CRC-32.
pub(super) fn whole(member: &Member, packed: &[u8]) -> Result<Vec<u8>, Error> {
    let contents = match member.method {
        Method::Stored => reserve(packed.len() as u64).map(|_| packed.to_vec())?,
        Method::Deflated => inflate(member, packed)?,
        Method::Other(_) => return Err(unsupported(member)),
    };
    let crc32 = crc32fast::hash(&contents);
    if crc32 != member.crc32 {
        return Err(Error::new(format!("the CRC-32 is {crc32:08x}, not {:08x} as declared", member.crc32))
            .hint("the wheel is damaged; build or fetch it again"));
    }
    Ok(contents)
}

fn inflate(member: &Member, packed: &[u8]) -> Result<Vec<u8>, Error> {
    if member.size > BOMB_SIZE && member.size / BOMB_RATIO > member.compressed_size {
        return Err(Error::new(format!(
            "looks like a decompression bomb: {} bytes from {}",
            member.size, member.compressed_size
        ))
        .hint("nothing that large compresses that well; look at where the wheel comes from"));
    }
    let size = reserve(member.size)?;
    let mut contents = vec![0; size];
    let damaged = "the wheel is damaged; build or fetch it again";
    match libdeflater::Decompressor::new().deflate_decompress(packed, &mut contents) {
        Ok(actual) if actual == size => Ok(contents),
        Ok(actual) => Err(Error::new(format!("holds {actual} bytes, not {size} as declared")).hint(damaged)),
        Err(libdeflater::DecompressionError::InsufficientSpace) => {
            Err(Error::new(format!("holds more than the {size} bytes declared")).hint(damaged))
        }
        Err(libdeflater::DecompressionError::BadData) => {
            Err(Error::new("the compressed data is not valid deflate").hint(damaged))
        }
    }
}

/// Checks that `size` bytes can be had, since a failed allocation later would end the process.
fn reserve(size: u64) -> Result<usize, Error> {
    let too_large =
        || Error::new(format!("{size} bytes do not fit into memory")).hint("use a machine with more memory");
    let size = usize::try_from(size).map_err(|_| too_large())?;
    Vec::<u8>::new().try_reserve_exact(size).map_err(|_| too_large())?;
    Ok(size)
}

/// The first bytes of a member, `limit` at most; nothing is checked but that they can be inflated.
pub(super) fn head(member: &Member, packed: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    match member.method {
        Method::Stored => Ok(packed.iter().take(limit).copied().collect()),
        Method::Deflated => {
            let mut head = Vec::new();
            let wanted = member.size.min(limit as u64);
            flate2::read::DeflateDecoder::new(packed).take(wanted).read_to_end(&mut head).map_err(|_| {
                Error::new("the compressed data is not valid deflate")
                    .hint("the wheel is damaged; build or fetch it again")
            })?;
            Ok(head)
        }
        Method::Other(_) => Err(unsupported(member)),
    }
}

fn unsupported(member: &Member) -> Error {
    Error::new(format!(
        "compressed with {}, which wheels do not use and this program does not read",
        member.method
    ))
    .hint("zip the wheel again with deflate: `wheel unpack`, then `wheel pack`")
}
