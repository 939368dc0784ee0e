//! The first door: a wheel in, the repaired wheel out.

use std::path::Path;

use super::guard::guarded;
use super::package::{Binaries, WheelPackage};
use super::patch::{Input, Plan, unwatched};
use super::python::{Python, Text};
use super::read_back::Repaired;
use super::{Engine, LeftAlone, Moved, Outcome, RepairReport, Sizes, WheelOptions, carried, elect, shim};
use crate::sbom;
use crate::wheel::{
    Entry, Item, RecordEntry, Scheme, Timestamp, WheelName, WriteOptions, Writer, Written, copy, pack,
    write_members,
};
use crate::{Bytes, Error, Event, FactsCache, Files, Layout, PackagePath, Result, Status, Target};

/// Permission bits of the metadata files that are added.
const PLAIN: u32 = 0o644;

pub fn repair_wheel(engine: &Engine<'_>, input: &Path, wheel: &WheelOptions) -> Result<RepairReport> {
    let package = WheelPackage::open(input, Files::new(engine.options.sysroot.clone()))?;
    let plat = engine.options.plat.as_deref().filter(|plat| *plat != "auto");
    let elected = elect::by_tags(engine.backends, package.name.platforms(), plat)?;
    let mut report = RepairReport {
        input: input.to_path_buf(),
        output: wheel.wheel_dir.join(package.name.to_string()),
        dry_run: wheel.dry_run,
        outcome: Outcome::Pure,
        backend: None,
        tags: package.name.platforms().to_vec(),
        carried: Vec::new(),
        patched: Vec::new(),
        moved: Vec::new(),
        left_alone: Vec::new(),
        obstacles: Vec::new(),
        warnings: package.warnings.clone(),
        sbom: None,
        bytes: Sizes { input: fs_err::metadata(input)?.len(), output: 0 },
    };
    let Some(backend) = elected else {
        report.warnings.extend(package.overlooked(engine.backends, wheel.jobs)?);
        return finish(engine, report, wheel, |report| copy(input, &report.output));
    };
    let binaries = package.binaries(backend, engine.backends, wheel.jobs)?;
    report.left_alone = binaries.others.clone();
    if binaries.artifacts.is_empty() {
        return finish(engine, report, wheel, |report| copy(input, &report.output));
    }
    report.backend = Some(backend.about().name);

    let cache = FactsCache::default();
    let pythons = package.name.pythons();
    let mut work = Input {
        backend,
        files: &package.files,
        artifacts: &binaries.artifacts,
        claimed: package.name.platforms(),
        pythons: &pythons,
        libs_dir: PackagePath::root(),
        jobs: wheel.jobs,
        cache: &cache,
        watch: &unwatched,
        distrusts: false,
    };
    let audit = work.audit(engine)?;
    let layout = Layout::Wheel {
        dist: package.name.dist(),
        suffix: wheel.lib_sdir.as_deref(),
        packages: &package.packages(),
        options: &engine.options.backend,
        audit: &audit,
        files: &package.files,
    };
    work.libs_dir = guarded(backend, |backend| backend.libs_dir(&layout))?;
    let plan = work.plan(engine, audit)?;
    let python = Python::new(engine, &package, &plan)?;
    let texts = python.texts(&work)?;
    python.read_back(&work, &texts)?;
    let change = Change::new(&package, &binaries, &plan, &texts, wheel)?;
    change.describe(&mut report, wheel);
    if change.is_nothing() {
        return finish(engine, report, wheel, |report| copy(input, &report.output));
    }
    finish(engine, report, wheel, |report| {
        refuse_own_input(input, &report.output)?;
        change.write(engine, &work, report, wheel)
    })
}

/// The last step of every way through: the output, unless only the plan is wanted.
fn finish(
    engine: &Engine<'_>,
    mut report: RepairReport,
    wheel: &WheelOptions,
    write: impl FnOnce(&mut RepairReport) -> Result<()>,
) -> Result<RepairReport> {
    for warning in &report.warnings {
        engine.events.event(Event::Warning(warning.clone()));
    }
    if wheel.taken.contains(&report.output) {
        return Err(Error::new(
            "the output would replace that of another wheel of this run, which earned the same tags",
        )
        .at(report.output.display())
        .hint("repair it by itself, into another directory")
        .into());
    }
    if !wheel.dry_run {
        fs_err::create_dir_all(&wheel.wheel_dir)?;
        write(&mut report)?;
        // It stands there, and that its size can't be asked for changes nothing about it.
        report.bytes.output = fs_err::metadata(&report.output).map_or(0, |meta| meta.len());
    }
    Ok(report)
}

