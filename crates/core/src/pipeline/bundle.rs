//! The second door: build outputs in, a directory out that can be moved anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::guard::guarded;
use super::origins::{Group, during, groups, places, unstaged};
use super::patch::{Input, Plan, needed_by, unwatched};
use super::{BundleOptions, BundleReport, BundledReport, Engine, LeftAlone, Mode, Origin, carried};
use crate::sbom::Described;
use crate::staging::{Placed, Staged, Tree, stage};
use crate::{
    Audit, Error, Event, FactsCache, Layout, Locate as _, PackagePath, Result, Role, Status, Target,
};

/// Permission bits of the bill of materials.
const PLAIN: u32 = 0o644;

pub fn bundle(engine: &Engine<'_>, origins: &[Origin], options: &BundleOptions) -> Result<BundleReport> {
    let places = places(origins, &options.artifact_dir)?;
    refuse_controls(origins)?;
    refuse_origins_within(origins, &options.out)?;
    let artifact = |(origin, place): (&Origin, &PackagePath)| BundledReport {
        origin: origin.path.clone(),
        path: place.to_string(),
        backend: None,
        patched: false,
        hold: None,
    };
    let mut report = BundleReport {
        output: options.out.clone(),
        dry_run: options.dry_run,
        mode: options.mode,
        artifacts: origins.iter().zip(&places).map(artifact).collect(),
        tags: Vec::new(),
        carried: Vec::new(),
        left_alone: Vec::new(),
        obstacles: Vec::new(),
        warnings: Vec::new(),
        sbom: None,
    };
    let work = Bundle { engine, origins, options, places };
    match options.mode {
        Mode::Skip if options.dry_run => {}
        Mode::Skip => work.as_they_are(&mut report)?,
        Mode::Check => work.check(&mut report)?,
        Mode::Repair => work.repair(&mut report)?,
    }
    for warning in &report.warnings {
        engine.events.event(Event::Warning(warning.clone()));
    }
    Ok(report)
}

struct Bundle<'a> {
    engine: &'a Engine<'a>,
    origins: &'a [Origin],
    options: &'a BundleOptions,
    /// Where each origin goes.
    places: Vec<PackagePath>,
}

/// One backend's part of the bundle.
struct Part {
    group: Group,
    libs_dir: PackagePath,
    cache: FactsCache,
}

impl Part {
    /// What its backend is asked with; `watch` is asked after each call.
    fn input<'a>(&'a self, jobs: usize, watch: &'a (dyn Fn() -> Result<()> + Sync)) -> Input<'a> {
        Input {
            backend: self.group.backend,
            files: &self.group.files,
            artifacts: &self.group.artifacts,
            claimed: &[],
            pythons: &[],
            libs_dir: self.libs_dir.clone(),
            jobs,
            cache: &self.cache,
            watch,
            distrusts: true,
        }
    }
}

