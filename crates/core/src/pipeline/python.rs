//! What a backend wants changed in a package's Python code, put into the wheel.

use std::sync::Arc;

use super::Engine;
use super::package::WheelPackage;
use super::patch::{Input, Plan, fault};
use crate::{
    Bytes, Error, Files, Location, OptionValues, PackagePath, PyPackage, PyPatch, Result, Subject, Which,
    apply,
};

/// A file of the wheel that is no binary, with new contents.
pub struct Text {
    /// Where it is installed.
    pub path: PackagePath,
    /// The member that it is; `None` for a new file.
    pub member: Option<usize>,
    /// Its contents.
    pub bytes: Bytes,
}

/// The Python side of a wheel.
pub struct Python<'a> {
    options: &'a OptionValues,
    package: &'a WheelPackage,
    plan: &'a Plan,
    pythons: Vec<String>,
    requires_python: Option<String>,
}

impl<'a> Python<'a> {
    /// Reads what the metadata says of it.
    ///
    /// # Errors
    /// When the metadata can't be read.
    pub fn new(engine: &Engine<'a>, package: &'a WheelPackage, plan: &'a Plan) -> Result<Self> {
        let metadata = package.dist_info.metadata.map(|index| package.archive.read(index)).transpose()?;
        let metadata = String::from_utf8_lossy(metadata.as_deref().unwrap_or_default());
        // Headers end at the first empty line (core metadata specification).
        let headers = metadata.lines().take_while(|line| !line.is_empty());
        let mut fields = headers.filter_map(|line| line.split_once(':'));
        let requires_python = fields
            .find(|(name, _)| name.eq_ignore_ascii_case("Requires-Python"))
            .map(|(_, value)| value.trim().to_owned());
        Ok(Python {
            options: &engine.options.backend,
            package,
            plan,
            pythons: package.name.pythons(),
            requires_python,
        })
    }

    /// The files to change.
    ///
    /// # Errors
    /// When the backend fails, or its patches fit nothing that it may patch.
    pub fn texts(&self, work: &Input<'_>) -> Result<Vec<Text>> {
        let mut texts: Vec<Text> = Vec::new();
        for patch in self.ask(work, &self.package.files)? {
            let wrong = |what: &str| Err(fault(work.backend, what, Some(&patch.path.to_string())));
            let is_binary = |subject: &Subject<'_>| *subject.path() == patch.path;
            let artifacts = (0..self.plan.audit.artifacts.len()).map(Which::Artifact);
            let mut subjects = artifacts
                .chain(self.plan.grafted.iter().map(Which::Grafted))
                .map(|which| Subject { audit: &self.plan.audit, which });
            if subjects.any(|subject| is_binary(&subject)) || patch.path.is_below(&self.package.dist_info.dir)
            {
                return wrong("changes as text what is none");
            }
            if texts.iter().any(|text| text.path == patch.path) {
                return wrong("gives two patches of one file");
            }
            let old = self.package.files.read(&Location::Package(patch.path.clone()))?;
            let bytes = match apply(old.as_deref().unwrap_or_default(), &patch.edits) {
                Ok(bytes) => Bytes::from(bytes),
                Err(why) => return wrong(&format!("gives an edit that does not fit: {why}")),
            };
            if old.is_some_and(|old| *old == *bytes) {
                continue;
            }
            let member = self.package.member_at(&patch.path)?;
            texts.push(Text { path: patch.path, member, bytes });
        }
        texts.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(texts)
    }

    /// Asks once more with the files changed: nothing more may be asked for.
    ///
    /// # Errors
    /// When the backend would change them again.
    pub fn read_back(&self, work: &Input<'_>, texts: &[Text]) -> Result<()> {
        let mut files = self.package.files.clone();
        for text in texts {
            files.insert(text.path.clone(), Arc::new(text.bytes.clone()), 0o644);
        }
        match self.ask(work, &files)?.into_iter().find(|patch| !patch.edits.is_empty()) {
            None => Ok(()),
            Some(patch) => {
                let path = patch.path.to_string();
                Err(fault(work.backend, "a second repair would change the file again", Some(&path)))
            }
        }
    }

    fn ask(&self, work: &Input<'_>, files: &Files) -> Result<Vec<PyPatch>> {
        let package = PyPackage {
            files,
            dist: self.package.name.dist(),
            version: self.package.name.version(),
            claimed_pythons: &self.pythons,
            requires_python: self.requires_python.as_deref(),
            libs_dir: &work.libs_dir,
            options: self.options,
        };
        work.ask(|backend| backend.init_py_patch(&self.plan.audit, &self.plan.grafted, &package))
    }
}

impl WheelPackage {
    /// The member that is installed at `path`; `None` when there is none.
    ///
    /// # Errors
    /// When several are: which of them counts depends on the installer.
    fn member_at(&self, path: &PackagePath) -> Result<Option<usize>> {
        let mut found = self.places()?.into_iter().filter(|(_, at)| at == path).map(|(index, _)| index);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Error::new("two members are installed here")
                .at(path)
                .hint("drop one of them; installers would overwrite it")
                .into()),
        }
    }
}
