//! Dynamic symbols (gABI, "Symbol Table"). Their number is nowhere written down: it follows from the hash tables, or,
//! where those say nothing, from what else refers to symbols.

use object::elf;
use object::endian::{U16, U32};
use object::read::elf::Sym;
use object::{Endianness, pod::Pod};
use spokeshave_core::{Error, Result};

use super::view::{record, records};
use super::{Dynamic, Image};

/// The dynamic symbols.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Symbols<'a> {
    table: Table<'a>,
    versions: &'a [U16<Endianness, elf::VersymIndex>],
    endian: Endianness,
    /// Symbols from this index on are definitions (`symoffset` of `DT_GNU_HASH`); their number when nothing is known.
    pub first_hashed: usize,
    /// Whether the number is what a hash table says, and not a lower bound.
    pub exact: bool,
}

#[derive(Debug, Clone, Copy)]
enum Table<'a> {
    Elf32(&'a [elf::Sym32<Endianness>]),
    Elf64(&'a [elf::Sym64<Endianness>]),
}

/// A dynamic symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// `st_name`: an offset into the string table ([`Image::string`]).
    pub name: u32,
    /// `st_value`.
    pub value: u64,
    /// `st_shndx`; `SHN_UNDEF` for what other files define.
    pub section: elf::SymbolSection,
    /// `STB_*`.
    pub bind: elf::SymbolBind,
    /// `STT_*`.
    pub kind: elf::SymbolType,
    /// `DT_VERSYM`: index into the version needs and definitions; `None` without such a table.
    pub version: Option<u16>,
    /// `VERSYM_HIDDEN`.
    pub hidden: bool,
}

impl Symbol {
    /// Another file defines it.
    pub fn is_undefined(&self) -> bool {
        self.section == elf::SHN_UNDEF
    }

    /// `STB_WEAK`.
    pub fn is_weak(&self) -> bool {
        self.bind == elf::STB_WEAK
    }
}

impl Symbols<'_> {
    /// How many there are, the empty one at index 0 included.
    pub fn len(&self) -> usize {
        match self.table {
            Table::Elf32(table) => table.len(),
            Table::Elf64(table) => table.len(),
        }
    }

    /// The symbol at an index.
    pub fn get(&self, index: usize) -> Option<Symbol> {
        match self.table {
            Table::Elf32(table) => table.get(index).map(|raw| self.symbol(index, raw)),
            Table::Elf64(table) => table.get(index).map(|raw| self.symbol(index, raw)),
        }
    }

    /// All of them, the empty one at index 0 left out.
    pub fn iter(&self) -> impl Iterator<Item = Symbol> {
        (1..self.len()).filter_map(|index| self.get(index))
    }

    /// `st_name` of each.
    pub fn names(&self) -> impl Iterator<Item = u32> {
        let (slim, wide): (&[elf::Sym32<Endianness>], &[elf::Sym64<Endianness>]) = match self.table {
            Table::Elf32(table) => (table, &[]),
            Table::Elf64(table) => (&[], table),
        };
        let slim = slim.iter().map(|raw| raw.st_name.get(self.endian));
        slim.chain(wide.iter().map(|raw| raw.st_name.get(self.endian)))
    }

    fn symbol<S: Sym<Endian = Endianness>>(&self, index: usize, raw: &S) -> Symbol {
        let version = self.versions.get(index).map(|version| version.get(self.endian));
        Symbol {
            name: raw.st_name(self.endian),
            value: raw.st_value(self.endian).into(),
            section: raw.st_shndx(self.endian),
            bind: raw.st_bind(),
            kind: raw.st_type(),
            version: version.map(|version| version.index().0),
            hidden: version.is_some_and(|version| version.0 & elf::VERSYM_HIDDEN.0 != 0),
        }
    }
}

impl<'a> Image<'a> {
    /// The dynamic symbols; none without a dynamic section.
    ///
    /// # Errors
    /// When the symbol, hash or version table reaches out of its segment.
    pub fn symbols(&self) -> Result<Symbols<'a>> {
        let endian = self.header.endian;
        let mut symbols =
            Symbols { table: Table::Elf64(&[]), versions: &[], endian, first_hashed: 0, exact: true };
        let Some(dynamic) = &self.dynamic else { return Ok(symbols) };
        let Some(address) = dynamic.value(elf::DT_SYMTAB) else { return Ok(symbols) };
        let count = Count::of(self, dynamic)?;
        symbols.exact = count.exact;
        symbols.first_hashed =
            usize::try_from(count.first_hashed.unwrap_or(count.total)).unwrap_or(usize::MAX);
        symbols.table = if self.header.is_64 {
            Table::Elf64(self.table_at(address, count.total, "dynamic symbol table")?)
        } else {
            Table::Elf32(self.table_at(address, count.total, "dynamic symbol table")?)
        };
        if let Some(address) = dynamic.value(elf::DT_VERSYM) {
            symbols.versions = self.table_at(address, count.total, "symbol version table (DT_VERSYM)")?;
        }
        Ok(symbols)
    }

    /// `count` records that are loaded at `address`.
    fn table_at<T: Pod>(&self, address: u64, count: u64, what: &str) -> Result<&'a [T]> {
        let size = count.saturating_mul(size_of::<T>() as u64);
        match self.range_of(address, size) {
            Some(range) => records(self.bytes, range.start, count, what),
            None if count == 0 => Ok(&[]),
            None => {
                let what =
                    format!("{what} ({size:#x} bytes at address {address:#x}) is not inside of a segment");
                let at = self.dynamic.as_ref().map_or(0, |dynamic| dynamic.range.start);
                Err(Error::new(what).offset(self.offset_of(address).unwrap_or(at)).into())
            }
        }
    }
}

