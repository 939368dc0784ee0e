//! Mach-O files made by hand, for tests: what no compiler at hand makes.

use object::Endianness;
use object::macho::{self, LoadCommandType};

use crate::Arch;

/// A thin file to be made.
#[derive(Clone)]
pub(crate) struct Handmade {
    pub is_64: bool,
    pub endian: Endianness,
    pub arch: Arch,
    pub filetype: u32,
    pub id: Option<&'static str>,
    pub dylibs: Vec<(LoadCommandType, &'static str)>,
    pub rpaths: Vec<&'static str>,
    /// Further load commands, without `cmdsize`: kind and the words that follow.
    pub more: Vec<(LoadCommandType, Vec<u32>)>,
    /// Bytes between the load commands and the first section.
    pub room: usize,
    /// Bytes of `__LINKEDIT` before the signature; `None`: no such segment.
    pub linkedit: Option<usize>,
    /// Bytes of the signature.
    pub signature: Option<usize>,
    /// What follows `__LINKEDIT`.
    pub payload: &'static [u8],
}

pub(crate) const TEXT_SIZE: usize = 64;

impl Handmade {
    /// A 64-bit dylib, little-endian, unsigned.
    pub fn dylib(arch: Arch) -> Self {
        Handmade {
            is_64: true,
            endian: Endianness::Little,
            arch,
            filetype: macho::MH_DYLIB.0,
            id: Some("/usr/local/lib/liba.dylib"),
            dylibs: vec![
                (macho::LC_LOAD_DYLIB, "/usr/lib/libSystem.B.dylib"),
                (macho::LC_LOAD_WEAK_DYLIB, "@rpath/libweak.dylib"),
                (macho::LC_REEXPORT_DYLIB, "/opt/libre.dylib"),
                (macho::LC_LAZY_LOAD_DYLIB, "/opt/liblazy.dylib"),
                (macho::LC_LOAD_UPWARD_DYLIB, "/opt/libup.dylib"),
            ],
            rpaths: vec!["/opt/lib", "@loader_path/../lib"],
            more: vec![
                (macho::LC_UUID, vec![1, 2, 3, 4]),
                (macho::LC_BUILD_VERSION, vec![1, 0x000b_0000, 0x000e_0000, 0]),
            ],
            room: 256,
            linkedit: Some(0x48),
            signature: None,
            payload: b"",
        }
    }

    pub fn word(&self, value: u32) -> [u8; 4] {
        match self.endian {
            Endianness::Little => value.to_le_bytes(),
            Endianness::Big => value.to_be_bytes(),
        }
    }

    fn words(&self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.word(*value)).collect()
    }

    /// Addresses and sizes, which have 32 or 64 bits.
    fn longs(&self, values: &[usize]) -> Vec<u8> {
        let long = |value: usize| match (self.is_64, self.endian) {
            (false, _) => self.word(value as u32).to_vec(),
            (true, Endianness::Little) => value.to_le_bytes().to_vec(),
            (true, Endianness::Big) => value.to_be_bytes().to_vec(),
        };
        values.iter().flat_map(|value| long(*value)).collect()
    }

    fn command(&self, kind: LoadCommandType, mut fields: Vec<u8>) -> Vec<u8> {
        let align = if self.is_64 { 8 } else { 4 };
        fields.resize((fields.len() + 8).next_multiple_of(align) - 8, 0);
        [self.words(&[kind.0, fields.len() as u32 + 8]), fields].concat()
    }

    fn dylib_command(&self, kind: LoadCommandType, name: &str) -> Vec<u8> {
        let fields = self.words(&[24, 2, 0x0001_0203, 0x0001_0000]);
        self.command(kind, [&fields, name.as_bytes(), b"\0"].concat())
    }

