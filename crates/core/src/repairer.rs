//! The trait that a platform backend implements.

use std::collections::BTreeMap;

use crate::{
    Artifact, Audit, AuditResult, Edit, EventSink, FactsCache, FileId, Files, GraftedLib, OptionSpec,
    OptionValues, Options, PackagePath, Result,
};

/// What a backend says of itself.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Its name on the command line and in messages: `elf`.
    pub name: &'static str,
    /// The formats that it repairs: `ELF (Linux, musl, Android)`.
    pub formats: &'static str,
    /// A wheel belongs to it when the platform tag begins with one of these.
    pub tag_prefixes: &'static [&'static str],
    /// The options that only it understands.
    pub options: &'static [OptionSpec],
    /// The part of a file name that the hash of a carried library stands before: `.so`.
    pub hash_before: &'static str,
    /// What that hash covers.
    pub name_hash: NameHash,
    /// Whether its loader takes names for one that differ only in case.
    pub folds_case: bool,
    /// Whether it can drop what no loader needs (`--strip`).
    pub strips: bool,
    /// How its files are joined, if one file may be for several processors at once.
    pub merge: Option<&'static dyn Merge>,
}

/// What a backend can do whose files may be for several processors at once.
pub trait Merge: Sync + std::fmt::Debug {
    /// The file that is for all processors that `parts` are for.
    ///
    /// # Errors
    /// When two of them are for the same processor, or one is damaged.
    fn files(&self, parts: &[&[u8]]) -> Result<Vec<u8>>;

    /// The platform tags of the package that is made of packages which claim these.
    fn tags(&self, claimed: &[&[String]]) -> Vec<String>;
}

/// What the hash in the name of a carried library covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameHash {
    /// The file.
    File,
    /// The file and those carried libraries below it that get hashed names: a loader that knows libraries by name only
    /// then never takes one for another that leads elsewhere.
    Closure,
}

/// What a backend may know and use while it works.
pub struct Context<'a> {
    /// What the user asked for.
    pub options: &'a Options,
    /// The platform tags that the package claims (a wheel's), none for plain build outputs.
    pub claimed_tags: &'a [String],
    /// The interpreters and ABIs that the package claims (`cp312-cp312`, `cp39-abi3`), none for plain build outputs.
    pub claimed_pythons: &'a [String],
    /// The environment, as a value.
    pub env: &'a BTreeMap<String, String>,
    /// Takes events.
    pub events: &'a dyn EventSink,
    /// The package and the host, to read.
    pub files: &'a Files,
    /// What was read from files before, in this run.
    pub cache: &'a FactsCache,
    /// How many threads it may use, at least 1.
    pub jobs: usize,
}

/// What a patch is for.
#[derive(Clone, Copy)]
pub enum PatchKind<'a> {
    /// Carry libraries: references lead to `grafted`.
    Repair {
        /// The libraries that are carried.
        grafted: &'a [GraftedLib],
        /// Where they lie.
        libs_dir: &'a PackagePath,
        /// Drop what no loader needs.
        strip: bool,
    },
    /// Only extend the runtime search path with the artifact's linked paths.
    Editable,
}

/// What a patch is asked for.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The package's audit.
    pub audit: &'a Audit,
    /// Which binary of it.
    pub which: Which<'a>,
}

/// One binary of an audit.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    /// Index into [`Audit::artifacts`].
    Artifact(usize),
    /// A carried library.
    Grafted(&'a GraftedLib),
}

impl<'a> Subject<'a> {
    /// Where it will live in the package.
    pub fn path(&self) -> &'a PackagePath {
        match self.which {
            Which::Artifact(index) => &self.audit.artifacts[index].artifact.path,
            Which::Grafted(lib) => &lib.path,
        }
    }

    /// What was found out about it.
    pub fn result(&self) -> &'a AuditResult {
        match self.which {
            Which::Artifact(index) => &self.audit.artifacts[index].result,
            Which::Grafted(lib) => &self.audit.libraries[lib.libraries[0]].result,
        }
    }
}

