//! Bad input and bad places: a clear error, the right exit code, and nothing lost or left.

use std::path::{Path, PathBuf};
use std::process::Command;

use spokeshave_testkit::{Bench, Cc, Libs, Outcome, Tree, python, run};

fn bench() -> Bench {
    Bench::new(env!("CARGO_BIN_EXE_spokeshave"))
}

fn libs(bench: &Bench) -> Libs {
    Libs::new(Cc::gcc(), &bench.path("lib"))
}

/// What [`left`] is in the end.
const NOTHING: [PathBuf; 0] = [];

fn repair(bench: &Bench, args: &[&str], wheel: &Path) -> Outcome {
    bench.spokeshave([&["repair", "-w", "out"], args, &[wheel.to_str().unwrap()]].concat())
}

/// All files below `dir`, hidden ones too; none when it is not there.
fn left(dir: &Path) -> Vec<PathBuf> {
    if !dir.exists() {
        return Vec::new();
    }
    let all = run("find", [dir.to_str().unwrap(), "-mindepth", "1"]);
    all.lines().map(PathBuf::from).collect()
}

/// Runs the program in a mount namespace of its own with `mount` executed before; what it left in `out` is behind the
/// line `left:`.
fn in_mounts(bench: &Bench, mount: &str, args: &str) -> Outcome {
    let mut command = Command::new("unshare");
    // Root needs no user namespace, others can't mount without one.
    if run("id", ["-u"]).trim() != "0" {
        command.arg("--map-root-user");
    }
    let exe = env!("CARGO_BIN_EXE_spokeshave");
    let script = format!(
        "mkdir -p out && {mount} && {{ {exe} repair -w out {args}; code=$?; echo left: $(ls -A out); exit $code; }}"
    );
    command.args(["--mount", "sh", "-c", &script]).current_dir(bench.dir()).env("NO_COLOR", "1");
    Outcome::of(&mut command)
}

#[test]
fn usage_errors_are_2_and_failures_are_1() {
    let bench = bench();
    bench.spokeshave(["repair", "--no-such-option", "x.whl"]).exits(2);
    bench.spokeshave(["repair"]).exits(2);
    bench.spokeshave(["no-such-command"]).exits(2);
    bench
        .spokeshave(["repair", "absent-1.0-py3-none-any.whl"])
        .exits(1)
        .complains(&["absent-1.0-py3-none-any.whl"]);
    bench.spokeshave(["show", "absent.so"]).exits(1).complains(&["absent.so"]);
    bench.spokeshave(["--help"]).exits(0);
    bench.spokeshave(["--version"]).exits(0);
}

#[test]
fn all_missing_libraries_are_named_at_once() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = libs.demo();
    Cc::gcc().library(&bench.path("gone/libgone.so.4"), "libgone.so.4", "long gone(void) { return 1; }", &[]);
    let gone = bench.path("gone/libgone.so.4");
    Cc::gcc().extension(
        &tree.path("demo/_more.abi3.so"),
        "_more",
        "long gone(void);",
        "gone()",
        &[gone.to_str().unwrap()],
    );
    let input = tree.pack(bench.dir());
    let before = fs_err::read(&input).unwrap();
    repair(&bench, &["--lib-dir", "nowhere"], &input).exits(1).complains(&[
        "libalpha-1.2.so.3",
        "demo/_ext.abi3.so",
        "libgone.so.4",
        "demo/_more.abi3.so",
        "nowhere",
        "hint:",
    ]);
    assert_eq!(left(&bench.path("out")), NOTHING);
    assert!(before == fs_err::read(&input).unwrap());
}

#[test]
fn one_of_several_wheels_fails_and_the_rest_go_on() {
    let bench = bench();
    let libs = libs(&bench);
    let good = libs.demo().pack(&bench.path("in"));
    let bad = Tree::new("bad-1.0-cp39-abi3-linux_x86_64");
    libs.extension(&bad.path("bad/_ext.abi3.so"), &[]);
    let bad = bad.pack(&bench.path("in"));
    let whole = fs_err::read(&bad).unwrap();
    fs_err::write(&bad, &whole[..whole.len() / 2]).unwrap();
    let pure = Tree::new("pure-1.0-py3-none-any").file("pure.py", "").pack(&bench.path("in"));
    let wheels = [bad.as_path(), &good, &pure].map(|w| w.to_str().unwrap());
    let outcome =
        bench.spokeshave([&["repair", "-l", libs.dir(), "-w", "out"][..], &wheels].concat()).exits(1);
    outcome.complains(&["bad-1.0-cp39-abi3-linux_x86_64.whl"]);
    let out = left(&bench.path("out"));
    assert_eq!(out.len(), 2, "{out:?}");

    // A pattern is ours to expand where no shell does it.
    let outcome = bench.spokeshave(["repair", "-l", libs.dir(), "-w", "glob", "in/*-1.0-*.whl"]).exits(1);
    outcome.complains(&["bad-1.0-cp39-abi3-linux_x86_64.whl"]);
    assert_eq!(left(&bench.path("glob")).len(), 2);
}

