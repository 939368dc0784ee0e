//! What a run of cargo built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use spokeshave_core::Result;

use super::flags;
use super::message::{BuildScriptExecuted, CompilerArtifact, Message};

/// What a run of cargo built, put together from its messages, in whatever order they came.
#[derive(Debug, Default)]
pub struct Build {
    /// Examples count.
    examples: bool,
    /// The directory of each package, by its id.
    packages: BTreeMap<String, PathBuf>,
    /// The files to ship, and the ids of the packages that they are of.
    artifacts: BTreeMap<PathBuf, String>,
    /// Directories with Rust libraries that programs load when they run.
    dylib_dirs: BTreeSet<PathBuf>,
    /// What the build scripts of a package printed, in their order.
    searched: BTreeMap<String, Vec<String>>,
}

impl Build {
    /// Nothing so far. Examples are artifacts only if the user asked for them.
    pub fn new(examples: bool) -> Self {
        Build { examples, ..Build::default() }
    }

    /// Takes note of a message.
    pub fn take(&mut self, message: Message) {
        match message {
            Message::Artifact(artifact) => self.take_artifact(artifact),
            Message::BuildScript(BuildScriptExecuted { package_id, linked_paths }) => {
                self.searched.entry(package_id).or_default().extend(linked_paths);
            }
            Message::Finished | Message::Other => {}
        }
    }

    fn take_artifact(&mut self, artifact: CompilerArtifact) {
        if let Some(dir) = artifact.manifest_path.parent() {
            self.packages.insert(artifact.package_id.clone(), dir.to_owned());
        }
        if artifact.profile.test {
            return;
        }
        let is = |list: &[String], what: &str| list.iter().any(|one| one == what);
        let target = &artifact.target;
        let example = is(&target.kind, "example");
        let libraries = artifact.filenames.iter().filter(|file| loadable(file));
        if is(&target.kind, "dylib") {
            self.dylib_dirs.extend(libraries.clone().filter_map(|file| file.parent()).map(Path::to_path_buf));
        }
        if example && !self.examples {
            return;
        }
        let files: Vec<&PathBuf> = if is(&target.kind, "bin") || (example && is(&target.crate_types, "bin")) {
            artifact.executable.iter().collect()
        } else if is(&target.kind, "cdylib") || (example && is(&target.crate_types, "cdylib")) {
            // What is built only because something else depends on it stays among the intermediate files.
            libraries.filter(|file| !intermediate(file)).collect()
        } else {
            Vec::new()
        };
        self.artifacts.extend(files.into_iter().map(|file| (file.clone(), artifact.package_id.clone())));
    }

    /// The files to ship, sorted.
    pub fn artifacts(&self) -> impl Iterator<Item = &Path> {
        self.artifacts.keys().map(PathBuf::as_path)
    }

    /// The name of the package that all artifacts are of; `None` when they are of several.
    pub fn package(&self) -> Option<&str> {
        let mut ids = self.artifacts.values();
        let first = ids.next()?;
        ids.all(|id| id == first).then(|| package_name(first)).flatten()
    }

    /// The directory of a package that an artifact is of.
    pub fn package_dir(&self) -> Option<&Path> {
        self.artifacts.values().find_map(|id| self.packages.get(id)).map(PathBuf::as_path)
    }

    /// The directories that the run linked from, absolute, each once: those of the artifacts' own packages first, then
    /// in the order of the packages' ids. `root` gives the root of the workspace that the package in a directory is of.
    ///
    /// # Errors
    /// When `root` fails, which is asked only for a relative path.
    pub fn linked_paths(&self, mut root: impl FnMut(&Path) -> Result<PathBuf>) -> Result<Vec<PathBuf>> {
        let own = |id: &str| self.artifacts.values().any(|artifact| artifact == id);
        let (first, rest): (Vec<_>, Vec<_>) = self.searched.iter().partition(|(id, _)| own(id));
        let mut paths: Vec<PathBuf> = Vec::new();
        for (id, searches) in first.into_iter().chain(rest) {
            for dir in searches.iter().filter_map(|search| flags::native(search)).map(Path::new) {
                let dir = match self.packages.get(id) {
                    Some(package) if dir.is_relative() => {
                        // Where cargo runs rustc: for packages of the workspace in its root, for others in their own.
                        let base = if id.contains("path+file:") { root(package)? } else { package.clone() };
                        base.join(dir)
                    }
                    _ => dir.to_owned(),
                };
                paths.push(dir);
            }
        }
        paths.extend(self.dylib_dirs.iter().cloned());
        let mut seen = BTreeSet::new();
        paths.retain(|path| path.is_absolute() && seen.insert(path.clone()));
        Ok(paths)
    }
}

/// Whether a file that came out of a library's compilation is loaded when programs run.
fn loadable(file: &Path) -> bool {
    file.extension().is_some_and(|end| ["so", "dylib", "dll", "wasm"].iter().any(|known| end == *known))
}

fn intermediate(file: &Path) -> bool {
    let dir = file.parent().and_then(Path::file_name);
    dir.is_some_and(|name| name == "deps" || name == "out")
}

