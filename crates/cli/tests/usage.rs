//! Help, usage errors, streams: the program as a shell sees it.

use std::process::{Command, Stdio};

use spokeshave_testkit::Outcome;

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spokeshave"));
    command.args(args).env_remove("AUDITWHEEL_PLAT").env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR");
    command
}

fn spokeshave(args: &[&str]) -> Outcome {
    Outcome::of(&mut command(args))
}

#[test]
fn every_option_of_the_manual_is_there() {
    let help = spokeshave(&["repair", "--help"]).exits(0).stdout;
    let options = "--wheel-dir --lib-dir --add-path --ldpaths --no-system-paths --sysroot --plat --only-plat \
                   --no-update-tags --disable-isa-ext-check --exclude --include --mangle-included --no-mangle \
                   --lib-sdir --compression-level --strip --dry-run --jobs --verbose --quiet --color --json \
                   --no-sbom";
    for option in options.split_whitespace() {
        assert!(help.contains(option), "{option} is not in\n{help}");
    }
    for short in ["-w,", "-l,", "-L,", "-z,", "-j,", "-n,", "-v,", "-q,"] {
        assert!(help.contains(short), "{short} is not in\n{help}");
    }
}

#[test]
fn every_option_for_build_outputs_is_there() {
    let shared = "--dist-name --artifact-dir --libs-dir --linked-path --mode --lib-dir --sysroot --plat --exclude --include \
                  --no-mangle --mangle-included --strip --no-sbom --dry-run --jobs --json --ldpaths --output";
    for (command, options) in
        [("bundle", shared), ("cargo", shared), ("editable", "--linked-path --output --json")]
    {
        let help = spokeshave(&[command, "--help"]).exits(0).stdout;
        for option in options.split_whitespace() {
            assert!(help.contains(option), "{option} is not in\n{help}");
        }
        assert!(help.contains("-o,"), "{help}");
    }
    let merge = spokeshave(&["merge", "--help"]).exits(0).stdout;
    for option in ["-w, --wheel-dir", "-z, --compression-level", "-n, --dry-run", "-j, --jobs", "--json"] {
        assert!(merge.contains(option), "{option} is not in\n{merge}");
    }
    let cargo =
        Outcome::of(Command::new(env!("CARGO_BIN_EXE_cargo-spokeshave")).args(["spokeshave", "--help"]));
    assert_eq!(cargo.exits(0).stdout, spokeshave(&["cargo", "--help"]).stdout);
}

#[test]
fn backends_declare_their_own_options() {
    let help = spokeshave(&["tree", "--help"]).exits(0).stdout;
    let (ours, elf) = help.split_once("Options for elf:").expect(&help);
    assert!(elf.contains("--ldpaths") && !ours.contains("--ldpaths"), "{help}");
    assert!(spokeshave(&["backends"]).exits(0).stdout.contains("--ldpaths"));
}

#[test]
fn usage_errors_exit_2() {
    spokeshave(&[]).exits(2);
    spokeshave(&["repair"]).exits(2).complains(&["<WHEEL>"]);
    spokeshave(&["repiar", "x.whl"]).exits(2).complains(&["'repair'"]);
    spokeshave(&["repair", "--lib-dri", "x", "x.whl"]).exits(2).complains(&["'--lib-dir'"]);
    spokeshave(&["repair", "--ldpath", "x", "x.whl"]).exits(2).complains(&["'--ldpaths'"]);
    spokeshave(&["repair", "-z", "10", "x.whl"]).exits(2).complains(&["0..=9"]);
    spokeshave(&["repair", "-j", "0", "x.whl"]).exits(2).complains(&["--jobs"]);
    spokeshave(&["repair", "-v", "-q", "x.whl"]).exits(2);
    spokeshave(&["repair", "--exclude", "a[", "x.whl"]).exits(2).complains(&["--exclude", "not a glob"]);
    spokeshave(&["repair", "--include", "liba=../b", "x.whl"])
        .exits(2)
        .complains(&["--include", "climbs out"]);
    spokeshave(&["repair", "--sysroot", "no/such/place", "x.whl"]).exits(2).complains(&["no such directory"]);
    spokeshave(&["bundle", "-o", "dist"]).exits(2).complains(&["<BINARY>"]);
    spokeshave(&["bundle", "app"]).exits(2).complains(&["--output <DIR>"]);
    spokeshave(&["bundle", "-o", "dist", "--mode", "chek", "app"]).exits(2).complains(&["'check'"]);
    spokeshave(&["bundle", "-o", "dist", "--artifact-dir", "/bin", "app"])
        .exits(2)
        .complains(&["absolute path"]);
    spokeshave(&["cargo", "--libs-dri", "x", "--", "build"]).exits(2).complains(&["'--libs-dir'"]);
    spokeshave(&["editable", "app"]).exits(2).complains(&["--output <FILE>"]);
    spokeshave(&["merge", "one.whl"]).exits(2).complains(&["2 values required", "<WHEEL>"]);
    spokeshave(&["completions", "tcsh"]).exits(2).complains(&["zsh"]);
}

#[test]
fn failures_exit_1_and_name_the_input() {
    let none =
        spokeshave(&["repair", "no/such/*.whl"]).exits(1).complains(&["no/such/*.whl", "no file matches"]);
    assert_eq!(none.stdout, "");
    spokeshave(&["repair", "src"]).exits(1).complains(&["src: is a directory", "hint: ", "src/*.whl"]);
    let text = spokeshave(&["show", "Cargo.toml"]).exits(1).complains(&["Cargo.toml"]);
    assert_eq!(text.stdout, "");
    assert_eq!(spokeshave(&["show", "-q", env!("CARGO_BIN_EXE_spokeshave")]).exits(0).stdout, "");
    let warned = spokeshave(&["show", "-l", "no/such", "Cargo.toml"]).exits(1);
    warned.complains(&["warning: --lib-dir", "no/such: no such directory"]);
}

#[test]
fn colours_are_asked_for_or_guessed() {
    let coloured = |args: &[&str], env: Option<&str>| {
        let mut command = command(args);
        if let Some(name) = env {
            command.env(name, "1");
        }
        Outcome::of(&mut command).stderr.contains('\x1b')
    };
    let (failure, usage) = (["show", "absent"], ["show", "--absent"]);
    for args in [&failure[..], &usage] {
        let with = |color: &'static str| [args, &[color]].concat();
        assert!(!coloured(args, None), "a pipe is no terminal");
        assert!(coloured(args, Some("CLICOLOR_FORCE")));
        assert!(coloured(&with("--color=always"), Some("NO_COLOR")));
        assert!(!coloured(&with("--color=never"), Some("CLICOLOR_FORCE")));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let inputs = ["show", "--json", "absent", "/also/absent"];
    for (args, code) in [(&["completions", "bash"][..], 0), (&["repair", "--help"], 0), (&inputs, 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done =
            command(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{said}");
        assert!(!said.contains("pipe"), "{said}");
        assert_eq!(said.contains("/also/absent"), code == 1, "the work goes on: {said}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_stream_that_takes_nothing_is_an_error() {
    let script = r#""$0" completions zsh >/dev/full"#;
    let outcome = Outcome::of(Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_spokeshave")]));
    outcome.exits(1).complains(&["stdout", "No space left"]);
}

#[test]
fn completions_know_the_options_of_backends() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = spokeshave(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("ldpaths"), "{shell}");
    }
}
