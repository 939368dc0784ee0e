//! The door that only looks: a wheel, a binary or a directory in, a report out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::package::{HEAD, WheelPackage};
use super::patch::{Input, unwatched};
use super::{AuditReport, Engine, elect};
use crate::{
    Artifact, BuildOutput, Bytes, Error, FactsCache, Files, Location, PackagePath, Repairer, Result,
};

/// How deep a directory is searched.
const MAX_DEPTH: usize = 64;

pub fn audit(engine: &Engine<'_>, input: &Path) -> Result<AuditReport> {
    let meta = fs_err::metadata(input)?;
    if meta.is_dir() {
        directory(engine, input)
    } else if input.extension().is_some_and(|extension| extension == "whl") {
        wheel(engine, input)
    } else {
        file(engine, input)
    }
}

fn wheel(engine: &Engine<'_>, input: &Path) -> Result<AuditReport> {
    let package = WheelPackage::open(input, Files::new(engine.options.sysroot.clone()))?;
    let claimed = package.name.platforms().to_vec();
    let Some(backend) = elect::by_tags(engine.backends, &claimed, engine.options.plat.as_deref())? else {
        let overlooked = package.overlooked(engine.backends, 1)?;
        let mut report = AuditReport::pure(input.to_path_buf(), claimed);
        report.warnings = package.warnings;
        report.warnings.extend(overlooked);
        return Ok(report);
    };
    let binaries = package.binaries(backend, engine.backends, 1)?;
    if binaries.artifacts.is_empty() {
        return Ok(AuditReport::pure(input.to_path_buf(), claimed));
    }
    let claims = (claimed, package.name.pythons());
    let mut report = report(engine, input, backend, &package.files, &binaries.artifacts, claims)?;
    report.warnings.splice(0..0, package.warnings);
    Ok(report)
}

fn file(engine: &Engine<'_>, input: &Path) -> Result<AuditReport> {
    let files = Files::new(engine.options.sysroot.clone());
    let name = input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let origin = std::path::absolute(input)?;
    let Some(found) = files.find(&Location::Host(origin.clone())) else {
        return Err(Error::new("is no regular file")
            .at(input.display())
            .hint("name a wheel, a binary or a directory")
            .into());
    };
    let Some(backend) = elect::by_head(engine.backends, &head(input)?, found.source.size())? else {
        return Err(unrecognized(engine, input));
    };
    let artifact = Artifact {
        path: PackagePath::new(&name)?,
        tree: PackagePath::root(),
        origin: Some(origin),
        source: Arc::new(Bytes::read(input)?),
        mode: found.mode,
        linked_paths: Vec::new(),
    };
    report(engine, input, backend, &files, &[artifact], (Vec::new(), Vec::new()))
}

/// A directory is a package of its own: what lies in it is found through relative search paths only.
fn directory(engine: &Engine<'_>, input: &Path) -> Result<AuditReport> {
    let mut files = Files::new(engine.options.sysroot.clone());
    let mut found: Vec<(&'static dyn Repairer, Artifact)> = Vec::new();
    let mut pending = vec![(input.to_path_buf(), 0)];
    let (mut paths, mut links): (Vec<PathBuf>, Vec<PathBuf>) = Default::default();
    while let Some((dir, depth)) = pending.pop() {
        for entry in fs_err::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < MAX_DEPTH {
                pending.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                paths.push(entry.path());
            } else if kind.is_symlink() {
                links.push(entry.path());
            }
        }
    }
    paths.sort();
    for path in paths {
        let Some(at) = path_below(input, &path) else { continue };
        let Some(on_disk) = files.find(&Location::Host(std::path::absolute(&path)?)) else { continue };
        let source = Arc::new(BuildOutput { path: path.clone(), size: on_disk.source.size() });
        files.insert(at.clone(), source.clone(), on_disk.mode);
        let head = head(&path)?;
        if let Some(backend) = elect::by_head(engine.backends, &head, source.size)? {
            found.push((
                backend,
                Artifact {
                    path: at,
                    tree: PackagePath::root(),
                    origin: None,
                    source,
                    mode: on_disk.mode,
                    linked_paths: Vec::new(),
                },
            ));
        }
    }
    links.sort();
    for link in links {
        let target = link.canonicalize().ok().zip(input.canonicalize().ok());
        let target = target.and_then(|(target, root)| path_below(&root, &target));
        if let (Some(at), Some(target)) = (path_below(input, &link), target) {
            files.link(at, &target);
        }
    }
    let Some(backend) = found.first().map(|(backend, _)| *backend) else {
        return Err(unrecognized(engine, input));
    };
    let (ours, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(other, _)| other.about().name == backend.about().name);
    let artifacts: Vec<Artifact> = ours.into_iter().map(|(_, artifact)| artifact).collect();
    let mut report = report(engine, input, backend, &files, &artifacts, (Vec::new(), Vec::new()))?;
    report.warnings.extend(others.iter().map(|(other, artifact)| {
        format!("{}: {} binary, not looked at; name it by itself", artifact.path, other.about().name)
    }));
    Ok(report)
}

fn path_below(root: &Path, path: &Path) -> Option<PackagePath> {
    PackagePath::new(&path.strip_prefix(root).ok()?.to_string_lossy().replace('\\', "/")).ok()
}

/// The first bytes of a file, as many as a backend wants to see to recognize it.
pub fn head(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut head = Vec::new();
    fs_err::File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn report(
    engine: &Engine<'_>,
    input: &Path,
    backend: &'static dyn Repairer,
    files: &Files,
    artifacts: &[Artifact],
    (claimed, pythons): (Vec<String>, Vec<String>),
) -> Result<AuditReport> {
    let cache = FactsCache::default();
    let work = Input {
        backend,
        files,
        artifacts,
        claimed: &claimed,
        pythons: &pythons,
        libs_dir: PackagePath::root(),
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        cache: &cache,
        watch: &unwatched,
        distrusts: false,
    };
    let audit = work.audit(engine)?;
    Ok(AuditReport::new(input.to_path_buf(), backend.about().name, claimed, &audit))
}

pub fn unrecognized(engine: &Engine<'_>, input: &Path) -> anyhow::Error {
    let formats: Vec<&str> = engine.backends.iter().map(|backend| backend.about().formats).collect();
    Error::new("no backend recognizes this")
        .at(input.display())
        .hint(format!("this program knows wheels and: {}", formats.join(", ")))
        .into()
}
