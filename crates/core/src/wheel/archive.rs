//! A wheel that is open for reading.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Kind, Member, directory, inflate};
use crate::{ByteSource, Bytes, Error, Locate as _, PackagePath, Result};

/// A wheel that is open for reading: mapped, its central directory checked, nothing inflated.
///
/// The same for several threads at once; put it into an [`Arc`].
pub struct Archive {
    path: PathBuf,
    bytes: Bytes,
    /// For copies from file to file; `None` when the wheel is in memory only.
    file: Option<Mutex<fs_err::File>>,
    members: Vec<Member>,
    by_name: HashMap<String, usize>,
    warnings: Vec<String>,
}

impl Archive {
    /// Maps the wheel at `path` and checks its directory and all its headers.
    ///
    /// # Errors
    /// When the file can't be read, or is damaged, or lies: truncated, wrong counts, local and central headers
    /// that disagree, overlapping or duplicate members, names that lead out of the package, encryption, several
    /// disks, sizes that can't be true. Each says which member and where.
    pub fn open(path: &Path) -> Result<Self> {
        let file = fs_err::File::open(path)?;
        let bytes = Bytes::map_file(&file)?;
        Self::new(path, bytes, Some(Mutex::new(file)))
    }

    /// The same for a wheel in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn from_bytes(path: &Path, bytes: Bytes) -> Result<Self> {
        Self::new(path, bytes, None)
    }

    fn new(path: &Path, bytes: Bytes, file: Option<Mutex<fs_err::File>>) -> Result<Self> {
        let label = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let directory = directory::read(&bytes, &label).locate(&label)?;
        let by_name =
            directory.members.iter().enumerate().map(|(index, m)| (m.name.clone(), index)).collect();
        Ok(Archive {
            path: path.to_path_buf(),
            bytes,
            file,
            members: directory.members,
            by_name,
            warnings: directory.warnings,
        })
    }

    /// The wheel's own path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The members, in the order of the central directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The index of the member of that name (a directory's ends with `/`).
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What is odd but does no harm here: names that differ only in case.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The first `limit` bytes of a member's contents; only so much is inflated.
    ///
    /// # Errors
    /// When it can't be inflated: damaged, or a method other than deflate.
    pub fn head(&self, index: usize, limit: usize) -> Result<Vec<u8>> {
        let (member, packed) = self.packed(index)?;
        inflate::head(member, packed, limit).map_err(|error| self.locate(member, error))
    }

    /// A member's contents, checked against its declared size and CRC-32.
    ///
    /// # Errors
    /// When it is damaged, looks like a bomb, or is compressed with a method other than deflate.
    pub fn read(&self, index: usize) -> Result<Vec<u8>> {
        let (member, packed) = self.packed(index)?;
        inflate::whole(member, packed).map_err(|error| self.locate(member, error))
    }

    /// Whether a member has the contents of one of another wheel. Nothing is inflated where the compressed bytes or the
    /// checksums tell.
    ///
    /// # Errors
    /// When one of them can't be inflated.
    pub fn same_contents(&self, index: usize, other: &Archive, other_index: usize) -> Result<bool> {
        let ((own, packed), (theirs, other_packed)) = (self.packed(index)?, other.packed(other_index)?);
        if (own.size, own.crc32) != (theirs.size, theirs.crc32) {
            return Ok(false);
        }
        if own.method == theirs.method && packed == other_packed {
            return Ok(true);
        }
        Ok(self.read(index)? == other.read(other_index)?)
    }

    /// Where a symbolic link in the wheel leads; `None` when that is outside of it.
    ///
    /// # Errors
    /// When the member is no link, or can't be read, or its target is no text.
    pub fn link_target(&self, index: usize) -> Result<Option<PackagePath>> {
        let (member, _) = self.packed(index)?;
        if member.kind != Kind::Symlink {
            return Err(self.locate(member, Error::new("is not a symbolic link")));
        }
        let target = String::from_utf8(self.read(index)?)
            .map_err(|_| self.locate(member, Error::new("the link's target is not UTF-8")))?;
        if target.starts_with('/') {
            return Ok(None);
        }
        Ok(member.path.parent().resolve(&target))
    }

    /// A member as a source of bytes that inflates each time it is opened.
    pub fn source(self: &Arc<Self>, index: usize) -> Arc<dyn ByteSource> {
        let size = self.members.get(index).map_or(0, |member| member.size);
        Arc::new(MemberSource { archive: self.clone(), index, size })
    }

    pub(super) fn member(&self, index: usize) -> Result<&Member> {
        let missing =
            || Error::new(format!("no member has the index {index}")).at(self.path.display()).into();
        self.members.get(index).ok_or_else(missing)
    }

    /// A member and its bytes as they lie in the file.
    pub(super) fn packed(&self, index: usize) -> Result<(&Member, &[u8])> {
        let member = self.member(index)?;
        let range = member.data_range();
        // The range was checked when the wheel was opened.
        let packed = self.bytes.get(range.start as usize..range.end as usize).unwrap_or_default();
        Ok((member, packed))
    }

    pub(super) fn file(&self) -> Option<&Mutex<fs_err::File>> {
        self.file.as_ref()
    }

    fn locate(&self, member: &Member, error: Error) -> anyhow::Error {
        let label = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy();
        error
            .at(format_args!("{label}: {}", member.name.escape_debug()))
            .offset(member.zip.header_offset)
            .into()
    }
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).field("members", &self.members.len()).finish()
    }
}

struct MemberSource {
    archive: Arc<Archive>,
    index: usize,
    size: u64,
}

impl ByteSource for MemberSource {
    fn size(&self) -> u64 {
        self.size
    }
    fn open(&self) -> Result<Bytes> {
        Ok(Bytes::from(self.archive.read(self.index)?))
    }
}
