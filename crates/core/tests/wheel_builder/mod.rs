//! Zip files made byte by byte, with a knob for every lie that a test tells.
// Compiled into several test programs, each of which uses a part of it.
#![allow(dead_code)]

/// A member; the central header says the same as the local one unless told otherwise.
#[derive(Clone)]
pub struct Part {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub data: Vec<u8>,
    pub crc32: u32,
    pub size: u32,
    pub external: u32,
    pub extra: Vec<u8>,
    /// Bytes before the local header that no header speaks of.
    pub gap: Vec<u8>,
    /// Bytes after the data: a data descriptor.
    pub after: Vec<u8>,
    pub local_name: Option<Vec<u8>>,
    pub local_method: Option<u16>,
    pub local_flags: Option<u16>,
    pub local_size: Option<u32>,
    pub local_compressed: Option<u32>,
    pub local_crc32: Option<u32>,
    pub central_compressed: Option<u32>,
    pub disk: u16,
    /// The central header points to this member's local header instead of its own.
    pub points_to: Option<usize>,
}

impl Part {
    /// A stored member.
    pub fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        Part {
            name: name.as_ref().to_vec(),
            flags: 0,
            method: 0,
            data: data.to_vec(),
            crc32: crc32fast::hash(data),
            size: data.len() as u32,
            external: 0o100_644 << 16,
            extra: Vec::new(),
            gap: Vec::new(),
            after: Vec::new(),
            local_name: None,
            local_method: None,
            local_flags: None,
            local_size: None,
            local_compressed: None,
            local_crc32: None,
            central_compressed: None,
            disk: 0,
            points_to: None,
        }
    }

    /// A deflated member.
    pub fn deflated(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut packer = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(6).unwrap());
        let mut packed = vec![0; packer.deflate_compress_bound(data.len())];
        let len = packer.deflate_compress(data, &mut packed).unwrap();
        packed.truncate(len);
        Part { method: 8, data: packed, ..Part::stored(name, data) }
            .declared(data.len() as u32, crc32fast::hash(data))
    }

    fn declared(mut self, size: u32, crc32: u32) -> Self {
        (self.size, self.crc32) = (size, crc32);
        self
    }

    /// The same with zeroes in the local header and this after the data.
    pub fn with_descriptor(mut self, descriptor: &[u8]) -> Self {
        self.flags |= 8;
        (self.local_size, self.local_compressed, self.local_crc32) = (Some(0), Some(0), Some(0));
        self.after = descriptor.to_vec();
        self
    }
}

/// The end record; `None` fields are filled in truly.
#[derive(Default, Clone)]
pub struct End {
    pub disk: u16,
    pub count_here: Option<u16>,
    pub count: Option<u16>,
    pub size: Option<u32>,
    pub offset: Option<u32>,
    pub comment: Vec<u8>,
    pub trailing: Vec<u8>,
}

fn header(part: &Part, local: bool) -> Vec<u8> {
    let pick =
        |local_value: Option<u32>, value: u32| if local { local_value.unwrap_or(value) } else { value };
    let flags = if local { part.local_flags.unwrap_or(part.flags) } else { part.flags };
    let method = if local { part.local_method.unwrap_or(part.method) } else { part.method };
    let compressed = part.data.len() as u32;
    let compressed = if local {
        part.local_compressed.unwrap_or(compressed)
    } else {
        part.central_compressed.unwrap_or(compressed)
    };
    let name = if local { part.local_name.as_ref().unwrap_or(&part.name) } else { &part.name };
    let mut out = Vec::new();
    out.extend(20u16.to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend(method.to_le_bytes());
    out.extend([0, 0, 0x21, 0]);
    out.extend(pick(part.local_crc32, part.crc32).to_le_bytes());
    out.extend(compressed.to_le_bytes());
    out.extend(pick(part.local_size, part.size).to_le_bytes());
    out.extend((name.len() as u16).to_le_bytes());
    out.extend((part.extra.len() as u16).to_le_bytes());
    out
}

/// The zip file.
pub fn zip_with(parts: &[Part], end: &End) -> Vec<u8> {
    let mut out = Vec::new();
    let mut offsets = Vec::new();
    for part in parts {
        out.extend(&part.gap);
        offsets.push(out.len() as u32);
        out.extend(b"PK\x03\x04");
        out.extend(header(part, true));
        out.extend(part.local_name.as_ref().unwrap_or(&part.name));
        out.extend(&part.extra);
        out.extend(&part.data);
        out.extend(&part.after);
    }
    let directory = out.len() as u32;
    for (index, part) in parts.iter().enumerate() {
        out.extend(b"PK\x01\x02");
        out.extend([20, 3]);
        out.extend(header(part, false));
        out.extend([0, 0]);
        out.extend(part.disk.to_le_bytes());
        out.extend([0, 0]);
        out.extend(part.external.to_le_bytes());
        out.extend(offsets[part.points_to.unwrap_or(index)].to_le_bytes());
        out.extend(&part.name);
        out.extend(&part.extra);
    }
    let size = out.len() as u32 - directory;
    let count = parts.len() as u16;
    out.extend(b"PK\x05\x06");
    out.extend(end.disk.to_le_bytes());
    out.extend(end.disk.to_le_bytes());
    out.extend(end.count_here.or(end.count).unwrap_or(count).to_le_bytes());
    out.extend(end.count.unwrap_or(count).to_le_bytes());
    out.extend(end.size.unwrap_or(size).to_le_bytes());
    out.extend(end.offset.unwrap_or(directory).to_le_bytes());
    out.extend((end.comment.len() as u16).to_le_bytes());
    out.extend(&end.comment);
    out.extend(&end.trailing);
    out
}

/// The zip file with a true end record.
pub fn zip(parts: &[Part]) -> Vec<u8> {
    zip_with(parts, &End::default())
}