fn refuse_own_input(input: &Path, output: &Path) -> Result<()> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => Err(Error::new("the output would replace the input")
            .at(output.display())
            .hint("choose another directory with --wheel-dir")
            .into()),
        _ => Ok(()),
    }
}

/// What is different in the output wheel.
struct Change<'a> {
    package: &'a WheelPackage,
    binaries: &'a Binaries,
    plan: &'a Plan,
    /// What changes and is no binary.
    texts: &'a [Text],
    name: WheelName,
    /// The new `WHEEL`, if it changes.
    wheel_file: Option<Vec<u8>>,
    /// The name of the bill of materials, if one is written.
    sbom: Option<String>,
}

impl<'a> Change<'a> {
    fn new(
        package: &'a WheelPackage,
        binaries: &'a Binaries,
        plan: &'a Plan,
        texts: &'a [Text],
        wheel: &WheelOptions,
    ) -> Result<Self> {
        let mut platforms = package.name.platforms().to_vec();
        if wheel.update_tags && !plan.audit.tags.is_empty() && !same_set(&platforms, &plan.audit.tags) {
            platforms = plan.audit.tags.clone();
        }
        let name = package.name.with_platforms(&platforms);
        let sbom = (wheel.sbom && plan.added().next().is_some())
            .then(|| format!("{}/{}", package.dist_info.dir, sbom::SBOM_FILE));
        let mut change = Change { package, binaries, plan, texts, name, wheel_file: None, sbom };
        change.check_places()?;
        let purelib = package.wheel_file.root_is_purelib();
        if wheel.update_tags && (purelib || !same_set(&package.wheel_file.tags(), &change.name.tags())) {
            change.wheel_file =
                Some(package.wheel_file.with_tags(&change.name.tags(), purelib.then_some(false)));
        }
        Ok(change)
    }

    /// A binary must be installed where a search path leads from it to the package.
    fn check_places(&self) -> Result<()> {
        for (index, (member, scheme)) in self.binaries.members.iter().enumerate() {
            let member = &self.package.archive.members()[*member];
            let audited = &self.plan.audit.artifacts[index];
            let active = audited.result.status == Status::Active;
            if active && *scheme == Scheme::Purelib {
                return Err(Error::new("a binary in purelib, where installers may put no binaries")
                    .at(&member.name)
                    .hint("put it into platlib, or at the wheel's root")
                    .into());
            }
            let outside = matches!(scheme, Scheme::Data | Scheme::Headers | Scheme::Unknown);
            let leads = |need: &crate::Need| matches!(need.target, Target::Library(i) if self.carries(i));
            if outside && audited.result.needs.iter().any(leads) {
                return Err(Error::new(
                    "needs carried libraries, and is installed where no search path leads to them",
                )
                .at(&member.name)
                .hint("put it into the package, or keep its libraries out with --exclude")
                .into());
            }
        }
        Ok(())
    }

    fn carries(&self, library: usize) -> bool {
        self.plan.grafted.iter().any(|lib| lib.libraries.contains(&library))
    }

    /// The members in whose place a library is carried.
    fn replaced(&self) -> impl Iterator<Item = usize> {
        let artifacts = self.plan.audit.artifacts.iter().zip(&self.binaries.members);
        let carried = |path: &PackagePath| self.plan.added().any(|(lib, _)| lib.path == *path);
        artifacts.filter(move |(a, _)| carried(&a.artifact.path)).map(|(_, (member, _))| *member)
    }

    /// A program in `.data/scripts` moves when something in the package must be found from it.
    fn moves(&self, artifact: usize) -> bool {
        let scripts =
            self.binaries.members.get(artifact).is_some_and(|(_, scheme)| *scheme == Scheme::Scripts);
        let inside = |need: &crate::Need| match need.target {
            Target::Artifact(_) => true,
            Target::Library(index) => self.carries(index),
            Target::Missing | Target::Removed => false,
        };
        let Some(audited) = self.plan.audit.artifacts.get(artifact) else { return false };
        scripts
            && audited.result.status == Status::Active
            && (audited.result.needs.iter().any(inside) || self.plan.grafted.iter().any(|lib| lib.included))
    }

