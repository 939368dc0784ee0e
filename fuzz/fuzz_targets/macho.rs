//! Any bytes as a Mach-O file: reading and editing may fail but not panic; what is edited must read back as asked, keep
//! every byte that is neither load command nor signature, and need no edit when it is asked again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spokeshave_core::apply;
use spokeshave_macho::fuzzing::{Changes, MachoFacts, Slice, SliceChanges, patch, recognizes, verify};

/// The most that one slice grows by: names are paid for by room, signatures take 1 % of the code, alignments 32 KiB.
const MAX_GROWTH: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((choice, file)) = data.split_first() else { return };
    let Ok(facts) = MachoFacts::read(file) else { return };
    assert!(recognizes(file));
    let slices = facts.slices.iter().enumerate();
    let changes = Changes {
        slices: slices.map(|(index, slice)| changes(choice.rotate_left(index as u32), slice)).collect(),
        file_name: "libx.1.dylib".to_owned(),
    };
    let Ok(edits) = patch(file, &changes) else { return };
    if edits.is_empty() {
        return;
    }
    let new = apply(file, &edits).expect("edits are sorted, disjoint and inside of the file");
    let growth = new.len().saturating_sub(file.len() + file.len() / 64);
    assert!(growth < facts.slices.len() * MAX_GROWTH, "grew from {} to {}", file.len(), new.len());
    verify(file, &new, &changes).expect("the edited file is what was asked for");
    let again = patch(&new, &changes).expect("the edited file can be edited");
    assert!(again.is_empty(), "the same change again: {again:?}");
});

/// Which changes to try: one bit for each kind.
fn changes(choice: u8, slice: &Slice) -> SliceChanges {
    let bit = |index: u32| choice & (1 << index) != 0;
    let long = if bit(0) { "-0123abcd-with-a-long-name" } else { "" };
    let mut changes = SliceChanges::default();
    if bit(1) {
        changes.id = Some(format!("/DLC/x{long}"));
    }
    // No new name is an old one, or the same change again would go on.
    let new = |number: usize| format!("@loader_path/{number}{long}");
    let free = |name: &str| !slice.dylibs.iter().any(|(_, dylib)| dylib.name == name);
    if bit(2) {
        let names = slice.dylibs.iter().enumerate().map(|(at, (_, dylib))| (dylib.name.clone(), new(at)));
        changes.dylibs = names.filter(|(_, new)| free(new)).collect();
    }
    if bit(3) {
        let kept = slice.rpaths.iter().filter(|path| bit(4) || path.starts_with('@')).cloned();
        let added = bit(5).then(|| format!("@loader_path/..{long}"));
        changes.rpaths = Some(added.into_iter().chain(kept).collect());
    }
    changes
}
