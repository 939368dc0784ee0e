//! Which file a name leads to, and which are looked into, on built files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use spokeshave_core::{
    Artifact, Audit, Bytes, Context, FactsCache, Files, Globs, OptionValues, Options, PackagePath,
    Repairer as _, Role, Silent, Status, Target,
};
use spokeshave_testkit::Outcome;

use crate::backend::Pe;

const X64: &str = "x86_64-w64-mingw32-gcc";
const X86: &str = "i686-w64-mingw32-gcc";

/// A DLL with the function `name`, which calls those of `needs`.
fn dll(gcc: &str, dir: &Path, name: &str, needs: &[&str]) {
    fs_err::create_dir_all(dir).unwrap();
    let declared: String =
        needs.iter().map(|need| format!("__declspec(dllimport) int {need}(void);\n")).collect();
    let called: Vec<String> = needs.iter().map(|need| format!("{need}()")).collect();
    let sum = if called.is_empty() { "1".to_owned() } else { called.join(" + ") };
    let source = dir.join(format!("{name}.c"));
    fs_err::write(&source, format!("{declared}__declspec(dllexport) int {name}(void) {{ return {sum}; }}\n"))
        .unwrap();
    let mut command = Command::new(gcc);
    command.args(["-shared", "-o"]).arg(dir.join(format!("{name}.dll"))).arg(source);
    Outcome::of(command.args(needs.iter().map(|need| dir.join(format!("{need}.dll"))))).exits(0);
}

struct Scene {
    dir: tempfile::TempDir,
    options: Options,
    members: Vec<(String, Vec<u8>)>,
}

impl Scene {
    /// `one.dll` → `two.dll`, in `lib`.
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        dll(X64, &dir.path().join("lib"), "two", &[]);
        dll(X64, &dir.path().join("lib"), "one", &["two"]);
        let options = Options { lib_dirs: vec![dir.path().join("lib")], ..Options::default() };
        Scene { dir, options, members: Vec::new() }
    }

    fn member(&mut self, path: &str, from: &str) {
        self.members.push((path.to_owned(), fs_err::read(self.dir.path().join(from)).unwrap()));
    }

    fn audit(&self) -> Audit {
        let mut files = Files::new(None);
        let mut set = Vec::new();
        for (path, bytes) in &self.members {
            let path = PackagePath::new(path).unwrap();
            let source = Arc::new(Bytes::from(bytes.clone()));
            files.insert(path.clone(), source.clone(), 0o755);
            let (tree, origin) = (PackagePath::root(), None);
            set.push(Artifact { path, tree, origin, source, mode: 0o755, linked_paths: Vec::new() });
        }
        let cx = Context {
            options: &self.options,
            claimed_tags: &["win_amd64".to_owned()],
            claimed_pythons: &["cp312-cp312".to_owned()],
            env: &BTreeMap::new(),
            events: &Silent,
            files: &files,
            cache: &FactsCache::default(),
            jobs: 2,
        };
        Pe.audit(&set, &cx).unwrap()
    }
}

fn leads(audit: &Audit, artifact: usize, name: &str) -> Target {
    let needs = &audit.artifacts[artifact].result.needs;
    needs.iter().find(|need| need.name == name).unwrap_or_else(|| panic!("{name} in {needs:?}")).target
}

fn external(audit: &Audit) -> Vec<String> {
    audit.external().map(|(_, lib)| lib.real.to_string()).collect()
}

#[test]
fn what_the_package_has_comes_first_whatever_its_case() {
    let mut scene = Scene::new();
    scene.member("pkg/ext.pyd", "lib/one.dll");
    scene.member("aaa/two.dll", "lib/two.dll");
    let audit = scene.audit();
    assert_eq!(leads(&audit, 0, "two.dll"), Target::Artifact(1));
    scene.member("pkg/TWO.DLL", "lib/two.dll");
    let audit = scene.audit();
    assert_eq!(leads(&audit, 0, "two.dll"), Target::Artifact(2), "the importer's directory comes first");
    assert!(external(&audit).is_empty() && audit.missing.is_empty());
    assert_eq!(audit.tags_as_is, ["win_amd64"]);
}

#[test]
fn only_the_right_machine() {
    let mut scene = Scene::new();
    let other = scene.dir.path().join("x86");
    dll(X86, &other, "two", &[]);
    fs_err::copy(other.join("two.dll"), scene.dir.path().join("two-x86.dll")).unwrap();
    scene.options.lib_dirs.insert(0, other.clone());
    scene.member("pkg/ext.pyd", "lib/one.dll");
    scene.member("pkg/two.dll", "two-x86.dll");
    let audit = scene.audit();
    assert_eq!(external(&audit), [scene.dir.path().join("lib/two.dll").display().to_string()]);
    let need = audit.artifacts[0].result.needs.iter().find(|need| need.name == "two.dll").unwrap();
    assert!(need.tried[0].why.contains("other machine (I386)"), "{:?}", need.tried);
    assert!(matches!(audit.artifacts[1].result.status, Status::Foreign(_)));
}

#[test]
fn a_name_is_found_in_any_case_on_the_host() {
    let mut scene = Scene::new();
    let lib = scene.dir.path().join("lib");
    scene.member("pkg/ext.pyd", "lib/one.dll");
    fs_err::rename(lib.join("two.dll"), lib.join("Two.DLL")).unwrap();
    assert_eq!(external(&scene.audit()), [lib.join("Two.DLL").display().to_string()]);
    scene.options.exclude = Globs::new(["TWO.*"]).unwrap();
    let audit = scene.audit();
    assert!(audit.external().next().is_none() && audit.missing.is_empty());
    assert!(audit.libraries.iter().any(|lib| lib.role == Role::Excluded));
}

#[test]
fn two_libraries_of_one_name_go_each_to_who_stands_beside_it() {
    let mut scene = Scene::new();
    let other = scene.dir.path().join("other");
    dll(X64, &other, "two", &[]);
    dll(X64, &other, "three", &["two"]);
    scene.options.lib_dirs.push(other.clone());
    dll(X64, scene.dir.path(), "two", &[]);
    for name in ["one.dll", "three.dll"] {
        let from = if name == "one.dll" { scene.dir.path().join("lib") } else { other.clone() };
        fs_err::copy(from.join(name), scene.dir.path().join(name)).unwrap();
    }
    dll(X64, scene.dir.path(), "ext", &["one", "three"]);
    scene.member("pkg/ext.pyd", "ext.dll");
    let audit = scene.audit();
    let found = external(&audit);
    for place in [scene.dir.path().join("lib/two.dll"), other.join("two.dll")] {
        assert!(found.contains(&place.display().to_string()), "{found:?}");
    }
}

#[test]
fn what_no_module_imports_is_looked_into_when_asked() {
    let mut scene = Scene::new();
    scene.member("pkg/tool.dll", "lib/one.dll");
    scene.member("pkg/ext.pyd", "lib/two.dll");
    let audit = scene.audit();
    assert!(
        matches!(&audit.artifacts[0].result.status, Status::Inert(why) if why.contains("--analyze-existing"))
    );
    assert!(external(&audit).is_empty() && audit.artifacts[0].result.needs.is_empty());
    let mut given = OptionValues::default();
    given.push("analyze-existing", None);
    given.push("ignore-existing", None);
    scene.options.backend = given;
    let audit = scene.audit();
    assert_eq!(external(&audit).len(), 1);
    assert!(audit.warnings.iter().any(|warning| warning.contains("--ignore-existing changes nothing")));
}
