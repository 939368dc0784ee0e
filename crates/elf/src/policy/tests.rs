//! Our policies against those of an installed auditwheel.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::Policies;
use crate::target::{Architecture, Libc, Target};

/// Prints, for each libc and architecture, auditwheel's policies from the strictest on: name, aliases, libraries,
/// versions, forbidden symbols.
const DUMP: &str = r#"
import json, pathlib, auditwheel.policy as p
from auditwheel.architecture import Architecture
from importlib.metadata import version
assert version("auditwheel") == "6.8.2", version("auditwheel")
out = []
for libc, path in p._POLICY_JSON_MAP.items():
    policies = sorted(json.loads(path.read_text()), key=lambda x: -x["priority"])
    for arch in Architecture:
        for e in policies:
            if arch.value not in e["symbol_versions"]:
                continue
            out.append({
                "libc": libc.value, "arch": arch.value,
                "names": [e["name"], *e["aliases"]],
                "libraries": sorted(p._fixup_musl_libc_soname(libc, arch, e["lib_whitelist"])),
                "versions": sorted(f"{n}_{v}" for n, l in e["symbol_versions"][arch.value].items() for v in l),
                "forbidden": {k: sorted(set(v)) for k, v in e["blacklist"].items()},
            })
print(json.dumps(out))
"#;

type Lists = BTreeMap<String, BTreeSet<String>>;

fn auditwheel() -> serde_json::Value {
    let python = std::env::var("SPOKESHAVE_TEST_PYTHON").unwrap_or_else(|_| {
        panic!("SPOKESHAVE_TEST_PYTHON must name a Python with auditwheel 6.8.2: tests/run makes one")
    });
    let output = Command::new(python).args(["-c", DUMP]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn set(value: &serde_json::Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// What one policy of ours allows, written out.
fn ours(policies: &Policies, policy: usize) -> (BTreeSet<String>, BTreeSet<String>, Lists) {
    let upto = |from: &usize| *from <= policy;
    let libraries =
        policies.libraries.iter().filter(|(_, from)| upto(from)).map(|(name, _)| name.clone()).collect();
    let versions =
        policies.versions.iter().filter(|(_, from)| upto(from)).map(|(name, _)| name.clone()).collect();
    let forbidden = policies.forbidden.iter().map(|(library, symbols)| {
        let symbols =
            symbols.iter().filter(|(_, until)| policy < **until).map(|(symbol, _)| symbol.clone()).collect();
        (library.clone(), symbols)
    });
    (libraries, versions, forbidden.filter(|(_, symbols): &(_, BTreeSet<_>)| !symbols.is_empty()).collect())
}

#[test]
fn equal_to_auditwheel() {
    let theirs = auditwheel();
    let mut compared = 0;
    for (libc, name) in [(Libc::Glibc, "glibc"), (Libc::Musl, "musl"), (Libc::Android, "android")] {
        for architecture in Architecture::ALL {
            let policies = Policies::load(&Target { architecture: Some(architecture), libc }).unwrap();
            let listed = theirs.as_array().unwrap().iter();
            let listed: Vec<_> =
                listed.filter(|e| e["libc"] == name && e["arch"] == architecture.name()).collect();
            assert_eq!(policies.len(), listed.len(), "{libc:?} {architecture}");
            for (policy, entry) in listed.iter().enumerate() {
                let (libraries, versions, forbidden) = ours(&policies, policy);
                let label = policies.name(policy).unwrap();
                let suffix = label.strip_prefix(entry["names"][0].as_str().unwrap()).unwrap();
                let names: Vec<String> = entry["names"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|n| n.as_str().unwrap().to_owned() + suffix)
                    .collect();
                assert_eq!(policies.tags(policy), names);
                assert_eq!(libraries, set(&entry["libraries"]), "{label}");
                assert_eq!(versions, set(&entry["versions"]), "{label}");
                let theirs: Lists = entry["forbidden"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(k, v)| (k.clone(), set(v)))
                    .collect();
                assert_eq!(forbidden, theirs, "{label}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, theirs.as_array().unwrap().len(), "auditwheel has policies that we don't");
    assert!(compared > 100, "{compared}");
}

#[test]
fn no_architecture_no_policy() {
    let policies = Policies::load(&Target { architecture: None, libc: Libc::Glibc }).unwrap();
    assert_eq!(policies.len(), 0);
    assert_eq!(policies.promised_from("libc.so.6"), Some(0));
    assert_eq!(policies.promised_from("libssl.so.3"), None);
}

#[test]
fn loads_quickly() {
    let start = std::time::Instant::now();
    let target = Target { architecture: Some(Architecture::X86_64), libc: Libc::Glibc };
    for _ in 0..20 {
        Policies::load(&target).unwrap();
    }
    let each = start.elapsed() / 20;
    println!("{each:?} for one load");
    // Two milliseconds in a release build; a debug build under load is many times slower.
    assert!(each.as_millis() < if cfg!(debug_assertions) { 100 } else { 2 }, "{each:?}");
}

/// The names that musl's loader takes for itself, asked of the real one.
#[test]
fn musl_answers_to_these_names() {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("ask.c"), dir.path().join("ask"));
    let code = "#include <dlfcn.h>\nint main(int n, char **v) { return !dlopen(v[1], RTLD_NOW); }\n";
    fs_err::write(&source, code).unwrap();
    assert!(Command::new("musl-gcc").arg(&source).arg("-o").arg(&program).status().unwrap().success());
    for name in [
        "libc.so",
        "libc.musl-x86_64.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "librt.so.1",
        "libdl.so.2",
        "libutil.so.1",
        "libxnet.so",
        "libcrypt.so.1",
        "libresolv.so.2",
        "libmvec.so.1",
        "libstdc++.so.6",
    ] {
        let taken = Command::new(&program).arg(name).status().unwrap().success();
        assert_eq!(super::names::is_musl_itself(name), taken, "{name}");
    }
}
