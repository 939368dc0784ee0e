//! A wheel taken apart: its metadata, the view of its files and the binaries in it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::kept::Budget;
use super::{LeftAlone, elect, shim};
use crate::parallel::parallel_map;
use crate::wheel::{Archive, DistInfo, Kind, Record, Scheme, WheelFile, WheelName, install_path};
use crate::{Artifact, Error, Files, PackagePath, Repairer, Result};

/// How much of a binary is read to recognize it, in bytes.
pub const HEAD: usize = 4096;

/// How many inflated bytes of a wheel's binaries are kept from one step to the next.
const KEPT: u64 = 16 << 20;

/// A wheel, open and checked.
pub struct WheelPackage {
    pub archive: Arc<Archive>,
    pub name: WheelName,
    pub dist_info: DistInfo,
    pub wheel_file: WheelFile,
    pub record: Record,
    /// Every file at the place that it is installed to.
    pub files: Files,
    pub warnings: Vec<String>,
}

/// The binaries of a wheel that one backend recognizes.
#[derive(Default)]
pub struct Binaries {
    pub artifacts: Vec<Artifact>,
    /// For each artifact the index of its member and the directory that it is installed to.
    pub members: Vec<(usize, Scheme)>,
    /// Binaries of other backends' formats: member, reason.
    pub others: Vec<LeftAlone>,
}

impl WheelPackage {
    /// Opens the wheel at `path` below the sysroot that `files` has.
    pub fn open(path: &Path, mut files: Files) -> Result<Self> {
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = WheelName::parse(&file_name)?;
        if !fs_err::metadata(path)?.is_file() {
            return Err(Error::new("is no regular file").at(path.display()).hint("name a wheel").into());
        }
        let archive = Arc::new(Archive::open(path)?);
        let dist_info = DistInfo::find(&archive, &name)?;
        let wheel_file = dist_info.read_wheel(&archive)?;
        let record = dist_info.read_record(&archive)?;

        let budget = Budget::new(KEPT);
        let mut places = Vec::with_capacity(archive.members().len());
        for (index, member) in archive.members().iter().enumerate() {
            if member.kind == Kind::File {
                places.push((index, place(&name, &member.path)?));
            }
        }
        // A script that stands in for a moved program has that program's place; the program is what counts there.
        places.sort_by_key(|(_, (scheme, _))| *scheme != Scheme::Scripts);
        for (index, (_, at)) in places {
            files.insert(at, budget.keep(archive.source(index)), archive.members()[index].mode_or_default());
        }
        for (index, member) in archive.members().iter().enumerate() {
            if member.kind == Kind::Symlink
                && let Some(target) = archive.link_target(index)?
            {
                files.link(place(&name, &member.path)?.1, &target);
            }
        }
        let mut warnings = archive.warnings().to_vec();
        warnings.extend(dist_info.warnings.iter().cloned());
        warnings.extend(record.check(&archive, &dist_info));
        Ok(WheelPackage { archive, name, dist_info, wheel_file, record, files, warnings })
    }

    /// The files and where each is installed.
    ///
    /// # Errors
    /// When a program's name is no safe path.
    pub fn places(&self) -> Result<Vec<(usize, PackagePath)>> {
        let members = self.archive.members().iter().enumerate();
        let files = members.filter(|(_, member)| member.kind == Kind::File);
        files.map(|(index, member)| Ok((index, place(&self.name, &member.path)?.1))).collect()
    }

    /// The directories at the root that are Python packages, sorted.
    pub fn packages(&self) -> Vec<PackagePath> {
        let inits = self.files.members().filter(|path| path.file_name() == "__init__.py");
        let mut packages: Vec<PackagePath> =
            inits.map(PackagePath::parent).filter(|dir| dir.components().count() == 1).collect();
        packages.dedup();
        packages
    }