    fn segment(&self, name: &str, at: usize, size: usize, section: Option<usize>) -> Vec<u8> {
        let padded = |name: &str| [name.as_bytes(), &[0; 16][name.len()..]].concat();
        let kind = if self.is_64 { macho::LC_SEGMENT_64 } else { macho::LC_SEGMENT };
        let vmsize = size.next_multiple_of(0x1000);
        let mut fields = [padded(name), self.longs(&[at, vmsize, at, size])].concat();
        fields.extend(self.words(&[5, 5, u32::from(section.is_some()), 0]));
        if let Some(at) = section {
            fields.extend([padded("__text"), padded(name), self.longs(&[at, TEXT_SIZE])].concat());
            fields.extend(self.words(&[at as u32, 4, 0, 0, 0x8000_0400, 0, 0]));
            fields.extend(self.words(if self.is_64 { &[0] } else { &[] }));
        }
        self.command(kind, fields)
    }

    fn commands(&self, text: usize, text_end: usize) -> Vec<Vec<u8>> {
        let mut commands = vec![self.segment("__TEXT", 0, text_end, Some(text))];
        let signature = self.signature.unwrap_or(0);
        if let Some(size) = self.linkedit {
            commands.push(self.segment("__LINKEDIT", text_end, size + signature, None));
            commands.push(self.command(macho::LC_SYMTAB, self.words(&[text_end as u32, 1, 0, 0])));
        }
        commands.extend(self.id.map(|id| self.dylib_command(macho::LC_ID_DYLIB, id)));
        commands.extend(self.more.iter().map(|(kind, words)| self.command(*kind, self.words(words))));
        commands.extend(self.dylibs.iter().map(|(kind, name)| self.dylib_command(*kind, name)));
        for path in &self.rpaths {
            let fields = [&self.word(12), path.as_bytes(), b"\0"].concat();
            commands.push(self.command(macho::LC_RPATH, fields));
        }
        if self.signature.is_some() {
            let at = text_end + self.linkedit.unwrap_or(0);
            commands.push(self.command(macho::LC_CODE_SIGNATURE, self.words(&[at as u32, signature as u32])));
        }
        commands
    }

    /// The file.
    pub fn build(&self) -> Vec<u8> {
        let header_size = if self.is_64 { 32 } else { 28 };
        let size: usize = self.commands(0, 0).iter().map(Vec::len).sum();
        let text = header_size + size + self.room;
        let text_end = (text + TEXT_SIZE).next_multiple_of(0x1000);
        let commands = self.commands(text, text_end);
        let magic = if self.is_64 { macho::MH_MAGIC_64 } else { macho::MH_MAGIC };
        let mut bytes = self.words(&[
            magic,
            self.arch.cputype,
            self.arch.cpusubtype,
            self.filetype,
            commands.len() as u32,
            size as u32,
            0x85,
            0,
        ]);
        bytes.truncate(header_size);
        commands.iter().for_each(|command| bytes.extend(command));
        bytes.resize(text, 0);
        bytes.extend((1..).take(TEXT_SIZE));
        bytes.resize(text_end, 0);
        bytes.extend(std::iter::repeat_n(0x55, self.linkedit.unwrap_or(0)));
        bytes.resize(bytes.len() + self.signature.unwrap_or(0), 0);
        bytes.extend(self.payload);
        bytes
    }
}

/// A fat file of slices, each with its alignment as a power of 2.
pub(crate) fn fat(is_64: bool, slices: &[(Arch, u32, Vec<u8>)]) -> Vec<u8> {
    let magic = if is_64 { macho::FAT_MAGIC_64 } else { macho::FAT_MAGIC };
    let entry = if is_64 { 32 } else { 20 };
    let mut table = [magic, slices.len() as u32].map(u32::to_be_bytes).concat();
    let mut contents = vec![0; table.len() + entry * slices.len()];
    for (arch, align, slice) in slices {
        contents.resize(contents.len().next_multiple_of(1 << align), 0);
        let place = [contents.len() as u64, slice.len() as u64];
        table.extend([arch.cputype, arch.cpusubtype].map(u32::to_be_bytes).concat());
        if is_64 {
            table.extend(place.map(u64::to_be_bytes).concat());
        } else {
            table.extend(place.map(|value| (value as u32).to_be_bytes()).concat());
        }
        table.extend(align.to_be_bytes());
        table.extend(if is_64 { &[0; 4][..] } else { &[] });
        contents.extend(slice);
    }
    contents[..table.len()].copy_from_slice(&table);
    contents
}
