//! Files that no wheel has, from zig's compiler and LLVM's lipo.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = "int b(int); int a(int x) { return b(x) + 1; }\n";
const NEEDED: &str = "int b(int x) { return x * 2; }\n";

/// Libraries and programs with much and little room, with a payload, fat, with alignments that leave no gap.
pub fn build(dir: &Path) -> Vec<PathBuf> {
    std::fs::write(dir.join("a.c"), SOURCE).unwrap();
    std::fs::write(dir.join("b.c"), NEEDED).unwrap();
    std::fs::write(dir.join("main.c"), "int a(int); int main(void) { return a(1); }\n").unwrap();
    let mut built = Vec::new();
    for arch in ["aarch64", "x86_64"] {
        let name = |stem: &str| format!("{stem}-{arch}.dylib");
        let target = format!("{arch}-macos");
        let zig = |args: &[&str]| {
            let common = ["-m", "ziglang", "cc", "-O2", "-g0", "-L.", "-target", &target];
            let python = std::env::var_os("SPOKESHAVE_TEST_PYTHON").unwrap();
            run(Command::new(python).current_dir(dir).args(common).args(args));
        };
        let (b, a, tight, program) = (name("libb"), name("liba"), name("tight"), name("main"));
        zig(&[
            "-shared",
            "-o",
            &b,
            "b.c",
            "-Wl,-install_name,@rpath/libb.dylib",
            "-Wl,-headerpad_max_install_names",
        ]);
        let rpaths = ["-Wl,-rpath,/opt/lib", "-Wl,-rpath,@loader_path"];
        zig(&["-shared", "-o", &a, "a.c", &b, rpaths[0], rpaths[1], "-Wl,-headerpad_max_install_names"]);
        zig(&["-shared", "-o", &tight, "a.c", &b, "-Wl,-headerpad,0"]);
        zig(&["-o", &program, "main.c", &a, &b, "-Wl,-headerpad_max_install_names"]);
        built.extend([b, a, tight, program]);
    }
    let with_payload: Vec<String> = built.iter().map(|name| format!("payload-{name}")).collect();
    for (name, with) in built.iter().zip(&with_payload) {
        let bytes =
            [std::fs::read(dir.join(name)).unwrap(), b"a payload of seven words, not aligned".to_vec()];
        std::fs::write(dir.join(with), bytes.concat()).unwrap();
    }
    for (out, one, two) in
        [("fat", "liba", "liba"), ("mixed", "libb", "tight"), ("payloads", "payload-liba", "main")]
    {
        let (one, two) = (format!("{one}-x86_64.dylib"), format!("{two}-aarch64.dylib"));
        run(Command::new("llvm-lipo-14").current_dir(dir).args(["-create", &one, &two, "-output", out]));
        let aligned = ["-segalign", "x86_64", "10", "-segalign", "arm64", "10"];
        let close = format!("close-{out}");
        run(Command::new("llvm-lipo-14")
            .current_dir(dir)
            .args(["-create", &two, &one, "-output", &close])
            .args(aligned));
        built.extend([out.to_owned(), close]);
    }
    built.extend(with_payload);
    built.into_iter().map(|name| dir.join(name)).collect()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