impl Bundle<'_> {
    fn parts(&self, staged: Option<&[Staged]>) -> Result<Vec<Part>> {
        let layout = Layout::Bundle {
            dist: &self.options.dist_name,
            suffix: None,
            artifact_dir: &self.options.artifact_dir,
        };
        let part = |group: Group| {
            let libs_dir = match &self.options.libs_dir {
                Some(dir) => dir.clone(),
                None => guarded(group.backend, |backend| backend.libs_dir(&layout))?,
            };
            Ok(Part { group, libs_dir, cache: FactsCache::default() })
        };
        groups(self.engine, self.origins, &self.places, staged)?.into_iter().map(part).collect()
    }

    fn origin_paths(&self) -> Vec<PathBuf> {
        self.origins.iter().map(|origin| origin.path.clone()).collect()
    }

    /// Delivers the binaries without a look into them.
    fn as_they_are(&self, report: &mut BundleReport) -> Result<()> {
        let mut tree = Tree::create(&self.options.out)?;
        for (origin, place) in self.origins.iter().zip(&self.places) {
            let (source, mode) = unstaged(&origin.path)?;
            tree.write(place, &source.open()?, mode)?;
        }
        report.warnings.extend(tree.finish(Vec::new())?.finalize());
        Ok(())
    }

    /// Fails when the bundle would have to carry anything; nothing is staged and nothing is written.
    fn check(&self, report: &mut BundleReport) -> Result<()> {
        let mut faults = Vec::new();
        for part in self.parts(None)? {
            let audit = part.input(self.options.jobs, &unwatched).audit(self.engine)?;
            self.describe(report, &part, &audit)?;
            faults.extend(external(&audit));
            faults.extend(audit.refusal.map(|refusal| format!("  {refusal}")));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!("the binaries need what the target does not promise:\n{}", faults.join("\n")))
            .hint("bundle with mode `repair` to carry the libraries along, or leave one to the target with --exclude NAME")
            .into())
    }

    fn repair(&self, report: &mut BundleReport) -> Result<()> {
        if self.options.dry_run {
            self.plan(report, &self.parts(None)?, &[]).map(drop)
        } else {
            // What is wrong with the output is told before anything is held.
            let tree = Tree::create(&self.options.out)?;
            let staged = stage(&self.origin_paths(), &self.options.out, self.engine.events)?;
            for (report, staged) in report.artifacts.iter_mut().zip(&staged) {
                report.hold = Some(staged.hold());
            }
            let parts = self.parts(Some(&staged))?;
            let plans = self.plan(report, &parts, &staged)?;
            self.write(report, tree, staged, parts.into_iter().zip(plans).collect())
        }
    }

    /// The plan of each part, which goes into the report.
    fn plan(&self, report: &mut BundleReport, parts: &[Part], staged: &[Staged]) -> Result<Vec<Plan>> {
        let mut taken: BTreeSet<PackagePath> = self.places.iter().cloned().collect();
        let mut plans = Vec::with_capacity(parts.len());
        for part in parts {
            let during = during(part.group.backend);
            let watch = || staged.iter().try_for_each(|staged| staged.check(&during));
            let work = part.input(self.options.jobs, &watch);
            let audit = work.audit(self.engine)?;
            self.describe(report, part, &audit)?;
            let plan = work.plan(self.engine, audit)?;
            for lib in &plan.grafted {
                if !taken.insert(lib.path.clone()) {
                    return Err(Error::new(format!("two files of the bundle would be {}", lib.path))
                        .hint("choose another directory for the libraries with --libs-dir")
                        .into());
                }
            }
            for (origin, patched) in part.group.origins.iter().zip(&plan.artifacts) {
                report.artifacts[*origin].patched = patched.is_some();
            }
            report.carried.extend(plan.carried());
            if self.options.sbom && report.sbom.is_none() && !plan.grafted.is_empty() {
                let name = format!("{}.cdx.json", self.options.dist_name);
                report.sbom = Some(part.libs_dir.join(&name)?.to_string());
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    /// What an audit says goes into the report.
    ///
    /// # Errors
    /// When a binary is for another target than the others: no directory serves two.
    fn describe(&self, report: &mut BundleReport, part: &Part, audit: &Audit) -> Result<()> {
        for (origin, audited) in part.group.origins.iter().zip(&audit.artifacts) {
            let path = &audited.artifact.path;
            report.artifacts[*origin].backend = Some(part.group.backend.about().name);
            match &audited.result.status {
                Status::Active => {}
                Status::Inert(why) => {
                    report.left_alone.push(LeftAlone { path: path.to_string(), reason: why.clone() })
                }
                Status::Foreign(why) => {
                    return Err(Error::new(why.clone())
                        .at(self.origins[*origin].path.display())
                        .hint("bundle the binaries of each target by themselves")
                        .into());
                }
            }
        }
        report.tags.extend(audit.tags.iter().cloned());
        report.obstacles.extend(audit.obstacles.iter().cloned());
        report.warnings.extend(audit.warnings.iter().cloned());
        Ok(())
    }

    fn write(
        &self,
        report: &mut BundleReport,
        mut tree: Tree,
        staged: Vec<Staged>,
        parts: Vec<(Part, Plan)>,
    ) -> Result<()> {
        let changed = |plan: &Plan| -> u64 {
            let artifacts = plan.artifacts.iter().flatten();
            artifacts.chain(&plan.libraries).map(|source| source.size()).sum()
        };
        let total = parts.iter().map(|(_, plan)| changed(plan)).sum();
        let mut done = 0;
        let mut progress = |bytes: &[u8]| {
            done += bytes.len() as u64;
            self.engine.events.event(Event::Progress { done, total });
        };
        let mut staged: Vec<Option<Staged>> = staged.into_iter().map(Some).collect();
        let mut placed: Vec<Placed> = Vec::with_capacity(staged.len());
        let mut written: BTreeMap<PackagePath, [u8; 32]> = BTreeMap::new();
        let mut read_back = Vec::with_capacity(parts.len());
        for (part, plan) in &parts {
            let work = part.input(self.options.jobs, &unwatched);
            let repaired = work.repaired(plan);
            for (origin, patched) in part.group.origins.iter().zip(&plan.artifacts) {
                let (Some(staged), Some(place)) =
                    (staged.get_mut(*origin).and_then(Option::take), self.places.get(*origin))
                else {
                    continue;
                };
                if patched.is_none() {
                    placed.push(staged.place(&mut tree, place)?);
                    continue;
                }
                let restored = staged.restore_origin()?;
                let bytes = repaired.open(place, &work)?;
                placed.push(restored.place(Some(&bytes), &mut tree, place)?);
                progress(&bytes);
            }
            for lib in &plan.grafted {
                let bytes = repaired.open(&lib.path, &work)?;
                written.insert(lib.path.clone(), Sha256::digest(&*bytes).into());
                tree.write(&lib.path, &bytes, carried::mode(lib.mode))?;
                progress(&bytes);
            }
            read_back.push(repaired);
        }
        for ((part, plan), repaired) in parts.iter().zip(&read_back) {
            let during = during(part.group.backend);
            let watch = || placed.iter().try_for_each(|placed| placed.check(&during));
            part.input(self.options.jobs, &watch).read_back(self.engine, plan, repaired)?;
        }
        if let Some(path) = &report.sbom {
            let text = self.bill_of_materials(&parts, &written).locate(path)?;
            tree.write(&PackagePath::new(path)?, &text, PLAIN)?;
        }
        report.warnings.extend(tree.finish(placed)?.finalize());
        Ok(())
    }

    fn bill_of_materials(
        &self,
        parts: &[(Part, Plan)],
        written: &BTreeMap<PackagePath, [u8; 32]>,
    ) -> Result<Vec<u8>> {
        let mut bill = Vec::new();
        for (_, plan) in parts {
            bill.extend(plan.bill(bill.len(), |path| written.get(path).copied()));
        }
        let bundle =
            Described::Bundle { name: &self.options.dist_name, timestamp: carried::epoch(self.engine) };
        carried::document(self.engine, &bundle, &bill, None)
    }
}

/// Names of files stand in the bundle's list, one a line, and in search paths.
fn refuse_controls(origins: &[Origin]) -> Result<()> {
    let odd = |origin: &&Origin| {
        origin.path.file_name().is_some_and(|name| name.to_string_lossy().chars().any(char::is_control))
    };
    match origins.iter().find(odd) {
        None => Ok(()),
        Some(origin) => {
            Err(Error::new("has control characters in its name, as no file of a bundle may have")
                .at(origin.path.display())
                .hint("give it another name")
                .into())
        }
    }
}

/// A bundle takes the place of an earlier one, and what is in that one goes.
fn refuse_origins_within(origins: &[Origin], out: &Path) -> Result<()> {
    let Ok(out) = out.canonicalize() else { return Ok(()) };
    let below = |real: PathBuf| real != out && real.starts_with(&out);
    let within = |origin: &&Origin| origin.path.canonicalize().is_ok_and(below);
    match origins.iter().find(within) {
        None => Ok(()),
        Some(origin) => Err(Error::new("lies in the directory that the bundle is to become")
            .at(origin.path.display())
            .hint("choose another directory for the bundle")
            .into()),
    }
}

/// A line for each library that would have to be carried, found or not.
fn external(audit: &Audit) -> Vec<String> {
    let found = audit.libraries.iter().enumerate().filter(|(_, lib)| lib.role == Role::External);
    let line = |name: &str, at: &str, needed_by: &[String]| {
        format!("  {name} ({at}), needed by {}", needed_by.join(", "))
    };
    let found = found.map(|(index, lib)| {
        let who = needed_by(audit, |target| target == Target::Library(index));
        line(&lib.name, &lib.real.to_string(), &who)
    });
    let missing = audit.missing.iter().map(|lib| line(&lib.name, "not found", &lib.needed_by));
    found.chain(missing).collect()
}
