//! What staging and a bundle cost, counted in system calls and bytes by strace.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use spokeshave_core::staging::{Tree, stage};
use spokeshave_core::{PackagePath, Silent};
use spokeshave_testkit::mounts::{self, in_own_mounts};
use spokeshave_testkit::strace::{self, Call};
use spokeshave_testkit::{Bench, Cc, Libs, Outcome, run};

/// Names the directory in which a process that [`staged`] starts has to work.
const INSIDE: &str = "SPOKESHAVE_TEST_STAGES";
const GIGABYTE: u64 = 1 << 30;

#[test]
fn an_unpatched_gigabyte_is_linked_by_a_few_calls() {
    let name = "an_unpatched_gigabyte_is_linked_by_a_few_calls";
    let Some(calls) =
        staged(name, GIGABYTE, None, |origin, out| drop(stage(&[origin], &out, &Silent).unwrap()))
    else {
        return;
    };
    assert!(calls.iter().any(|call| call.name.starts_with("link")), "{calls:#?}");
    assert!(calls.len() < 40, "{} calls: {calls:#?}", calls.len());
    assert_eq!(data(&calls), [] as [&Call; 0]);
}

#[test]
fn an_unpatched_gigabyte_is_delivered_as_a_reflink_by_a_few_calls() {
    let name = "an_unpatched_gigabyte_is_delivered_as_a_reflink_by_a_few_calls";
    if !in_own_mounts(name) {
        return;
    }
    let Some(calls) = staged(name, GIGABYTE, Some(mounts::xfs), bundle) else { return };
    assert!(calls.len() < 80, "{} calls: {calls:#?}", calls.len());
    let manifest = "big\n".len() as u64;
    assert_eq!(written(&data(&calls), ""), manifest, "{calls:#?}");
    assert_eq!(read(&data(&calls), "big"), 0, "{calls:#?}");
}

#[test]
fn an_unpatched_artifact_is_copied_once_where_it_must_be() {
    let name = "an_unpatched_artifact_is_copied_once_where_it_must_be";
    let size = 20_000_000;
    let Some(calls) = staged(name, size, None, bundle) else { return };
    let copies = data(&calls).into_iter().filter(|call| call.name == "copy_file_range").collect::<Vec<_>>();
    assert_eq!(written(&copies, "big"), size, "{calls:#?}");
    assert_eq!(written(&data(&calls), ""), size + "big\n".len() as u64, "{calls:#?}");
    assert_eq!(read(&data(&calls), "big"), size, "{calls:#?}");
}

fn bundle(origin: PathBuf, out: PathBuf) {
    let mut tree = Tree::create(&out).unwrap();
    let staged = stage(&[origin], &out, &Silent).unwrap();
    let at = PackagePath::new("big").unwrap();
    let placed = staged.into_iter().map(|staged| staged.place(&mut tree, &at).unwrap()).collect();
    assert_eq!(tree.finish(placed).unwrap().finalize(), [] as [String; 0]);
}