    fn is_nothing(&self) -> bool {
        self.plan.added().next().is_none()
            && self.plan.artifacts.iter().all(Option::is_none)
            && self.texts.is_empty()
            && self.wheel_file.is_none()
            && self.name.to_string() == self.package.name.to_string()
    }

    fn describe(&self, report: &mut RepairReport, wheel: &WheelOptions) {
        let audit = &self.plan.audit;
        report.outcome = if self.is_nothing() { Outcome::Unchanged } else { Outcome::Repaired };
        report.output = wheel.wheel_dir.join(self.name.to_string());
        report.tags = self.name.platforms().to_vec();
        report.obstacles = audit.obstacles.clone();
        report.warnings.extend(audit.warnings.iter().cloned());
        report.carried = self.plan.carried().collect();
        for (index, (member, _)) in self.binaries.members.iter().enumerate() {
            let name = self.package.archive.members()[*member].name.clone();
            if self.moves(index) {
                let to = audit.artifacts[index].artifact.path.to_string();
                report.moved.push(Moved { from: name.clone(), to });
            }
            match &audit.artifacts[index].result.status {
                Status::Active if self.plan.artifacts[index].is_some() => report.patched.push(name),
                Status::Active => {}
                Status::Inert(why) | Status::Foreign(why) => {
                    report.left_alone.push(LeftAlone { path: name, reason: why.clone() })
                }
            }
        }
        let members = self.texts.iter().filter_map(|text| text.member);
        report.patched.extend(members.map(|index| self.package.archive.members()[index].name.clone()));
        report.patched.sort();
        let signed = |index: &usize| {
            format!("{} no longer holds and was dropped", self.package.archive.members()[*index].name)
        };
        if !self.is_nothing() {
            report.warnings.extend(self.package.dist_info.signatures.iter().map(signed));
        }
        if self.package.wheel_file.root_is_purelib() && self.wheel_file.is_some() {
            report.warnings.push(
                "WHEEL said Root-Is-Purelib: true, though the wheel has binaries; it says false now"
                    .to_owned(),
            );
        }
        report.sbom = self.sbom.clone();
    }

    fn write(
        &self,
        engine: &Engine<'_>,
        work: &Input<'_>,
        report: &RepairReport,
        wheel: &WheelOptions,
    ) -> Result<()> {
        let mut writer = Writer::create(&report.output)?;
        let epoch = carried::epoch(engine);
        let time = epoch.map_or(Timestamp::EARLIEST, Timestamp::from_epoch);
        let repaired = work.repaired(self.plan);
        let (items, total) = self.items(time, work, &repaired)?;
        let options = WriteOptions { jobs: wheel.jobs, level: wheel.compression_level };

        let progress = |done| engine.events.event(Event::Progress { done, total });
        let written = write_members(&mut writer, &options, items, &progress)?;
        work.read_back(engine, self.plan, &repaired)?;

        let mut changed: Vec<RecordEntry> = written.iter().map(RecordEntry::from).collect();
        if let Some(name) = &self.sbom {
            let text = self.bill_of_materials(engine, name, &written, epoch)?;
            let entry = match self.package.archive.find(name) {
                Some(index) => Entry::like(&self.package.archive.members()[index]),
                None => Entry::file(name.clone(), PLAIN, time),
            };
            let packed = pack(Bytes::from(text), wheel.compression_level)?;
            changed.push(RecordEntry {
                name: name.clone(),
                hash: crate::wheel::hash_field(&packed.sha256),
                size: packed.size.to_string(),
            });
            writer.add(&entry, &packed)?;
        }
        let members = self.package.archive.members();
        let dropped = self.package.dist_info.signatures.iter().copied().chain(self.replaced());
        let dropped: Vec<&str> = dropped
            .map(|index| members[index].name.as_str())
            .filter(|name| !changed.iter().any(|entry| entry.name == *name))
            .collect();
        let record = self.package.record.rewrite(&changed, &dropped);
        writer.add(
            &Entry::like(&members[self.package.dist_info.record]),
            &pack(Bytes::from(record), wheel.compression_level)?,
        )?;
        writer.finish()
    }

