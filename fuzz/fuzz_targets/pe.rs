//! Any bytes as a PE file: reading and editing may fail but not panic; what is edited must read back as asked, keep every
//! other byte, and need no edit when it is asked again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spokeshave_core::apply;
use spokeshave_pe::PeFacts;
use spokeshave_pe::fuzzing::{Changes, patch, verify};

/// The largest `FileAlignment` for the headers, for the new section, and to align that.
const MAX_GROWTH: usize = 3 * 0x10000;

fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_first() else { return };
    let facts = PeFacts::read(file);
    assert_eq!(patch(file, &Changes::default()).expect("no change is no error"), []);
    let Ok(facts) = facts else { return };
    let changes = changes(*choice, &facts);
    let edits = match patch(file, &changes) {
        Ok(edits) => edits,
        Err(error) => {
            assert!(!error.to_string().contains("read back"), "{error:#}");
            return;
        }
    };
    let new = apply(file, &edits).expect("edits are sorted, disjoint and inside of the file");
    let names: usize = changes.imports.iter().map(|(_, name)| name.len() + 1).sum();
    assert!(new.len() <= file.len() + MAX_GROWTH + names, "grew from {} to {}", file.len(), new.len());
    if edits.is_empty() {
        return;
    }
    verify(file, &new, &changes).expect("the edited file is what was asked for");
    // A new name that was an old one as well would be renamed once more.
    let chained =
        |(_, new): &(String, String)| changes.imports.iter().any(|(old, _)| old.eq_ignore_ascii_case(new));
    if !changes.imports.iter().any(chained) {
        let again = patch(&new, &changes).expect("the edited file can be edited");
        assert!(again.is_empty(), "the same change again: {again:?}");
    }
    PeFacts::read(&new).expect("the edited file can be read");
});

/// Which names to change, and into what: one bit for each import, the rest for the length.
fn changes(choice: u8, facts: &PeFacts) -> Changes {
    let long = if choice & 0x80 == 0 { "" } else { "-0123abcd" };
    let mut changes = Changes::default();
    for (index, import) in facts.imports.iter().enumerate().take(6) {
        if choice & (1 << index) != 0 {
            let stem = "n".repeat(if choice & 0x40 == 0 { 1 } else { 200 });
            changes.imports.push((import.name.clone(), format!("{stem}{index}{long}")));
        }
    }
    changes
}
