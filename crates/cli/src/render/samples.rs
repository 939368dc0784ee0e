//! Reports made by hand for the tests of the renderers.

use std::path::PathBuf;

use spokeshave_core::pipeline::{
    AuditReport, BundleReport, BundledReport, CarriedReport, EditableReport, FileReport, FileRole, LeftAlone,
    MergeReport, Mode, Moved, NeedReport, Outcome, PartialReport, Refusal, RepairReport, Sizes,
};
use spokeshave_core::staging::Hold;
use spokeshave_core::{Fact, Missing, Obstacle, Tried};

/// Text as a file or `--color never` gets it.
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

pub fn tried(path: &str, rule: &str, why: &str) -> Tried {
    Tried { path: path.into(), rule: rule.into(), why: why.into() }
}

pub fn need(name: &str, file: Option<usize>, rule: &str) -> NeedReport {
    NeedReport { name: name.into(), slice: None, file, removed: false, rule: rule.into(), tried: Vec::new() }
}

pub fn file(name: &str, path: Option<&str>, role: FileRole, needs: Vec<NeedReport>) -> FileReport {
    FileReport {
        name: name.into(),
        path: path.map(Into::into),
        role,
        left_alone: None,
        facts: Vec::new(),
        needs,
        variants: Vec::new(),
    }
}

pub fn obstacle(file: &str, what: &str, provider: &str, tag: Option<&str>, repairable: bool) -> Obstacle {
    let provider = Some(provider.to_owned()).filter(|p| !p.is_empty());
    Obstacle { file: file.into(), what: what.into(), provider, tag: tag.map(Into::into), repairable }
}

pub fn audit() -> AuditReport {
    let mut ext = file(
        "demo/_ext.so",
        None,
        FileRole::Artifact,
        vec![
            need("libgreet.so.1", Some(2), "--lib-dir"),
            need("libgone.so.4", None, ""),
            need("libpython3.11.so.1.0", None, ""),
            need("libc.so.6", Some(4), "ld.so.conf"),
            need("libm.so.6", None, ""),
        ],
    );
    ext.facts = vec![Fact { label: "ISA level".into(), value: "x86-64-v2".into() }];
    ext.needs[1].tried = vec![
        tried("/opt/lib/libgone.so.4", "--lib-dir", "no such file"),
        tried("/usr/lib/libgone.so.4", "default directories", "other machine (aarch64)"),
    ];
    ext.needs[2].removed = true;
    let mut object = file("demo/part.o", None, FileRole::Artifact, Vec::new());
    object.left_alone = Some("object file".into());
    let mut text = file(
        "libtext.so.2",
        Some("/opt/lib/libtext.so.2"),
        FileRole::External,
        vec![
            need("libgreet.so.1", Some(2), "RUNPATH of libtext.so.2"),
            need("libc.so.6", Some(4), "ld.so.conf"),
        ],
    );
    text.variants = vec!["/opt/lib/glibc-hwcaps/x86-64-v3/libtext.so.2".into()];
    AuditReport {
        input: PathBuf::from("dist/demo-1.0-cp311-cp311-linux_x86_64.whl"),
        backend: Some("elf"),
        claimed: vec!["linux_x86_64".into()],
        tags: vec!["manylinux_2_28_x86_64".into()],
        tags_as_is: vec!["linux_x86_64".into()],
        obstacles: vec![
            obstacle("demo/_ext.so", "libgreet.so.1", "", None, true),
            obstacle("demo/_ext.so", "memcpy@GLIBC_2.14", "libc.so.6", Some("manylinux_2_17_x86_64"), false),
            obstacle("demo/_ext.so", "fcntl64@GLIBC_2.28", "libc.so.6", Some("manylinux_2_28_x86_64"), false),
            obstacle("libtext.so.2", "fcntl64@GLIBC_2.28", "libc.so.6", Some("manylinux_2_28_x86_64"), false),
        ],
        files: vec![
            ext,
            object,
            file(
                "libgreet.so.1",
                Some("/opt/lib/libgreet.so.1"),
                FileRole::External,
                vec![
                    need("libtext.so.2", Some(3), "RUNPATH of libgreet.so.1"),
                    need("libc.so.6", Some(4), "ld.so.conf"),
                ],
            ),
            text,
            file(
                "libc.so.6",
                Some("/lib/x86_64-linux-gnu/libc.so.6"),
                FileRole::Promised,
                vec![need("ld-linux-x86-64.so.2", Some(5), "program interpreter")],
            ),
            file("ld-linux-x86-64.so.2", Some("/lib64/ld-linux-x86-64.so.2"), FileRole::Promised, Vec::new()),
        ],
        missing: vec![Missing {
            name: "libgone.so.4".into(),
            needed_by: vec!["demo/_ext.so".into()],
            tried: vec![tried("/opt/lib/libgone.so.4", "--lib-dir", "no such file")],
        }],
        refusal: Some(Refusal {
            what: "manylinux2014 can't be had".into(),
            hint: Some("ask for manylinux_2_28".into()),
        }),
        warnings: vec!["RECORD does not list demo/part.o".into()],
    }
}