/// Does `work` to an origin of `size` bytes in a process of its own, which is this test again; its calls that touch the
/// origin or the deliverable. `None` in that process.
fn staged(
    name: &str,
    size: u64,
    mount: Option<fn(&Path) -> mounts::Mounted>,
    work: impl Fn(PathBuf, PathBuf),
) -> Option<Vec<Call>> {
    if let Some(dir) = std::env::var_os(INSIDE) {
        let dir = PathBuf::from(dir);
        work(dir.join("target/big"), dir.join("out/bundle"));
        return None;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().canonicalize().unwrap().join("root");
    let _mounted = mount.map(|mount| mount(&dir));
    for side in ["target", "out"] {
        fs_err::create_dir_all(dir.join(side)).unwrap();
    }
    // All of it a hole: what counts are calls and the bytes that they are asked for.
    let origin = fs_err::File::create(dir.join("target/big")).unwrap();
    origin.set_len(size).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(INSIDE, &dir);
    let started = Instant::now();
    Outcome::of(&mut command).exits(0);
    let took = started.elapsed();
    if dir.join("out/bundle").exists() {
        fs_err::remove_dir_all(dir.join("out/bundle")).unwrap();
    }
    let (outcome, calls) = strace::trace(&command);
    outcome.exits(0);
    let calls: Vec<Call> = calls.into_iter().filter(|call| call.touches(&dir)).collect();
    println!("{name}: {} calls, {} ms with the process's start", calls.len(), took.as_millis());
    Some(calls)
}

#[test]
fn a_patched_artifact_is_written_once_and_an_unpatched_one_copied_once() {
    let bench = Bench::new(env!("CARGO_BIN_EXE_spokeshave"));
    let dir = bench.dir().canonicalize().unwrap();
    let libs = Libs::new(Cc::gcc(), &dir.join("lib"));
    libs.program(&dir.join("app"), &[]);
    Cc::gcc().build(&dir.join("tool"), "int main(void) { return 3; }", &[]);
    let mut command = bench.command();
    command.args(["bundle", "--jobs", "1", "--lib-dir", libs.dir(), "-o"]).arg(dir.join("bundle"));
    command.args([dir.join("app"), dir.join("tool")]);
    let (outcome, calls) = strace::trace(&command);
    outcome.exits(0);
    let data = data(&calls);
    let size = |path: &str| fs_err::metadata(dir.join(path)).unwrap().len();

    // Files in the bundle, by their place in the hidden directory.
    let carried =
        run("find", [dir.join("bundle/app.libs").to_str().unwrap(), "-name", "*.so*", "-printf", "%f\n"]);
    let carried: Vec<&str> = carried.lines().collect();
    assert_eq!(carried.len(), 2);
    for file in ["app", "tool"].into_iter().chain(carried) {
        let inside = if file.contains(".so") { format!("app.libs/{file}") } else { file.to_owned() };
        let writes: Vec<&Call> =
            data.iter().filter(|call| call.text.contains("/.spokeshave-")).copied().collect();
        assert_eq!(written(&writes, &inside), size(&format!("bundle/{inside}")), "{inside}: {writes:#?}");
    }
    let copied: Vec<&Call> = data.iter().filter(|call| call.name == "copy_file_range").copied().collect();
    let reflinked = calls.iter().any(|call| call.text.contains("FICLONE") && call.result() == Some(0));
    assert!(reflinked || written(&copied, "tool") == size("tool"), "{copied:#?}");
    // The whole is read once; before that the first bytes tell the format.
    for file in ["app", "tool"] {
        let copies = if file == "tool" && !reflinked { size(file) } else { 0 };
        let read = read(&data, file) - copies;
        assert!((size(file)..=size(file) + 4096).contains(&read), "{file}: {read} of {}", size(file));
    }
    let mode = fs_err::metadata(dir.join("bundle/app")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// The calls that move bytes of files.
fn data(calls: &[Call]) -> Vec<&Call> {
    let moves = |name: &str| {
        ["read", "write", "send", "splice", "mmap", "copy_file_range"].iter().any(|part| name.contains(part))
            && !name.contains("readlink")
    };
    calls.iter().filter(|call| moves(&call.name)).collect()
}

/// How many bytes were written to files whose path ends with `/file`, or to all.
fn written(calls: &[&Call], file: &str) -> u64 {
    let writes = calls.iter().filter(|call| !call.name.contains("read") && call.name != "mmap");
    let to = |call: &Call| {
        let at = if call.name == "copy_file_range" { 2 } else { 0 };
        argument(call, at).ends_with(&end(file))
    };
    writes.filter(|call| to(call)).filter_map(|call| call.result()).sum()
}

/// How many bytes were read from files whose path ends with `/file`.
fn read(calls: &[&Call], file: &str) -> u64 {
    let reads = calls.iter().filter(|call| !call.name.contains("write"));
    let read = |call: &Call| match call.name.as_str() {
        "mmap" if argument(call, 4).ends_with(&end(file)) => argument(call, 1).parse().ok(),
        "mmap" => None,
        _ if argument(call, 0).ends_with(&end(file)) => call.result(),
        _ => None,
    };
    reads.filter_map(|call| read(call)).sum()
}

/// How a descriptor's argument ends.
fn end(file: &str) -> String {
    if file.is_empty() { ">".into() } else { format!("/{file}>") }
}

fn argument(call: &Call, at: usize) -> &str {
    call.text.split(", ").nth(at).unwrap_or_default()
}