/// How a package is laid out.
#[derive(Clone, Copy)]
pub enum Layout<'a> {
    /// A wheel.
    Wheel {
        /// The distribution part of the file name.
        dist: &'a str,
        /// `--lib-sdir`, if given.
        suffix: Option<&'a str>,
        /// The directories at the root that are Python packages (they have an `__init__.py`), sorted.
        packages: &'a [PackagePath],
        /// The values given for the options that backends declare.
        options: &'a OptionValues,
        /// What was found out about it.
        audit: &'a Audit,
        /// Every file at the place that it is installed to.
        files: &'a Files,
    },
    /// A directory of programs and libraries.
    Bundle {
        /// The name of the whole.
        dist: &'a str,
        /// `--lib-sdir`, if given.
        suffix: Option<&'a str>,
        /// Where the binaries go.
        artifact_dir: &'a PackagePath,
    },
}

/// The wheel that [`Repairer::init_py_patch`] looks at.
#[derive(Clone, Copy)]
pub struct PyPackage<'a> {
    /// Every file at the place that it is installed to, and the host.
    pub files: &'a Files,
    /// The distribution part of the file name.
    pub dist: &'a str,
    /// The version part of the file name.
    pub version: &'a str,
    /// The interpreters and ABIs that it claims, as in [`Context::claimed_pythons`].
    pub claimed_pythons: &'a [String],
    /// `Requires-Python` of its metadata.
    pub requires_python: Option<&'a str>,
    /// Where the carried libraries lie.
    pub libs_dir: &'a PackagePath,
    /// The options that backends declare.
    pub options: &'a OptionValues,
}

/// A change to a file of a package that is no binary, or a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PyPatch {
    /// Where it is installed.
    pub path: PackagePath,
    /// The edits of its bytes; a file that is not there has none.
    pub edits: Vec<Edit>,
}

/// A platform backend: bytes in, facts and edits out. It never gets a path that it may write to.
pub trait Repairer: Sync {
    /// Who it is.
    fn about(&self) -> &'static About;

    /// Whether a file of `len` bytes that begins with `head` (up to 4 KiB) is of its formats.
    fn recognizes(&self, head: &[u8], len: u64) -> bool;

    /// Audits a whole package: what each artifact needs, what must be carried, which tags it earns.
    ///
    /// # Errors
    /// When a file is damaged or an option can't be understood. What is merely missing or barred is data.
    fn audit(&self, set: &[Artifact], cx: &Context<'_>) -> Result<Audit>;

    /// Keeps in `cache` what an audit will ask of `file`, whose bytes are at hand, so that it need not be opened again.
    ///
    /// # Errors
    /// When the file is damaged.
    fn note(&self, _file: FileId, _bytes: &[u8], _cache: &FactsCache) -> Result<()> {
        Ok(())
    }

    /// Whether each subject will change: the artifacts in order, then the grafted libraries in order.
    ///
    /// # Errors
    /// When the audit is not this backend's.
    fn patch_required(&self, audit: &Audit, kind: &PatchKind<'_>) -> Result<Vec<bool>>;

    /// The edits that make `old` what `kind` asks for, sorted and disjoint; none when it stays as it is.
    ///
    /// # Errors
    /// When the file can't be patched without harm.
    fn patch(&self, subject: Subject<'_>, old: &[u8], kind: &PatchKind<'_>) -> Result<Vec<Edit>>;

    /// What must change in a package's Python code so that the carried libraries are found; nothing when that is
    /// already so.
    ///
    /// # Errors
    /// When the code can't be understood, or there is no place for the change.
    fn init_py_patch(
        &self,
        _audit: &Audit,
        _grafted: &[GraftedLib],
        _package: &PyPackage<'_>,
    ) -> Result<Vec<PyPatch>> {
        Ok(Vec::new())
    }

    /// The directory that carried libraries go to.
    ///
    /// # Errors
    /// When the name that the user gave is no safe path.
    fn libs_dir(&self, layout: &Layout<'_>) -> Result<PackagePath>;
}
