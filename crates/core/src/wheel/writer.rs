//! Writes a wheel: members that did not change as they lie, others packed anew.

use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::zip::{FLAG_DESCRIPTOR, FLAG_UTF8, Header, Limits, end_records, extra_without_zip64};
use super::{Archive, Kind, Member, Packed, Timestamp};
use crate::output::{Output, failed};
use crate::{Error, PackagePath, Result};

/// From this size on a copy from file to file is left to the kernel.
const KERNEL_COPY: u64 = 64 << 10;
/// So many bytes are sent to the disk at once while others are packed.
const WRITE_BACK: u64 = 8 << 20;
/// "Version made by": Unix, 2.0 of the format.
const MADE_BY_UNIX: u16 = (3 << 8) | 20;
/// "Version needed": 2.0, deflate and directories.
const DEFLATE_VERSION: u16 = 20;
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFLNK: u32 = 0o120_000;
/// MS-DOS attribute of a directory.
const DOS_DIRECTORY: u32 = 0x10;

/// What a new or changed member is called and how it is marked.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name; a directory's ends with `/`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Unix permission bits.
    pub mode: u32,
    /// When it was last changed.
    pub modified: Timestamp,
}

impl Entry {
    /// A new regular file.
    pub fn file(name: impl Into<String>, mode: u32, modified: Timestamp) -> Self {
        Entry { name: name.into(), kind: Kind::File, mode, modified }
    }

    /// Marked like the member that it replaces.
    pub fn like(member: &Member) -> Self {
        Entry {
            name: member.name.clone(),
            kind: member.kind,
            mode: member.mode_or_default(),
            modified: member.modified,
        }
    }
}

/// A wheel that is being written. It appears under its name when [`Writer::finish`] succeeds; a writer that is
/// dropped before leaves nothing.
pub struct Writer {
    output: BufWriter<OutputFile>,
    directory: Vec<u8>,
    count: u64,
    offset: u64,
    /// Up to where the output is on its way to the disk.
    sent: u64,
    limits: Limits,
}

/// The output as a `Write`, so that it can stand in a `BufWriter`.
struct OutputFile(Output);

impl std::io::Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.file().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.file().flush()
    }
}

impl Writer {
    /// Begins a wheel that is to become `target`; its directory must exist.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn create(target: &Path) -> Result<Self> {
        Self::with_limits(target, Limits::FORMAT)
    }

    pub(super) fn with_limits(target: &Path, limits: Limits) -> Result<Self> {
        Ok(Writer {
            output: BufWriter::with_capacity(256 << 10, OutputFile(Output::create(target)?)),
            directory: Vec::new(),
            count: 0,
            offset: 0,
            sent: 0,
            limits,
        })
    }

    /// Copies a member as it lies in `archive`: same compressed bytes, name, time, attributes. A data descriptor
    /// is folded into the local header.
    ///
    /// # Errors
    /// When the output can't be written.
    pub fn raw(&mut self, archive: &Archive, index: usize) -> Result<()> {
        let (member, packed) = archive.packed(index)?;
        let zip = &member.zip;
        let header = Header {
            version_made_by: zip.version_made_by,
            version_needed: zip.version_needed,
            flags: zip.flags & !FLAG_DESCRIPTOR,
            method: member.method.code(),
            time: member.modified.time,
            date: member.modified.date,
            crc32: member.crc32,
            compressed_size: member.compressed_size,
            size: member.size,
            name: zip.raw_name.clone(),
            local_extra: extra_without_zip64(&zip.local_extra).into(),
            central_extra: extra_without_zip64(&zip.central_extra).into(),
            comment: zip.comment.clone(),
            internal_attributes: zip.internal_attributes,
            external_attributes: zip.external_attributes,
            offset: self.offset,
        };
        self.begin(header)?;
        match archive.file() {
            Some(file) if member.compressed_size >= KERNEL_COPY => {
                let file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                self.copy(file.file(), member)
            }
            _ => self.write(packed),
        }
    }

    /// Adds a new or changed member.
    ///
    /// # Errors
    /// When its name is unsafe or too long, or the output can't be written.
    pub fn add(&mut self, entry: &Entry, packed: &Packed) -> Result<()> {
        let path = PackagePath::new(&entry.name)?;
        let (file_type, name) = match entry.kind {
            Kind::File => (S_IFREG, path.as_str().to_owned()),
            Kind::Symlink => (S_IFLNK, path.as_str().to_owned()),
            Kind::Dir => (S_IFDIR, format!("{path}/")),
        };
        let dos = if entry.kind == Kind::Dir { DOS_DIRECTORY } else { 0 };
        let header = Header {
            version_made_by: MADE_BY_UNIX,
            version_needed: DEFLATE_VERSION,
            flags: if name.is_ascii() { 0 } else { FLAG_UTF8 },
            method: packed.method.code(),
            time: entry.modified.time,
            date: entry.modified.date,
            crc32: packed.crc32,
            compressed_size: packed.data().len() as u64,
            size: packed.size,
            name: name.into_bytes().into(),
            local_extra: Box::default(),
            central_extra: Box::default(),
            comment: Box::default(),
            internal_attributes: 0,
            external_attributes: ((file_type | (entry.mode & 0o7777)) << 16) | dos,
            offset: self.offset,
        };
        self.begin(header)?;
        self.write(packed.data())
    }

    /// Writes the central directory, makes the file durable and gives it its name.
    ///
    /// # Errors
    /// When the output can't be written or put in place; nothing is left then.
    pub fn finish(mut self) -> Result<()> {
        let (offset, directory) = (self.offset, std::mem::take(&mut self.directory));
        self.write(&directory)?;
        let end = end_records(self.count, offset, directory.len() as u64, self.limits);
        self.write(&end)?;
        let target = self.output.get_ref().0.target().to_path_buf();
        let output =
            self.output.into_inner().map_err(|error| failed("can't be written", error.error(), &target))?;
        output.0.finish()
    }

    fn begin(&mut self, header: Header) -> Result<()> {
        if !header.fits() {
            return Err(Error::new("name, comment or extra fields are too long for a zip file")
                .at(String::from_utf8_lossy(&header.name).escape_debug())
                .into());
        }
        self.write(&header.local(self.limits))?;
        self.directory.extend(header.central(self.limits));
        self.count += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.output.write_all(bytes) {
            return Err(self.failed(&error));
        }
        self.advance(bytes.len() as u64);
        Ok(())
    }

    /// Lets the kernel copy a member's bytes, where it can without reading them into this process.
    fn copy(&mut self, mut from: &std::fs::File, member: &Member) -> Result<()> {
        let mut run = || {
            self.output.flush()?;
            from.seek(SeekFrom::Start(member.zip.data_start))?;
            let mut to = self.output.get_ref().0.file();
            let copied = std::io::copy(&mut from.take(member.compressed_size), &mut to)?;
            if copied != member.compressed_size {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the input shrank meanwhile",
                ));
            }
            Ok(())
        };
        if let Err(error) = run() {
            return Err(self.failed(&error));
        }
        self.advance(member.compressed_size);
        Ok(())
    }

    fn advance(&mut self, bytes: u64) {
        self.offset += bytes;
        // What the buffer still holds counts as written; it goes with the next range.
        if self.offset - self.sent >= WRITE_BACK {
            self.output.get_ref().0.write_back(self.sent..self.offset);
            self.sent = self.offset;
        }
    }

    fn failed(&self, error: &std::io::Error) -> anyhow::Error {
        failed("can't be written", error, self.output.get_ref().0.target())
    }
}
