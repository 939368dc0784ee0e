//! Fat files: slices that change, slices that move, slices that do neither.

use super::{change, patched, refused, renamed, touched};
use crate::edit::patch;
use crate::handmade::{Handmade, fat};
use crate::{Arch, Changes, MachoFacts, SliceChanges};

const ARM64E: Arch = Arch { cputype: 0x0100_000c, cpusubtype: 0x8000_0002 };

fn longer() -> SliceChanges {
    renamed("/opt/libup.dylib", "@loader_path/libup-0123abcd.dylib")
}

fn part(bytes: &[u8], index: usize) -> &[u8] {
    let slice = &MachoFacts::read(bytes).unwrap().slices[index];
    &bytes[slice.offset as usize..][..slice.size as usize]
}

fn places(bytes: &[u8]) -> Vec<(u64, u64)> {
    MachoFacts::read(bytes).unwrap().slices.iter().map(|slice| (slice.offset, slice.size)).collect()
}

#[test]
fn slices_that_do_not_change_keep_every_byte() {
    let x86 = Handmade::dylib(Arch::X86_64).build();
    let arm = Handmade { signature: Some(0x400), ..Handmade::dylib(Arch::ARM64) }.build();
    for is_64 in [false, true] {
        let old = fat(is_64, &[(Arch::X86_64, 12, x86.clone()), (Arch::ARM64, 14, arm.clone())]);
        let first: Changes = change([longer(), SliceChanges::default()]);
        let edits = patch(&old, &first).unwrap();
        assert_eq!(touched(&edits).len(), 1, "the header of one slice");
        let new = patched(&old, &first);
        assert_eq!((part(&new, 1), places(&new)), (&arm[..], places(&old)));
        let new = patched(&old, &change([SliceChanges::default(), longer()]));
        assert_eq!(part(&new, 0), x86);
        assert_ne!(part(&new, 1), arm);
        assert_eq!(places(&new), places(&old));
    }
}

#[test]
fn a_slice_grows_into_the_gap_and_then_moves_its_neighbour() {
    let unsigned = Handmade::dylib(Arch::ARM64).build();
    let neighbour = Handmade::dylib(Arch::X86_64).build();
    for is_64 in [false, true] {
        // 0x4000 + 0x1048 bytes, so the next multiple of 0x1000 leaves a gap that is large enough.
        let slices = [(Arch::ARM64, 14, unsigned.clone()), (Arch::X86_64, 12, neighbour.clone())];
        let old = fat(is_64, &slices);
        let new = patched(&old, &change([longer(), SliceChanges::default()]));
        assert_eq!((new.len(), places(&new)[1]), (old.len(), places(&old)[1]));
        assert!(places(&new)[0].1 > places(&old)[0].1);
        assert_eq!(part(&new, 1), neighbour);

        // With an alignment of 8 bytes there is no gap, and the next place is close.
        let slices = [(Arch::ARM64, 3, unsigned.clone()), (Arch::X86_64, 3, neighbour.clone())];
        let mut old = fat(is_64, &slices);
        old.extend(b"behind the slices");
        let new = patched(&old, &change([longer(), SliceChanges::default()]));
        let grown = places(&new)[0].1 - places(&old)[0].1;
        assert!(grown > 0);
        let moved = (places(&old)[0].0 + places(&new)[0].1).next_multiple_of(8);
        assert_eq!(places(&new)[1], (moved, places(&old)[1].1));
        assert_eq!(part(&new, 1), neighbour);
        assert!(new.ends_with(b"behind the slices"));

        // A later slice stays when the gap before it is wide enough for those that moved.
        let slices = [
            (Arch::ARM64, 3, unsigned.clone()),
            (Arch::X86_64, 3, neighbour.clone()),
            (ARM64E, 14, Handmade::dylib(ARM64E).build()),
        ];
        let old = fat(is_64, &slices);
        let new = patched(&old, &change([longer(), SliceChanges::default(), SliceChanges::default()]));
        assert_ne!(places(&new)[1], places(&old)[1]);
        assert_eq!((places(&new)[2], new.len()), (places(&old)[2], old.len()));
    }
}

#[test]
fn bytes_between_slices_are_not_overwritten() {
    let slices = [
        (Arch::ARM64, 14, Handmade::dylib(Arch::ARM64).build()),
        (Arch::X86_64, 12, Handmade::dylib(Arch::X86_64).build()),
    ];
    let mut old = fat(false, &slices);
    let gap = places(&old)[1].0 as usize - 1;
    old[gap] = 1;
    let error = refused(&old, &change([longer(), SliceChanges::default()]));
    assert!(error.what.contains("would have to grow over"), "{error}");
    let new = patched(&old, &change([SliceChanges::default(), longer()]));
    assert_eq!(new[gap], 1);
}

#[test]
fn slices_need_not_be_in_the_order_of_the_table() {
    let slices = [
        (Arch::ARM64, 3, Handmade::dylib(Arch::ARM64).build()),
        (Arch::X86_64, 3, Handmade::dylib(Arch::X86_64).build()),
    ];
    let mut old = fat(false, &slices);
    let (first, second) = (old[8..28].to_vec(), old[28..48].to_vec());
    old[8..28].copy_from_slice(&second);
    old[28..48].copy_from_slice(&first);
    let before = places(&old);
    let new = patched(&old, &change([SliceChanges::default(), longer()]));
    assert_eq!(places(&new)[1].0, before[1].0);
    assert!(places(&new)[0].0 > before[0].0);
    assert_eq!(part(&new, 0), part(&old, 0));
}

#[test]
fn absurd_alignments_move_nothing() {
    let slices = [
        (Arch::ARM64, 3, Handmade::dylib(Arch::ARM64).build()),
        (Arch::X86_64, 3, Handmade::dylib(Arch::X86_64).build()),
    ];
    for align in [16_u32, 31, 32, u32::MAX] {
        let mut old = fat(false, &slices);
        old[44..48].copy_from_slice(&align.to_be_bytes());
        let error = refused(&old, &change([longer(), SliceChanges::default()]));
        assert!(error.what.contains("would have to move"), "{error}");
        patched(&old, &change([SliceChanges::default(), longer()]));
    }
}

#[test]
fn thirty_two_bits_hold_four_gibibytes() {
    use crate::image::Fat;
    let narrow = Fat { is_64: false, arches: Vec::new() };
    let place = [0xffff_f000_u32, 0xfff].map(u32::to_be_bytes).concat();
    assert_eq!(narrow.place(0, 0xffff_f000, 0xfff).unwrap(), place);
    assert!(narrow.place(0, 0xffff_f000, 0x1000).is_err());
    assert!(narrow.place(0, 1 << 32, 0).is_err());
    let wide = Fat { is_64: true, arches: Vec::new() };
    assert_eq!(wide.place(0, 1 << 32, 5).unwrap(), [1_u64 << 32, 5].map(u64::to_be_bytes).concat());
}