/// How many dynamic symbols there are.
struct Count {
    total: u64,
    first_hashed: Option<u64>,
    exact: bool,
}

impl Count {
    fn of(image: &Image<'_>, dynamic: &Dynamic) -> Result<Self> {
        let gnu = match dynamic.value(elf::DT_GNU_HASH) {
            Some(address) => Some(gnu_hash(image, address)?),
            None => None,
        };
        let first_hashed = gnu.and_then(|(symoffset, total)| (total > symoffset).then_some(symoffset));
        let exact = |total| Count { total, first_hashed, exact: true };
        if let Some(address) = dynamic.value(elf::DT_HASH) {
            return Ok(exact(hash(image, address)?));
        }
        if let Some((symoffset, total)) = gnu
            && total > symoffset
        {
            return Ok(exact(total));
        }
        if let Some(total) = dynamic.value(elf::DT_MIPS_SYMTABNO)
            && image.header.machine == elf::EM_MIPS
        {
            return Ok(exact(total));
        }
        // An empty DT_GNU_HASH says nothing of the undefined symbols: those that are relocated against count.
        let total = relocated(image, dynamic)?.max(gnu.map_or(0, |(_, total)| total));
        Ok(Count { total, first_hashed: None, exact: false })
    }
}

/// `nchain` of `DT_HASH` (gABI, "Hash Table").
fn hash(image: &Image<'_>, address: u64) -> Result<u64> {
    let endian = image.header.endian;
    // The one ABI with 64-bit entries that is still alive.
    let wide = image.header.is_64 && image.header.machine == elf::EM_S390;
    if wide {
        let words: &[object::endian::U64<Endianness>] = image.table_at(address, 2, "hash table (DT_HASH)")?;
        return Ok(words.get(1).map_or(0, |nchain| nchain.get(endian)));
    }
    let words: &[U32<Endianness>] = image.table_at(address, 2, "hash table (DT_HASH)")?;
    Ok(words.get(1).map_or(0, |nchain| nchain.get(endian).into()))
}

/// `symoffset` of `DT_GNU_HASH`, and one more than the largest index in its chains.
fn gnu_hash(image: &Image<'_>, address: u64) -> Result<(u64, u64)> {
    let endian = image.header.endian;
    let what = "hash table (DT_GNU_HASH)";
    let head: &[U32<Endianness>] = image.table_at(address, 4, what)?;
    let field = |index: usize| u64::from(head.get(index).map_or(0, |word| word.get(endian)));
    let (nbuckets, symoffset, bloom) = (field(0), field(1), field(2));
    let bloom = bloom.saturating_mul(image.word());
    let buckets_at = address.saturating_add(16).saturating_add(bloom);
    let buckets: &[U32<Endianness>] = image.table_at(buckets_at, nbuckets, what)?;
    let last = u64::from(buckets.iter().map(|bucket| bucket.get(endian)).max().unwrap_or(0));
    if last < symoffset {
        return Ok((symoffset, symoffset));
    }
    let chains_at = buckets_at.saturating_add(nbuckets * 4);
    let Some(room) = image.room_at(chains_at.saturating_add((last - symoffset) * 4)) else {
        let what = format!("{what} has a chain at symbol {last} outside of its segment");
        return Err(Error::new(what).offset(image.offset_of(address).unwrap_or(0)).into());
    };
    let mut at = room.start;
    for index in last.. {
        if at >= room.end {
            break;
        }
        let link: &U32<Endianness> = record(image.bytes, at, what)?;
        if link.get(endian) & 1 == 1 {
            return Ok((symoffset, index.saturating_add(1)));
        }
        at = at.saturating_add(4);
    }
    Err(Error::new(format!("{what} has a chain without an end")).offset(room.start).into())
}

/// One more than the largest symbol index in the relocations.
fn relocated(image: &Image<'_>, dynamic: &Dynamic) -> Result<u64> {
    let rela = [(elf::DT_RELA, elf::DT_RELASZ, true), (elf::DT_REL, elf::DT_RELSZ, false)];
    let plt_rela = dynamic.value(elf::DT_PLTREL) == Some(elf::DT_RELA.0 as u64);
    let mut total = 0;
    for (tag, size, addend) in rela.into_iter().chain([(elf::DT_JMPREL, elf::DT_PLTRELSZ, plt_rela)]) {
        let (Some(address), Some(size)) = (dynamic.value(tag), dynamic.value(size)) else { continue };
        let words = if addend { 3 } else { 2 };
        let count = size / (image.word() * words);
        let step = words as usize;
        let last = if image.header.is_64 {
            let table: &[object::endian::U64<Endianness>] =
                image.table_at(address, count.saturating_mul(words), "relocations")?;
            table
                .chunks_exact(step)
                .filter_map(|raw| raw.get(1))
                .map(|info| info.get(image.header.endian) >> 32)
                .max()
        } else {
            let table: &[U32<Endianness>] =
                image.table_at(address, count.saturating_mul(words), "relocations")?;
            let symbol = |info: &U32<Endianness>| u64::from(info.get(image.header.endian) >> 8);
            table.chunks_exact(step).filter_map(|raw| raw.get(1)).map(symbol).max()
        };
        total = total.max(last.map_or(0, |last| last.saturating_add(1)));
    }
    Ok(total)
}
