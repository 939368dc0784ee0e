//! Files that are left alone.

use super::*;

fn refusal(bytes: &[u8]) -> String {
    format!("{:#}", crate::edit::patch(bytes, &long_changes()).unwrap_err())
}

#[test]
fn dynamic_loader() {
    let loader = std::fs::read("/lib64/ld-linux-x86-64.so.2").unwrap();
    assert!(refusal(&loader).contains("is the dynamic loader itself"));
    let absent = Changes { needed: vec![("libpython3.11.so".into(), None)], ..Changes::default() };
    assert_eq!(crate::edit::patch(&loader, &absent).unwrap(), []);
    if let Ok(musl) = std::fs::read("/usr/lib/x86_64-linux-musl/libc.so") {
        assert!(refusal(&musl).contains("is the dynamic loader itself"));
    }
}

#[test]
fn static_programs() {
    let bench = Bench::new();
    let code = bench.put("main.c", b"int main(void) { return 0; }");
    for (flag, reason) in [("-static-pie", "static program"), ("-static", "no dynamic section")] {
        let program = bench.path("program");
        let status = Command::new("cc").arg(flag).arg("-o").arg(&program).arg(&code).status().unwrap();
        assert!(status.success());
        let bytes = std::fs::read(&program).unwrap();
        assert!(refusal(&bytes).contains(reason), "{flag}: {}", refusal(&bytes));
        // Stripping one is fine.
        let stripped = edited(&bytes, &Changes { strip: true, ..Changes::default() });
        assert!(stripped.len() < bytes.len());
        std::fs::write(&program, stripped).unwrap();
        assert!(Command::new(&program).status().unwrap().success(), "{flag}");
    }
}

#[test]
fn names_with_a_nul() {
    let bench = Bench::new();
    let old = bench.build("lib.so", LIBRARY, &[]);
    let changes = Changes { soname: Some("a\0b".into()), ..Changes::default() };
    assert!(crate::edit::patch(&old, &changes).is_err());
}