/// Writes a damaged wheel from a good one with a Python program; `data` is its bytes, `archive(members)` packs anew.
fn damaged(bench: &Bench, good: &Path, program: &str) -> PathBuf {
    let out = bench.path("bad/demo-1.0-cp39-abi3-linux_x86_64.whl");
    let program = format!(
        "
import io, struct, sys, warnings, zipfile
warnings.simplefilter('ignore')
data = open(sys.argv[1], 'rb').read()
members = [(i.filename, zipfile.ZipFile(sys.argv[1]).read(i)) for i in zipfile.ZipFile(sys.argv[1]).infolist()]
def archive(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as zip:
        for name, content in members:
            zip.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
{program}
open(sys.argv[2], 'wb').write(data)"
    );
    run(python(), ["-c", &program, good.to_str().unwrap(), out.to_str().unwrap()]);
    out
}

#[test]
fn hostile_wheels_are_refused() {
    let bench = bench();
    let libs = libs(&bench);
    let good = libs.demo().pack(bench.dir());
    for (what, says, program) in [
        ("empty", "not a zip file", "data = b''"),
        ("no zip", "not a zip file", "data = b'PK' * 5000"),
        ("cut in the middle", "cut off", "data = data[:len(data) // 2]"),
        ("cut at the end", "cut off", "data = data[:-1]"),
        ("climbs out", "../../evil.py", "data = archive(members + [('../../evil.py', b'x')])"),
        ("absolute", "/etc/evil", "data = archive(members + [('/etc/evil', b'x')])"),
        ("drive letter", "evil.py: unsafe path", r"data = archive(members + [('C:\\evil.py', b'x')])"),
        ("twice", "two members of this name", "data = archive(members + [members[0]])"),
        (
            "encrypted",
            "encrypted",
            "data = data.replace(b'PK\\x01\\x02\\x14\\x03\\x14\\0\\0\\0', b'PK\\x01\\x02\\x14\\x03\\x14\\0\\x01\\0').replace(b'PK\\x03\\x04\\x14\\0\\0\\0', b'PK\\x03\\x04\\x14\\0\\x01\\0')",
        ),
        ("no dist-info", "no .dist-info", "data = archive([m for m in members if 'dist-info' not in m[0]])"),
        (
            "no WHEEL",
            "dist-info/WHEEL",
            "data = archive([m for m in members if not m[0].endswith('/WHEEL')])",
        ),
        (
            "two dist-infos",
            "2 .dist-info",
            "data = archive(members + [('demo-2.0.dist-info/WHEEL', b'Wheel-Version: 1.0')])",
        ),
        (
            "a binary's content damaged",
            "demo/_ext.abi3.so",
            "at = data.index(b'demo/_ext.abi3.so') + 700\ndata = data[:at] + bytes(b ^ 0x55 for b in data[at:at + 40]) + data[at + 40:]",
        ),
    ] {
        let bad = damaged(&bench, &good, program);
        let before = fs_err::read(&bad).unwrap();
        let outcome = repair(&bench, &["-l", libs.dir()], &bad);
        assert_eq!(outcome.code, Some(1), "{what}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(says), "{what}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("\nhint: "), "{what}: {}", outcome.stderr);
        assert!(before == fs_err::read(&bad).unwrap(), "{what}: the input changed");
        assert_eq!(left(&bench.path("out")), NOTHING, "{what}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let bench = bench();
    let good = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "").pack(bench.dir());
    // 4 GB of zeros would need 4 MB; 4 MB claimed to be 3.9 GB is the cheap way to say so.
    let program = "
import zlib
body = b'\\x7fELF' + bytes(1 << 20)
data = archive([('demo/bomb.so', body)] + members)
size = struct.pack('<I', len(body))
data = data.replace(size, struct.pack('<I', 0xF0000000))
";
    let bad = damaged(&bench, &good, program);
    let exe = env!("CARGO_BIN_EXE_spokeshave");
    let line = format!("ulimit -v 1000000; exec {exe} repair -w out {}", bad.display());
    let outcome = Outcome::of(Command::new("sh").args(["-c", &line]).current_dir(bench.dir()));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("bomb.so"), "{}", outcome.stderr);
}

#[test]
fn a_damaged_elf_is_refused_with_its_name() {
    let bench = bench();
    let libs = libs(&bench);
    let tree = libs.demo();
    let path = tree.path("demo/_ext.abi3.so");
    let mut bytes = fs_err::read(&path).unwrap();
    bytes.truncate(0x200);
    fs_err::write(&path, bytes).unwrap();
    let input = tree.pack(bench.dir());
    repair(&bench, &["-l", libs.dir()], &input).exits(1).complains(&["demo/_ext.abi3.so", "offset"]);
    assert_eq!(left(&bench.path("out")), NOTHING);
}

#[test]
fn the_output_can_not_be_the_input() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = bench.repair(&["-l", libs.dir()], &libs.demo().pack(bench.dir()));
    // Named as the output will be, but not yet repaired: the file name is kept, the bytes are not.
    let unrepaired = bench.path("same").join(wheel.path.file_name().unwrap());
    fs_err::create_dir_all(unrepaired.parent().unwrap()).unwrap();
    fs_err::copy(libs.demo().pack(bench.dir()), &unrepaired).unwrap();
    let before = fs_err::read(&unrepaired).unwrap();
    let args = ["repair", "-l", libs.dir(), "-w", "same", unrepaired.to_str().unwrap()];
    bench.spokeshave(args).exits(1).complains(&["hint:"]);
    assert!(before == fs_err::read(&unrepaired).unwrap());
    assert_eq!(left(&bench.path("same")).len(), 1);

    // Equal bytes are fine.
    let dir = wheel.path.parent().unwrap().to_str().unwrap();
    let before = fs_err::read(&wheel.path).unwrap();
    bench.spokeshave(["repair", "-w", dir, wheel.path.to_str().unwrap()]).exits(0);
    assert!(before == fs_err::read(&wheel.path).unwrap());
}

