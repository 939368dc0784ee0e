//! A package and a host of the tests' own, and what the audit says of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object::macho;
use spokeshave_core::{
    Artifact, Audit, Bytes, Context, FactsCache, Files, Need, Options, PackagePath, Result, Role, Silent,
    Target,
};

use crate::Arch;
use crate::handmade::Handmade;

/// A dylib for arm64 with this `LC_ID_DYLIB`, needs and search paths.
pub fn dylib(id: &'static str, needs: &[&'static str], rpaths: &[&'static str]) -> Handmade {
    Handmade {
        id: Some(id),
        dylibs: needs.iter().map(|name| (macho::LC_LOAD_DYLIB, *name)).collect(),
        rpaths: rpaths.to_vec(),
        ..Handmade::dylib(Arch::ARM64)
    }
}

/// A bundle, as extensions are.
pub fn ext(needs: &[&'static str], rpaths: &[&'static str]) -> Handmade {
    Handmade { id: None, filetype: macho::MH_BUNDLE.0, ..dylib("", needs, rpaths) }
}

pub struct Scene {
    dir: tempfile::TempDir,
    pub set: Vec<Artifact>,
    files: Files,
    pub options: Options,
    pub env: BTreeMap<String, String>,
}

impl Scene {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let files = Files::new(Some(root));
        Scene { dir, set: Vec::new(), files, options: Options::default(), env: BTreeMap::new() }
    }

    /// The host's path of a path of the target.
    pub fn path(&self, target: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(target.trim_start_matches('/'))
    }

    /// Adds a member of the package.
    #[must_use]
    pub fn member(self, path: &str, file: &Handmade) -> Self {
        self.raw(path, Bytes::from(file.build()))
    }

    #[must_use]
    pub fn raw(mut self, path: &str, bytes: Bytes) -> Self {
        let path = PackagePath::new(path).unwrap();
        let source = Arc::new(bytes);
        self.files.insert(path.clone(), source.clone(), 0o755);
        let parts: Vec<&str> = path.components().collect();
        let tree = match parts.as_slice() {
            [data, scheme, ..] if data.ends_with(".data") => {
                PackagePath::new(&format!("{data}/{scheme}")).unwrap()
            }
            _ => PackagePath::root(),
        };
        self.set.push(Artifact { path, tree, origin: None, source, mode: 0o755, linked_paths: Vec::new() });
        self
    }

    /// Adds a file of the target's system.
    #[must_use]
    pub fn host(self, target: &str, file: &Handmade) -> Self {
        self.bytes(target, &file.build())
    }

    #[must_use]
    pub fn bytes(self, target: &str, bytes: &[u8]) -> Self {
        let path = self.path(target);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
        self
    }

    #[must_use]
    pub fn lib_dir(mut self, target: &str) -> Self {
        self.options.lib_dirs.push(self.path(target));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, target: &str) -> Self {
        self.env.insert(name.to_owned(), self.path(target).display().to_string());
        self
    }

    pub fn try_audit(&self) -> Result<Audit> {
        let (cache, claimed) = (FactsCache::default(), Vec::new());
        crate::audit::audit(
            &self.set,
            &Context {
                options: &self.options,
                claimed_tags: &claimed,
                claimed_pythons: &[],
                env: &self.env,
                events: &Silent,
                files: &self.files,
                cache: &cache,
                jobs: 2,
            },
        )
    }

    #[track_caller]
    pub fn audit(&self) -> Audit {
        self.try_audit().unwrap()
    }

    /// The path of the target of a library of an audit.
    pub fn target(&self, audit: &Audit, library: usize) -> String {
        let real = audit.libraries[library].real.to_string();
        real.strip_prefix(&self.path("").display().to_string())
            .unwrap_or(&real)
            .trim_start_matches('/')
            .to_owned()
    }

    /// Where a need of a member leads: a path of the package or of the target (without its first slash).
    #[track_caller]
    pub fn leads(&self, audit: &Audit, member: &str, name: &str) -> String {
        match need(audit, member, name).target {
            Target::Artifact(index) => audit.artifacts[index].artifact.path.to_string(),
            Target::Library(index) => self.target(audit, index),
            Target::Missing => "missing".to_owned(),
            Target::Removed => "removed".to_owned(),
        }
    }

    /// What is carried, by the path of the target.
    pub fn carried(&self, audit: &Audit) -> Vec<String> {
        let external = audit.libraries.iter().enumerate().filter(|(_, lib)| lib.role == Role::External);
        external.map(|(index, _)| self.target(audit, index)).collect()
    }
}

/// A need of a member, or of the library of that name.
#[track_caller]
pub fn need<'a>(audit: &'a Audit, member: &str, name: &str) -> &'a Need {
    let artifacts = audit.artifacts.iter().map(|a| (a.artifact.path.to_string(), &a.result));
    let mut all = artifacts.chain(audit.libraries.iter().map(|lib| (lib.name.clone(), &lib.result)));
    let (_, result) = all.find(|(path, _)| path == member).unwrap_or_else(|| panic!("no {member}"));
    let found = result.needs.iter().find(|need| need.name == name);
    found.unwrap_or_else(|| panic!("{member} has no need {name}"))
}