/// The name in a package's id.
fn package_name(id: &str) -> Option<&str> {
    // The Cargo Book, "Package ID specifications"; before cargo 1.77 an id was `name version (source)`.
    if let Some((name, _)) = id.split_once(' ') {
        return Some(name);
    }
    let (url, fragment) = id.split_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None if fragment.starts_with(|c: char| c.is_ascii_digit()) => {
            url.split('?').next()?.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
        }
        None => Some(fragment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo build --release` in a workspace: a bin with a build script and a second bin, a cdylib, a bin that depends
    /// on that.
    const WORKSPACE: &str = include_str!("recorded/workspace.jsonl");
    /// `cargo build -p tool-pkg` in the same.
    const ONE_PACKAGE: &str = include_str!("recorded/one-package.jsonl");
    /// `cargo build --all-targets` in the same: tests and an example, too.
    const ALL_TARGETS: &str = include_str!("recorded/all-targets.jsonl");

    fn build(messages: &str, examples: bool) -> Build {
        let mut build = Build::new(examples);
        for line in messages.lines() {
            build.take(Message::parse(line.as_bytes()).unwrap().unwrap());
        }
        build
    }

    fn artifacts(build: &Build) -> Vec<&str> {
        build
            .artifacts()
            .map(|path| path.strip_prefix("/home/ann/ws/target").unwrap().to_str().unwrap())
            .collect()
    }

    #[test]
    fn bins_and_cdylibs_are_shipped() {
        let workspace = build(WORKSPACE, false);
        assert_eq!(
            artifacts(&workspace),
            ["release/app", "release/libplug.so", "release/second", "release/tool"]
        );
        assert_eq!(workspace.package(), None, "they are of three");
        let one = build(ONE_PACKAGE, false);
        assert_eq!(artifacts(&one), ["debug/tool"], "a cdylib that it depends on is linked into it");
        assert_eq!(one.package(), Some("tool-pkg"));
        let all = ["debug/app", "debug/libplug.so", "debug/second", "debug/tool"];
        assert_eq!(artifacts(&build(ALL_TARGETS, false)), all, "no tests, no examples");
        let asked = build(ALL_TARGETS, true);
        assert!(artifacts(&asked).contains(&"debug/examples/ex"), "{asked:?}");
    }

    #[test]
    fn relative_paths_begin_where_rustc_runs() {
        let root = |package: &Path| {
            assert_eq!(package, Path::new("/home/ann/ws/app"));
            Ok(PathBuf::from("/home/ann/ws"))
        };
        let paths = build(WORKSPACE, false).linked_paths(root).unwrap();
        assert_eq!(paths, [Path::new("/opt/ext/lib"), Path::new("/home/ann/ws/rel")]);
        let registry =
            WORKSPACE.replace("path+file:///home/ann/ws/app#0.1.0", "registry+https://x/index#app@0.1.0");
        let no_root = |_: &Path| panic!("asked for the workspace of a package from a registry");
        let paths = build(&registry, false).linked_paths(no_root).unwrap();
        assert_eq!(paths, [Path::new("/opt/ext/lib"), Path::new("/home/ann/ws/app/rel")]);
    }

    #[test]
    fn the_order_of_messages_does_not_matter() {
        let other = WORKSPACE.replace("ws/app#0.1.0", "ws/aaa#0.1.0").replace("/opt/ext", "/opt/aaa");
        let scripts =
            |text: &str| text.lines().find(|line| line.contains("build-script-executed")).unwrap().to_owned();
        let (own, dependency) = (scripts(WORKSPACE), scripts(&other));
        let (mut one, mut two) = (build(WORKSPACE, false), Build::new(false));
        one.take(Message::parse(dependency.as_bytes()).unwrap().unwrap());
        for line in std::iter::once(dependency.as_str()).chain(WORKSPACE.lines().rev()) {
            two.take(Message::parse(line.as_bytes()).unwrap().unwrap());
        }
        let paths = |build: &Build| build.linked_paths(|_| Ok("/r".into())).unwrap();
        assert_eq!(paths(&one), paths(&two));
        assert_eq!(
            paths(&one).first(),
            Some(&PathBuf::from("/opt/ext/lib")),
            "the artifact's own come first: {own}"
        );
        assert!(paths(&one).contains(&"/opt/aaa/lib".into()));
        assert_eq!(artifacts(&one), artifacts(&two));
    }

    #[test]
    fn rust_libraries_that_programs_load() {
        let dylib = ONE_PACKAGE.replace("\"cdylib\"", "\"dylib\"");
        let paths = build(&dylib, false).linked_paths(|_| panic!("nothing is relative")).unwrap();
        assert_eq!(paths, [Path::new("/home/ann/ws/target/debug/deps")]);
    }

    #[test]
    fn names_in_package_ids() {
        let cases = [
            ("path+file:///home/ann/ws/app#0.1.0", Some("app")),
            ("path+file:///home/ann/ws/tool#tool-pkg@0.1.0", Some("tool-pkg")),
            ("git+https://example.org/demo?branch=x#1.0.0", Some("demo")),
            ("registry+https://github.com/rust-lang/crates.io-index#serde@1.0.0", Some("serde")),
            ("demo 0.1.0 (path+file:///home/ann/demo)", Some("demo")),
            ("nothing", None),
        ];
        for (id, want) in cases {
            assert_eq!(package_name(id), want, "{id}");
        }
    }
}
