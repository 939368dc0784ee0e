//! The document as a whole: against the official schema, and what a second repair keeps.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Carried, Described, PackageOwner, WheelId, build};
use crate::PackagePath;

const WHEEL: WheelId<'_> = WheelId {
    name: "Demo_Pkg",
    version: "1.0+local",
    file_name: "Demo_Pkg-1.0+local-cp39-abi3-manylinux2014_x86_64.whl",
    timestamp: Some(1_700_000_000),
};

fn lib<'a>(original: &'a str, carried_path: &'a PackagePath, needs: &[usize]) -> Carried<'a> {
    Carried {
        original,
        carried_path,
        sha256: [7; 32],
        carried_sha256: Some([8; 32]),
        host_path: Path::new("/usr/lib/libgreet.so.1"),
        version: None,
        needs: needs.to_vec(),
    }
}

fn owner(_: &Path) -> Option<PackageOwner> {
    Some(PackageOwner {
        name: "libgreet1".into(),
        version: "1:1.2+b1".into(),
        arch: "amd64".into(),
        purl: "pkg:deb/debian/libgreet1@1:1.2%2Bb1?arch=amd64&distro=debian-12".into(),
        license: Some("MIT and stuff".into()),
    })
}

fn two_libraries(existing: Option<&[u8]>) -> Vec<u8> {
    let (greet, text) = (path("demo.libs/libgreet-07070707.so.1"), path("demo.libs/libtext-07070707.so.2"));
    let carried = [lib("libgreet.so.1", &greet, &[1]), lib("libtext.so.2", &text, &[])];
    build(&Described::Wheel(WHEEL), &carried, &owner, existing).unwrap()
}

fn path(text: &str) -> PackagePath {
    PackagePath::new(text).unwrap()
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn refs(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

/// Fails the test when the official validator finds fault.
fn assert_valid(document: &[u8]) {
    let python =
        std::env::var_os("SPOKESHAVE_TEST_PYTHON").expect("SPOKESHAVE_TEST_PYTHON is not set: run tests/run");
    let script = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or '') or None)";
    let mut child = Command::new(python).args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document).unwrap();
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(document));
}

#[test]
fn obeys_the_schema() {
    assert_valid(&two_libraries(None));
    assert_valid(
        &build(&Described::Wheel(WheelId { timestamp: None, ..WHEEL }), &[], &|_| None, None).unwrap(),
    );
}

#[test]
fn says_what_is_carried_and_whose_it_is() {
    let document = two_libraries(None);
    assert_eq!(document, two_libraries(None));
    let document = parse(&document);
    let root =
        "pkg:pypi/demo-pkg@1.0%2Blocal?file_name=Demo_Pkg-1.0%2Blocal-cp39-abi3-manylinux2014_x86_64.whl";
    assert_eq!(document["metadata"]["component"]["purl"], root);
    assert_eq!(document["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    let greet = &document["components"][0];
    assert_eq!(greet["name"], "libgreet.so.1");
    assert_eq!(greet["version"], "1:1.2+b1");
    assert_eq!(greet["purl"], owner(Path::new("")).unwrap().purl);
    assert_eq!(greet["hashes"][0]["content"], "07".repeat(32));
    assert_eq!(greet["evidence"]["occurrences"][0]["location"], "demo.libs/libgreet-07070707.so.1");
    let dependencies = document["dependencies"].as_array().unwrap();
    let of = |bom_ref: &str| &dependencies.iter().find(|d| d["ref"] == bom_ref).unwrap()["dependsOn"];
    assert_eq!(of("demo.libs/libgreet-07070707.so.1")[0], "demo.libs/libtext-07070707.so.2");
    assert_eq!(of(root).as_array().unwrap().len(), 2);
}

#[test]
fn a_second_repair_keeps_what_the_first_one_carried() {
    let first = two_libraries(None);
    let zip = path("demo.libs/libzip-07070707.so.5");
    let wheel = WheelId { file_name: "Demo_Pkg-1.0+local-cp39-abi3-manylinux_2_28_x86_64.whl", ..WHEEL };
    let second =
        build(&Described::Wheel(wheel), &[lib("libzip.so.5", &zip, &[])], &|_| None, Some(&first)).unwrap();
    assert_valid(&second);
    let second = parse(&second);
    let files: Vec<_> = refs(&second["components"], "name");
    assert_eq!(files, ["libgreet.so.1", "libtext.so.2", "libzip.so.5"]);
    assert_eq!(
        second["dependencies"].as_array().unwrap().len(),
        4,
        "the first wheel's name is gone: {second}"
    );
    assert_ne!(second["serialNumber"], parse(&first)["serialNumber"]);
    assert_eq!(two_libraries(Some(&first)), first, "the same libraries again change nothing");
}

#[test]
fn a_damaged_document_is_refused() {
    for bad in ["", "[]", "{\"bomFormat\":\"SPDX\"}", "\u{0}", &"[".repeat(100_000)] {
        let error = build(&Described::Wheel(WHEEL), &[], &|_| None, Some(bad.as_bytes())).unwrap_err();
        assert!(error.to_string().starts_with("sboms/spokeshave.cdx.json: not "), "{error}");
    }
    for odd in ["{}", "{\"components\":3,\"dependencies\":[{}]}", "{\"components\":[3,{}],\"metadata\":[]}"] {
        let odd = odd.replacen('{', "{\"bomFormat\":\"CycloneDX\",", 1).replace(",}", "}");
        build(&Described::Wheel(WHEEL), &[], &|_| None, Some(odd.as_bytes())).unwrap();
    }
}