#[test]
fn a_place_that_can_not_be_written_to_is_named() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    fs_err::write(bench.path("file"), "in the way").unwrap();
    let args = ["repair", "-l", libs.dir(), "-w", "file", input.to_str().unwrap()];
    bench.spokeshave(args).exits(1).complains(&["file"]);
    assert_eq!(fs_err::read(bench.path("file")).unwrap(), b"in the way");

    let args = format!("-l lib {}", input.display());
    let outcome = in_mounts(&bench, "mount -t tmpfs -o ro tmpfs out", &args).exits(1);
    assert!(outcome.stdout.contains("left:"), "{outcome:?}");
    outcome.complains(&["out", "ead-only"]);
}

#[test]
fn a_full_disk_leaves_nothing() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().file("demo/big.bin", noise(300_000)).pack(bench.dir());
    let args = format!("-l lib {}", input.display());
    let outcome = in_mounts(&bench, "mount -t tmpfs -o size=128k tmpfs out", &args).exits(1);
    assert!(outcome.stdout.ends_with("left:\n"), "{outcome:?}");
    outcome.complains(&["out", "No space left"]);
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn an_interrupted_run_leaves_no_output() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().file("demo/big.bin", noise(40_000_000)).pack(bench.dir());
    let mut command = bench.command();
    command.args(["repair", "-l", libs.dir(), "-w", "out", input.to_str().unwrap()]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(15));
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    let wheels: Vec<PathBuf> =
        left(&bench.path("out")).into_iter().filter(|p| p.extension().is_some_and(|e| e == "whl")).collect();
    assert!(ended.success() || wheels.is_empty(), "{wheels:?}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let bench = bench();
    let libs = libs(&bench);
    let input = libs.demo().pack(bench.dir());
    let outcome = repair(&bench, &["-l", libs.dir(), "--dry-run"], &input).exits(0);
    assert!(outcome.stdout.contains("libbeta-"), "the plan: {outcome:?}");
    assert!(!bench.dir().join("out").exists());
}

#[test]
fn a_platform_that_is_out_of_reach_is_refused_with_the_reason() {
    let bench = bench();
    let tree = Tree::new("demo-1.0-cp39-abi3-linux_x86_64").file("demo/__init__.py", "");
    Cc::gcc().extension(
        &tree.path("demo/_ext.abi3.so"),
        "_ext",
        "void *dlopen(const char *, int);",
        "(long)dlopen(0, 1)",
        &[],
    );
    let input = tree.pack(bench.dir());
    let outcome = repair(&bench, &["--plat", "manylinux_2_17_x86_64"], &input).exits(1);
    outcome.complains(&["manylinux_2_17_x86_64", "GLIBC_2.34", "demo/_ext.abi3.so"]);
    assert_eq!(left(&bench.path("out")), NOTHING);
    let outcome = repair(&bench, &["--plat", "manylinux_9_9_mips"], &input);
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    assert!(outcome.stderr.contains("manylinux_9_9_mips"), "{outcome:?}");
}

/// Two wheels of one run that earn the same name: the first stays, the second is refused.
#[test]
fn no_wheel_replaces_that_of_another() {
    let bench = bench();
    let libs = libs(&bench);
    let wheel = libs.demo().pack(bench.dir());
    let first = bench.repair(&["--lib-dir", libs.dir()], &wheel);
    let name = first.path.file_name().unwrap();
    let other = bench.path("second").join(name);
    fs_err::create_dir_all(bench.path("second")).unwrap();
    fs_err::copy(&first.path, &other).unwrap();

    let inputs = [wheel.to_str().unwrap(), other.to_str().unwrap()];
    let outcome =
        bench.spokeshave([&["repair", "-w", "both", "--lib-dir", libs.dir()], &inputs[..]].concat());
    outcome.exits(1).complains(&["would replace that of another wheel", "hint: "]);
    let kept = fs_err::read(bench.path("both").join(name)).unwrap();
    assert_eq!(kept, fs_err::read(&first.path).unwrap());
}
