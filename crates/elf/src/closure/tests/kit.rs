//! Builds small libraries, asks a real loader what it loads, and builds our closure of the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use spokeshave_core::{
    Artifact, BuildOutput, Context, FactsCache, Files, Location, Options, PackagePath, Result, Silent,
};

use crate::closure::{Closure, Edge, Node, read_artifacts};
use crate::search::Environment;
use crate::target::Target;

/// A directory of libraries.
pub struct Scene {
    dir: tempfile::TempDir,
    cc: &'static str,
    env: BTreeMap<String, String>,
    pub options: Options,
}

/// Opens the library that it is given and prints the path of everything that is in the process then.
const OPENER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static int show(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size; (void)data;
    printf("%s\n", info->dlpi_name);
    return 0;
}
int main(int argc, char **argv) {
    (void)argc;
    if (!dlopen(argv[1], RTLD_NOW)) { printf("error %s\n", dlerror()); return 0; }
    dl_iterate_phdr(show, 0);
    return 0;
}
"#;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

impl Scene {
    /// With the compiler `cc`.
    pub fn new(cc: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("stubs")).unwrap();
        Scene { dir, cc, env: BTreeMap::new(), options: Options::default() }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let here = self.path("").display().to_string();
        self.env.insert(name.to_owned(), value.replace('@', here.trim_end_matches('/')));
    }

    /// Builds the library `path` with the soname `soname` (none when empty) that needs `needed`, in this order. In
    /// needs and flags, `@` is the scene's directory.
    pub fn lib(&self, path: &str, soname: &str, needed: &[&str], flags: &[&str]) -> PathBuf {
        self.lib_by(self.cc, path, soname, needed, flags)
    }

    pub fn lib_by(&self, cc: &str, path: &str, soname: &str, needed: &[&str], flags: &[&str]) -> PathBuf {
        let here = self.path("").display().to_string();
        let fill = |text: &str| text.replace('@', here.trim_end_matches('/'));
        let out = self.path(path);
        fs_err::create_dir_all(out.parent().unwrap()).unwrap();
        let source = self.path("empty.c");
        fs_err::write(&source, "int nothing;\n").unwrap();
        let mut command = Command::new(cc);
        command.args([
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed",
            "-Wl,--allow-shlib-undefined",
            "-o",
        ]);
        command.arg(&out).arg(&source);
        if !soname.is_empty() {
            command.arg(format!("-Wl,-soname,{soname}"));
        }
        for (index, name) in needed.iter().enumerate() {
            let stub = self.path(&format!("stubs/{}-{index}.so", path.replace('/', "_")));
            let soname = format!("-Wl,-soname,{}", fill(name));
            run(Command::new(cc)
                .args(["-shared", "-fPIC", "-nostdlib", "-o"])
                .args([&stub, &source])
                .arg(soname));
            command.arg(stub);
        }
        run(command.args(flags.iter().map(|flag| fill(flag))));
        out
    }

    /// Gives the dynamic entry with tag `from` the tag `to`: two RPATHs in one file, which no linker writes.
    pub fn retag(&self, path: &str, from: object::elf::DynamicTag, to: object::elf::DynamicTag) {
        let path = self.path(path);
        let mut bytes = fs_err::read(&path).unwrap();
        let offset = {
            let image = crate::image::Image::parse(&bytes).unwrap();
            image.dynamic.unwrap().entries.iter().find(|entry| entry.tag == from).unwrap().offset as usize
        };
        bytes[offset..offset + 8].copy_from_slice(&to.0.to_le_bytes());
        fs_err::write(path, bytes).unwrap();
    }

    pub fn link(&self, target: &str, link: &str) {
        let link = self.path(link);
        fs_err::create_dir_all(link.parent().unwrap()).unwrap();
        fs_err::os::unix::fs::symlink(self.path(target), link).unwrap();
    }

    /// What the real loader has in the process after `dlopen(root)`, sorted, without the program, the C library and
    /// the loader; or the name of the first library that it did not find.
    pub fn real(&self, root: &str) -> Result<Vec<String>, String> {
        let opener = self.path("opener");
        if !opener.exists() {
            let source = self.path("opener.c");
            fs_err::write(&source, OPENER).unwrap();
            run(Command::new(self.cc).arg("-o").args([&opener, &source]).arg("-ldl"));
        }
        let mut command = Command::new(&opener);
        command.env_remove("LD_LIBRARY_PATH").envs(&self.env).arg(self.path(root)).current_dir("/");
        let out = run(&mut command);
        if let Some(error) = out.strip_prefix("error ") {
            // glibc: `libx.so: cannot open shared object file`; musl: `Error loading shared library libx.so: …`.
            let name = match error.strip_prefix("Error loading shared library ") {
                Some(rest) => rest.split(':').next(),
                None => error.split(':').next(),
            };
            return Err(name.unwrap_or_default().to_owned());
        }
        let mut loaded: Vec<String> =
            out.lines().filter(|path| path.starts_with('/') && !is_base(path)).map(str::to_owned).collect();
        loaded.retain(|path| Path::new(path) != opener);
        loaded.sort();
        Ok(loaded)
    }

    /// Our closure of the file `root`.
    pub fn closure(&self, root: &str) -> Result<Closure> {
        self.closure_of(vec![artifact(root, Some(self.path(root)))], Files::new(self.options.sysroot.clone()))
    }

    pub fn closure_of(&self, set: Vec<Artifact>, files: Files) -> Result<Closure> {
        let cache = FactsCache::default();
        let cx = Context {
            options: &self.options,
            claimed_tags: &[],
            claimed_pythons: &[],
            env: &self.env,
            events: &Silent,
            files: &files,
            cache: &cache,
            jobs: 2,
        };
        let facts = read_artifacts(&set, &cx)?;
        let env = Environment::new(Target::decide(&set, &facts, &[], None), &cx);
        Closure::build(&set, &facts, &cx, &env)
    }

    /// [`Scene::real`], by our closure.
    pub fn ours(&self, root: &str) -> Result<Vec<String>, String> {
        let closure = self.closure(root).unwrap();
        if let Some(edge) = closure.nodes.iter().flat_map(|node| &node.needs).find(|edge| edge.to.is_none()) {
            return Err(edge.name.clone());
        }
        let mut loaded: Vec<String> = closure.nodes.iter().map(|node| node.location.to_string()).collect();
        loaded.retain(|path| !is_base(path));
        loaded.sort();
        Ok(loaded)
    }

    /// Both must agree; what they agree on, with `@` for the scene's directory.
    #[track_caller]
    pub fn agreed(&self, root: &str) -> Result<Vec<String>, String> {
        let (real, ours) = (self.real(root), self.ours(root));
        assert_eq!(ours, real, "ours, the loader's");
        let here = self.path("").display().to_string();
        ours.map(|paths| paths.iter().map(|path| path.replace(here.trim_end_matches('/'), "@")).collect())
    }
}

