//! Any bytes as an ELF file: reading and editing may fail but not panic; what is edited must read back as asked, keep
//! every other loaded byte, and need no edit when it is asked again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spokeshave_core::apply;
use spokeshave_elf::fuzzing::{Changes, Facts, PathTag, SearchPath, patch, read, verify};

/// The largest growth that a small file may ask for: the `.bss` of a program that becomes part of the file.
const MAX_GROWTH: usize = 65 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_first() else { return };
    let facts = read(file);
    let changes = changes(*choice, facts.as_ref().unwrap_or(&Facts::default()));
    let Ok(edits) = patch(file, &changes) else { return };
    if changes.is_empty() {
        assert!(edits.is_empty(), "no change, but edits: {edits:?}");
    }
    // Without an edit there is nothing to compare, and a broken file may be one that can't be.
    if edits.is_empty() && (changes.is_empty() || facts.is_err()) {
        return;
    }
    let new = apply(file, &edits).expect("edits are sorted, disjoint and inside of the file");
    assert!(new.len() < file.len() * 3 + MAX_GROWTH, "grew from {} to {}", file.len(), new.len());
    verify(file, &new, &changes).expect("the edited file is what was asked for");
    let again = patch(&new, &changes).expect("the edited file can be edited");
    // What a strip leaves of a lying section table may look strippable once more.
    assert!(again.is_empty() || changes.strip, "the same change again: {again:?}");
});

/// Which changes to try: one bit for each kind.
fn changes(choice: u8, facts: &Facts) -> Changes {
    let bit = |index: u32| choice & (1 << index) != 0;
    let long = if bit(0) { "-0123abcd-with-a-long-name" } else { "" };
    let mut changes = Changes { strip: bit(1), ..Changes::default() };
    if bit(2) {
        changes.soname = Some(format!("libx{long}.so.1"));
    }
    if bit(3) {
        let tag = if bit(4) { PathTag::Rpath } else { PathTag::Runpath };
        let entries = if bit(5) { Vec::new() } else { vec!["$ORIGIN".to_owned(), format!("/opt{long}")] };
        changes.search_path = Some(SearchPath { tag, entries });
    }
    if let Some(name) = facts.needed.first()
        && bit(6)
    {
        changes.needed.push((name.clone(), Some(format!("libnew{long}.so"))));
    }
    if let Some(name) = facts.needed.last()
        && bit(7)
    {
        changes.needed.push((name.clone(), None));
    }
    changes
}