    /// The members but for the bill of materials and RECORD, in the output's order, and the bytes of the new ones:
    /// what stays, then the binaries that changed or are carried (the largest first, so that the threads end
    /// together), then `.dist-info`, which PEP 427 wants last.
    fn items<'b>(
        &'b self,
        time: Timestamp,
        work: &'b Input<'_>,
        repaired: &'b Repaired,
    ) -> Result<(Vec<Item<'b>>, u64)> {
        let binary = |entry: Entry, size: u64, path: &'b PackagePath| Item::New {
            entry,
            size,
            produce: Box::new(move || repaired.open(path, work)),
        };
        let text = |entry: Entry, text: Vec<u8>| Item::New {
            entry,
            size: text.len() as u64,
            produce: Box::new(move || Ok(Bytes::from(text))),
        };
        let package = self.package;
        let members = package.archive.members();
        let mut before: Vec<Item<'b>> = Vec::with_capacity(members.len());
        let mut added: Vec<(u64, Entry, &'b PackagePath)> = Vec::new();
        let mut dist_info: Vec<Item<'b>> = Vec::new();
        let replaced: Vec<usize> = self.replaced().collect();

        for (lib, source) in self.plan.added() {
            let entry = Entry::file(lib.path.as_str(), carried::mode(lib.mode), time);
            added.push((source.size(), entry, &lib.path));
        }
        for (index, member) in members.iter().enumerate() {
            if index == package.dist_info.record
                || package.dist_info.signatures.contains(&index)
                || self.sbom.as_ref() == Some(&member.name)
                || replaced.contains(&index)
            {
                continue;
            }
            let artifact = self.binaries.members.iter().position(|(at, _)| *at == index);
            let item = match artifact {
                Some(at) if self.moves(at) => {
                    let audited = &self.plan.audit.artifacts[at].artifact;
                    let size = self.plan.artifacts[at].as_ref().unwrap_or(&audited.source).size();
                    let entry =
                        Entry::file(audited.path.as_str(), member.mode_or_default() | 0o755, member.modified);
                    added.push((size, entry, &audited.path));
                    text(Entry::like(member), shim::script(&audited.path).into_bytes())
                }
                Some(at) => match &self.plan.artifacts[at] {
                    Some(source) => {
                        let path = &self.plan.audit.artifacts[at].artifact.path;
                        added.push((source.size(), Entry::like(member), path));
                        continue;
                    }
                    None => Item::Raw { archive: &package.archive, index },
                },
                None if self.texts.iter().any(|text| text.member == Some(index)) => continue,
                None => match &self.wheel_file {
                    Some(wheel_file) if index == package.dist_info.wheel => {
                        text(Entry::like(member), wheel_file.clone())
                    }
                    _ => Item::Raw { archive: &package.archive, index },
                },
            };
            let metadata = member.path.is_below(&package.dist_info.dir);
            if metadata { dist_info.push(item) } else { before.push(item) }
        }
        added.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
        before.extend(added.into_iter().map(|(size, entry, path)| binary(entry, size, path)));
        before.extend(self.texts.iter().map(|changed| {
            let entry = match changed.member {
                Some(index) => Entry::like(&members[index]),
                None => Entry::file(changed.path.as_str(), PLAIN, time),
            };
            text(entry, changed.bytes.to_vec())
        }));
        before.extend(dist_info);
        let total = before.iter().map(|item| if let Item::New { size, .. } = item { *size } else { 0 }).sum();
        Ok((before, total))
    }
}

impl Change<'_> {
    fn bill_of_materials(
        &self,
        engine: &Engine<'_>,
        name: &str,
        written: &[Written],
        timestamp: Option<u64>,
    ) -> Result<Vec<u8>> {
        let sha256 = |path: &PackagePath| written.iter().find(|w| w.name == path.as_str()).map(|w| w.sha256);
        let existing =
            self.package.archive.find(name).map(|index| self.package.archive.read(index)).transpose()?;
        let wheel = sbom::Described::Wheel(sbom::WheelId {
            name: self.package.name.dist(),
            version: self.package.name.version(),
            file_name: &self.name.to_string(),
            timestamp,
        });
        carried::document(engine, &wheel, &self.plan.bill(0, sha256), existing.as_deref())
    }
}

fn same_set(a: &[String], b: &[String]) -> bool {
    let sorted = |tags: &[String]| tags.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    sorted(a) == sorted(b)
}