pub fn repair() -> RepairReport {
    let lib = |name: &str, hashed: &str, size, needed: &[&str]| CarriedReport {
        original: name.into(),
        source: format!("/opt/lib/{name}"),
        path: format!("demo.libs/{hashed}"),
        size,
        needed_by: needed.iter().map(|n| (*n).to_owned()).collect(),
    };
    RepairReport {
        input: PathBuf::from("dist/demo-1.0-cp311-cp311-linux_x86_64.whl"),
        output: PathBuf::from(
            "wheelhouse/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
        dry_run: false,
        outcome: Outcome::Repaired,
        backend: Some("elf"),
        tags: vec!["manylinux_2_17_x86_64".into(), "manylinux2014_x86_64".into()],
        carried: vec![
            lib(
                "libgreet.so.1",
                "libgreet-0123abcd.so.1",
                16_249,
                &["demo/_a.so", "demo/_b.so", "demo/_c.so", "demo/_d.so"],
            ),
            lib("libtext.so.2", "libtext-89abcdef.so.2", 1_250_000, &["libgreet.so.1"]),
            lib("libplugin.so", "libplugin.so", 900, &[]),
        ],
        patched: vec!["demo/_a.so".into(), "demo/_b.so".into()],
        moved: vec![Moved { from: "demo-1.0.data/scripts/tool".into(), to: "demo.scripts/tool".into() }],
        left_alone: vec![LeftAlone { path: "demo/part.o".into(), reason: "object file".into() }],
        obstacles: vec![obstacle(
            "demo/_a.so",
            "memcpy@GLIBC_2.14",
            "libc.so.6",
            Some("manylinux_2_17_x86_64"),
            false,
        )],
        warnings: vec!["not in the text".into()],
        sbom: Some("demo-1.0.dist-info/sboms/spokeshave.cdx.json".into()),
        bytes: Sizes { input: 4_200_000, output: 4_900_000 },
    }
}

pub fn bundle() -> BundleReport {
    let RepairReport { tags, carried, obstacles, warnings, .. } = repair();
    let binary = |name: &str, backend, patched, hold| BundledReport {
        origin: format!("target/release/{name}").into(),
        path: format!("bin/{name}"),
        backend,
        patched,
        hold,
    };
    BundleReport {
        output: PathBuf::from("dist/app"),
        dry_run: false,
        mode: Mode::Repair,
        artifacts: vec![
            binary("app", Some("elf"), true, Some(Hold::Linked)),
            binary("helper", Some("elf"), false, Some(Hold::Mirrored)),
            binary("static", None, false, None),
        ],
        tags,
        carried,
        left_alone: vec![LeftAlone { path: "bin/static".into(), reason: "static program".into() }],
        obstacles,
        warnings,
        sbom: Some("app.cdx.json".into()),
    }
}

pub fn editable() -> EditableReport {
    EditableReport {
        origin: PathBuf::from("target/debug/app"),
        output: PathBuf::from("run/app"),
        backend: "elf",
        linked_paths: vec!["/opt/ext/lib".into(), "/opt/more".into()],
        patched: true,
        warnings: vec!["not in the text".into()],
    }
}

pub fn merge() -> MergeReport {
    let partial = |path: &str, inputs: &[usize], binary| PartialReport {
        path: path.into(),
        inputs: inputs.to_vec(),
        binary,
    };
    MergeReport {
        inputs: ["x86_64", "arm64"]
            .map(|arch| format!("demo-1.0-cp39-abi3-macosx_11_0_{arch}.whl").into())
            .into(),
        output: PathBuf::from("dist/demo-1.0-cp39-abi3-macosx_11_0_universal2.whl"),
        dry_run: false,
        backend: "macho",
        tags: vec!["macosx_11_0_universal2".into()],
        joined: vec!["demo/_a.so".into(), "demo/_b.so".into()],
        partial: vec![
            partial("demo.dylibs/liba-01234567.dylib", &[0], true),
            partial("demo/readme.txt", &[1], false),
        ],
        warnings: vec!["not in the text".into()],
        size: 4_900_000,
    }
}
