//! The table `Packages (hnum INTEGER PRIMARY KEY, blob BLOB)` of a SQLite file at rest
//! (<https://www.sqlite.org/fileformat2.html>). Changes that only stand in a write-ahead log are not seen.

use super::{Headers, be32, field};

const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

pub(super) fn read(file: &[u8], headers: &mut Headers<'_>) -> Option<()> {
    if !file.starts_with(b"SQLite format 3\0") {
        return None;
    }
    // §1.3.2: 1 stands for 65536.
    let size = match u16::from_be_bytes(field(file, 16)?) {
        1 => 65_536,
        size => usize::from(size),
    };
    if size < 512 {
        return None;
    }
    let pages = Pages { file, size, usable: size.checked_sub(usize::from(*file.get(20)?))? };
    // §2.6: the schema table is rooted in page 1; its columns are type, name, tbl_name, rootpage, sql.
    let mut root = None;
    let mut schema_left = file.len();
    pages.rows(1, &mut |row| {
        schema_left = schema_left.checked_sub(row.len)?;
        let row = row.read()?;
        if column(&row, 0)? == b"table" && column(&row, 1)? == b"Packages" {
            root = Some(column(&row, 3)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)));
        }
        Some(())
    })?;
    pages.rows(root?, &mut |row| {
        headers.reserve(row.len)?;
        (headers.take)(column(&row.read()?, 1)?);
        Some(())
    })
}

struct Pages<'a> {
    file: &'a [u8],
    size: usize,
    /// Page size less what is reserved at each page's end.
    usable: usize,
}

/// A row whose bytes are not put together yet.
struct Row<'a> {
    pages: &'a Pages<'a>,
    /// Its length in bytes.
    len: usize,
    local: &'a [u8],
    /// The first overflow page, if not all of it is local.
    overflow: Option<usize>,
}

impl<'a> Pages<'a> {
    /// Pages are counted from 1.
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        self.file.get(number.checked_sub(1)?.checked_mul(self.size)?..)?.get(..self.usable)
    }

    /// §1.6: hands every row of the table that is rooted in page `root` to `each`, until that answers `None`.
    fn rows(&self, root: usize, each: &mut dyn FnMut(Row<'_>) -> Option<()>) -> Option<()> {
        let mut pending = vec![root];
        // A tree has each page once.
        let mut pages_left = self.file.len() / self.size;
        while let Some(number) = pending.pop() {
            pages_left = pages_left.checked_sub(1)?;
            let page = self.page(number)?;
            // The first page begins with the file's header.
            let header = page.get(if number == 1 { 100 } else { 0 }..)?;
            let kind = *header.first()?;
            let pointers = header.get(if kind == INTERIOR { 12 } else { 8 }..)?;
            let cells = usize::from(u16::from_be_bytes(field(header, 3)?));
            let cells = pointers.as_chunks::<2>().0.iter().take(cells);
            let cells = cells.map(|at| page.get(usize::from(u16::from_be_bytes(*at))..));
            match kind {
                LEAF => cells.into_iter().try_for_each(|cell| each(self.row(cell?)?))?,
                INTERIOR => {
                    pending.push(be32(header, 8)?);
                    for cell in cells.rev() {
                        pending.push(be32(cell?, 0)?);
                    }
                    if pending.len() > pages_left {
                        return None;
                    }
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// The row in a leaf's cell.
    fn row<'p>(&'p self, cell: &'p [u8]) -> Option<Row<'p>> {
        let (len, cell) = varint(cell)?;
        let (_, cell) = varint(cell)?;
        let max = self.usable.checked_sub(35)?;
        if len <= max {
            return Some(Row { pages: self, len, local: cell.get(..len)?, overflow: None });
        }
        let min = (self.usable.checked_sub(12)? * 32 / 255).checked_sub(23)?;
        let fitted = min + (len.checked_sub(min)? % self.usable.checked_sub(4)?);
        let (local, rest) = cell.split_at_checked(if fitted <= max { fitted } else { min })?;
        Some(Row { pages: self, len, local, overflow: Some(be32(rest, 0)?) })
    }
}

impl Row<'_> {
    /// To be called when [`Row::len`] is known to be within reason.
    fn read(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.len);
        bytes.extend(self.local);
        let mut next = self.overflow;
        while bytes.len() < self.len {
            let page = self.pages.page(next?)?;
            next = be32(page, 0);
            bytes.extend(page.get(4..)?);
        }
        bytes.truncate(self.len);
        Some(bytes)
    }
}

/// §2.1: the bytes of a row's column.
fn column(row: &[u8], index: usize) -> Option<&[u8]> {
    let (header_len, after) = varint(row)?;
    let mut types = row.get(row.len() - after.len()..header_len)?;
    let mut values = row.get(header_len..)?;
    for _ in 0..index {
        let (kind, rest) = varint(types)?;
        types = rest;
        values = values.get(value_len(kind)..)?;
    }
    values.get(..value_len(varint(types)?.0))
}

/// Bytes that a value of a serial type takes.
fn value_len(kind: usize) -> usize {
    match kind {
        0 | 8..=11 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        _ => (kind - 12) / 2,
    }
}

/// §1.6: a number of up to nine bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        let (bits, last) = if index == 8 { (8, true) } else { (7, byte & 0x80 == 0) };
        value = value << bits | u64::from(if index == 8 { *byte } else { byte & 0x7f });
        if last {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}
