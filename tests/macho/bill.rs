//! The bill of materials: whose a carried library is, and which version.

use serde_json::Value;
use std::os::unix::fs::symlink;

use crate::kit::Mac;

#[test]
fn versions_of_carried_libraries() {
    let mac = Mac::new("arm64");
    let version = "-Wl,-current_version,3.4.5";
    let source = |name: &str| format!("int {name}(int x) {{ return x + 1; }}");
    mac.lib("/opt/plain/liba.dylib", "/opt/plain/liba.dylib", &source("a"), &[version]);
    let keg = "/opt/homebrew/Cellar/b/1.2_1";
    mac.lib(&format!("{keg}/lib/libb.dylib"), "/opt/homebrew/opt/b/lib/libb.dylib", &source("b"), &[version]);
    let receipt = r#"{"arch": "arm64", "source": {"tap": "homebrew/core"}}"#;
    fs_err::write(mac.at(&format!("{keg}/INSTALL_RECEIPT.json")), receipt).unwrap();
    fs_err::create_dir(mac.at("/opt/homebrew/opt")).unwrap();
    symlink("../Cellar/b/1.2_1", mac.at("/opt/homebrew/opt/b")).unwrap();
    mac.lib("/conda/lib/libc.dylib", "@rpath/libc.dylib", &source("c"), &[version]);
    fs_err::create_dir(mac.at("/conda/conda-meta")).unwrap();
    let record = r#"{"name": "libc", "version": "7", "build": "h1_0", "channel": "conda-forge", "subdir": "osx-arm64",
        "license": "MIT", "files": ["lib/libc.dylib"]}"#;
    fs_err::write(mac.at("/conda/conda-meta/libc-7-h1_0.json"), record).unwrap();
    let libs = [
        "@root/opt/plain/liba.dylib",
        "@root/opt/homebrew/opt/b/lib/libb.dylib",
        "@root/conda/lib/libc.dylib",
    ];
    let input = mac.wheel(
        "int a(int); int b(int); int c(int); int value(int x) { return a(b(c(x))); }",
        &[&libs[..], &["-Wl,-rpath,/conda/lib"]].concat(),
    );
    let wheel = mac.repair(&[], &input);
    assert_eq!(mac.value(&wheel, 1), 4);
    let bill: Value =
        serde_json::from_slice(&wheel.read("demo-1.0.dist-info/sboms/spokeshave.cdx.json")).unwrap();
    let said = |name: &str| {
        let components = bill["components"].as_array().unwrap();
        let component = components.iter().find(|component| component["name"] == name).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&component["version"]),
            text(&component["purl"]),
            text(&component["licenses"][0]["license"]["name"]),
        )
    };
    let own = |version: &str, purl: &str, license: &str| (version.into(), purl.into(), license.into());
    assert_eq!(said("liba.dylib"), own("3.4.5", "", ""));
    assert_eq!(said("libb.dylib"), own("1.2_1", "pkg:brew/b@1.2_1?arch=arm64", ""));
    let purl = "pkg:conda/libc@7?build=h1_0&channel=conda-forge&subdir=osx-arm64";
    assert_eq!(said("libc.dylib"), own("7", purl, "MIT"));
}
