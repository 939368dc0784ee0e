//! What the real program prints with `--json` is what `docs/*.schema.json` promise.

use std::io::Write as _;
use std::process::{Command, Stdio};

use spokeshave_testkit::{Bench, Cc, Libs, python};

fn valid(schema: &str, lines: &str) {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut check = Command::new(python())
        .arg(format!("{root}/tests/validate.py"))
        .arg(format!("{root}/../../docs/{schema}.schema.json"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let done = check.wait_with_output().unwrap();
    assert!(done.status.success(), "{schema}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn every_json_output_matches_its_schema() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let libs = Libs::new(Cc::gcc(), &bench.path("lib"));
    let wheel = libs.demo().pack(bench.dir());
    let wheel = wheel.to_str().unwrap();

    valid("backends", &bench.spokeshave(["backends", "--json"]).exits(0).stdout);

    let repair = ["repair", "--json", "-w", "out", "-l", libs.dir(), "absent.whl", wheel];
    let repaired = bench.spokeshave(repair).exits(1).stdout;
    assert_eq!(repaired.lines().count(), 2, "{repaired}");
    assert!(repaired.lines().last().unwrap().contains(r#""outcome":"repaired""#), "{repaired}");
    valid("repair", &repaired);

    let program = bench.path("program");
    libs.program(&program, &[]);
    let program = program.to_str().unwrap();
    for (args, code) in [
        (&["-l", libs.dir(), program][..], 0),
        (&["-l", libs.dir(), "--dry-run", program], 0),
        (&["absent"], 1),
    ] {
        let bundled =
            bench.spokeshave([&["bundle", "--json", "-o", "dist"], args].concat()).exits(code).stdout;
        assert_eq!(bundled.lines().count(), 1, "{bundled}");
        valid("bundle", &bundled);
    }
    for (input, code) in [(program, 0), ("absent", 1)] {
        let copied = ["editable", "--json", "--linked-path", libs.dir(), "-o", "copy", input];
        valid("editable", &bench.spokeshave(copied).exits(code).stdout);
    }

    valid("merge", &bench.spokeshave(["merge", "--json", "absent.whl", wheel]).exits(1).stdout);

    for command in ["show", "tree"] {
        let found = [command, "--json", "-l", libs.dir(), wheel, "absent", env!("CARGO_BIN_EXE_spokeshave")];
        let found = bench.spokeshave(found).exits(1).stdout;
        assert_eq!(found.lines().count(), 3, "{found}");
        valid("show", &found);
        // Here the libraries are missing.
        valid("show", &bench.spokeshave([command, "--json", wheel]).exits(0).stdout);
    }
}