    /// The members that a backend recognizes by their first bytes, whatever their names.
    fn recognize(
        &self,
        backends: &[&'static dyn Repairer],
        jobs: usize,
    ) -> Result<Vec<(usize, &'static dyn Repairer)>> {
        let files: Vec<usize> = (0..self.archive.members().len())
            .filter(|index| self.archive.members()[*index].kind == Kind::File)
            .collect();
        let recognized = parallel_map(jobs, &files, |&index| -> Result<Option<&'static dyn Repairer>> {
            let head = self.archive.head(index, HEAD)?;
            elect::by_head(backends, &head, self.archive.members()[index].size)
        });
        let mut found = Vec::new();
        for (index, recognized) in files.into_iter().zip(recognized) {
            found.extend(recognized?.map(|backend| (index, backend)));
        }
        Ok(found)
    }

    /// What to say of the binaries of a wheel that claims to run on any platform.
    pub fn overlooked(&self, backends: &[&'static dyn Repairer], jobs: usize) -> Result<Option<String>> {
        let found = self.recognize(backends, jobs)?;
        Ok(found.first().map(|(first, _)| {
            let name = &self.archive.members()[*first].name;
            let others =
                if found.len() > 1 { format!(" and {} more", found.len() - 1) } else { String::new() };
            format!(
                "the tag says any platform, but {name}{others} is a binary and stays as it is; \
                 name the platform with --plat"
            )
        }))
    }

    /// The members that `backend` recognizes.
    ///
    /// # Errors
    /// When a member can't be read, two binaries are installed to one place, or `backend`, which the wheel's tags don't
    /// name, would leave all of them as they are.
    pub fn binaries(
        &self,
        backend: &'static dyn Repairer,
        backends: &[&'static dyn Repairer],
        jobs: usize,
    ) -> Result<Binaries> {
        let mut found = Binaries::default();
        let mut taken: BTreeSet<PackagePath> = BTreeSet::new();
        for (index, recognized) in self.recognize(backends, jobs)? {
            let member = &self.archive.members()[index];
            if recognized.about().name != backend.about().name {
                let reason = format!("{} binary", recognized.about().name);
                found.others.push(LeftAlone { path: member.name.clone(), reason });
                continue;
            }
            let (scheme, path) = place(&self.name, &member.path)?;
            if !taken.insert(path.clone()) {
                return Err(Error::new(format!("two members are installed as {path}"))
                    .at(&member.name)
                    .hint("drop one of them; installers would overwrite it")
                    .into());
            }
            let file = self.files.find(&crate::Location::Package(path.clone()));
            found.artifacts.push(Artifact {
                tree: tree(scheme, &member.path),
                path,
                origin: None,
                source: file.map_or_else(|| self.archive.source(index), |file| file.source),
                mode: member.mode_or_default(),
                linked_paths: Vec::new(),
            });
            found.members.push((index, scheme));
        }
        let claims = |tag: &String| tag == "any" || elect::answers(backend, tag);
        if found.artifacts.is_empty() && !found.others.is_empty() && !self.name.platforms().iter().any(claims)
        {
            let claimed = self.name.platforms().join(".");
            return Err(Error::new(format!(
                "the wheel is for {claimed} and has no {} binary, which the platform asked for would need",
                backend.about().name
            ))
            .hint("leave --plat out, or name a platform that the wheel is built for")
            .into());
        }
        Ok(found)
    }
}

/// Where a member lives once installed. A program in `.data/scripts` is treated where it moves to, since only there a
/// search path leads from it to the package. Files of the other schemes keep their path in the wheel.
fn place(name: &WheelName, member: &PackagePath) -> Result<(Scheme, PackagePath)> {
    let installed = install_path(member);
    let path = match installed.scheme {
        _ if installed.path == PackagePath::root() => member.clone(),
        Scheme::Scripts => shim::moved_path(name.dist(), installed.path.as_str())?,
        _ if installed.is_library() => installed.path,
        _ => member.clone(),
    };
    Ok((installed.scheme, path))
}

/// The directory that is installed as one tree with the member at `path`: `demo-1.0.data/data` of
/// `demo-1.0.data/data/bin/tool`, the root for what goes to `site-packages`.
fn tree(scheme: Scheme, path: &PackagePath) -> PackagePath {
    let mut at = PackagePath::root();
    if matches!(scheme, Scheme::Data | Scheme::Headers | Scheme::Unknown) {
        at = path.clone();
        while at.components().count() > 2 {
            at = at.parent();
        }
    }
    at
}
