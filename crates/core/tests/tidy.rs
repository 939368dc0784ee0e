//! The absences of docs/architecture.md that a search of the sources can show.

use std::path::{Path, PathBuf};

/// The product's code of a crate: (file, line number, line), without comments and tests.
fn code(krate: &str) -> Vec<(PathBuf, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(krate).join("src");
    let mut pending = vec![root];
    let mut lines = Vec::new();
    while let Some(path) = pending.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            pending.extend(fs_err::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") && !name.ends_with("test.rs") && !name.ends_with("tests.rs") {
            let text = fs_err::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let product =
                product.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
            lines.extend(product.map(|(number, line)| (path.clone(), number + 1, line.to_owned())));
        }
    }
    lines.retain(|(path, _, _)| !path.components().any(|part| part.as_os_str() == "tests"));
    assert!(!lines.is_empty() || ["macho", "pe"].contains(&krate), "no code found in {krate}");
    lines
}

fn absent(krate: &str, words: &[&str], belongs: &str) {
    for (path, number, line) in code(krate) {
        for word in words {
            assert!(!line.contains(word), "{}:{number}: `{word}`: {belongs}\n{line}", path.display());
        }
    }
}

#[test]
fn core_names_no_format() {
    let words =
        ["ELF", "Mach", "PE32", "PT_", "DT_", "LC_RPATH", "IMAGE_", "RPATH", "RUNPATH", "SONAME", "dylib"];
    absent("core", &words, "what is of one format belongs into its backend");
    absent("core", &["goblin", "object::", "x7fELF"], "core parses no binary; a backend does");
}

#[test]
fn backends_write_no_file_and_print_nothing() {
    let words =
        ["fs_err::", "std::fs", "File::", "OpenOptions", "println!", "eprintln!", "eprint!", "Command::"];
    for backend in ["elf", "macho", "pe"] {
        absent(backend, &words, "a backend gets bytes and gives edits and facts; core does the rest");
    }
}

#[test]
fn only_the_command_line_prints() {
    absent(
        "core",
        &["println!", "print!(", "eprintln!", "std::env::"],
        "send an event, or take it from the context",
    );
}