/// The C library and the loader, which our libraries don't need and every program does.
fn is_base(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.starts_with("libc.so") || name.starts_with("ld-")
}

/// An artifact of the package at `path`, a build output when it has an origin.
pub fn artifact(path: &str, origin: Option<PathBuf>) -> Artifact {
    let source = origin.clone().unwrap_or_default();
    let size = fs_err::metadata(&source).map_or(0, |meta| meta.len());
    Artifact {
        path: PackagePath::new(path.trim_start_matches('/')).unwrap(),
        tree: PackagePath::root(),
        origin,
        source: Arc::new(BuildOutput { path: source, size }),
        mode: 0o755,
        linked_paths: Vec::new(),
    }
}

/// The file at `host` as the package's member at `path`.
pub fn member(path: &str, host: PathBuf) -> Artifact {
    Artifact { origin: None, ..artifact(path, Some(host)) }
}

/// The package of `set`.
pub fn package(set: &[Artifact]) -> Files {
    let mut files = Files::new(None);
    for artifact in set {
        files.insert(artifact.path.clone(), artifact.source.clone(), 0o755);
    }
    files
}

/// The node whose location is `path`.
#[track_caller]
pub fn node<'a>(closure: &'a Closure, path: &str) -> &'a Node {
    let found = closure.nodes.iter().find(|node| node.location.to_string().ends_with(path));
    found.unwrap_or_else(|| panic!("no {path} in {:?}", locations(closure)))
}

/// The edge of the node at `path` with the name `name`.
#[track_caller]
pub fn edge<'a>(closure: &'a Closure, path: &str, name: &str) -> &'a Edge {
    node(closure, path).needs.iter().find(|edge| edge.name == name).unwrap()
}

pub fn locations(closure: &Closure) -> Vec<&Location> {
    closure.nodes.iter().map(|node| &node.location).collect()
}
