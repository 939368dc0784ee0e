//! Lines for `show`.

use object::pe;
use spokeshave_core::Fact;

use crate::facts::{ImportKind, PeFacts};

/// What is worth knowing of a file; nothing of what was not read.
pub fn facts(facts: &PeFacts) -> Vec<Fact> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(Fact { label: label.to_owned(), value });
        }
    };
    if facts.machine == 0 {
        return lines;
    }
    let kind = match (facts.is_dll, pe::Subsystem(facts.subsystem)) {
        (true, _) => "DLL",
        (false, pe::IMAGE_SUBSYSTEM_WINDOWS_GUI) => "program with windows",
        (false, _) => "program",
    };
    line("kind", Some(format!("{kind}, {}", if facts.is_64 { "PE32+" } else { "PE32" })));
    let hybrid = facts.hybrid.map(|hybrid| format!(" ({})", hybrid.name())).unwrap_or_default();
    line("architecture", Some(format!("{}{hybrid}", facts.machine_name())));
    line("linker", Some(format!("{}.{}", facts.linker.0, facts.linker.1)));
    line("version", facts.version.as_ref().and_then(|version| version.file_version.clone()));
    line("export name", facts.export_name.clone());
    let delayed = facts.imports.iter().filter(|import| import.kind != ImportKind::Load);
    line("delay imports", Some(delayed.map(|import| import.name.as_str()).collect::<Vec<_>>().join(", ")));
    line("forwards to", Some(facts.forwards.join(", ")));
    line("signature", facts.signed.then(|| "Authenticode".to_owned()));
    line("overlay", (facts.overlay > 0).then(|| format!("{} bytes", facts.overlay)));
    lines
}
