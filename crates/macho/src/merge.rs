//! Files and tags of packages for several processors become those of one for all of them.

use std::collections::BTreeMap;

use spokeshave_core::{Error, Merge, Result};

use crate::facts::{Arch, MachoFacts};
use crate::lipo::{self, Places};
use crate::tags;
use crate::target::{MacTag, Machine, Version};

/// `lipo -create`, and what tags say of its result.
#[derive(Debug)]
pub(crate) struct Lipo;

impl Merge for Lipo {
    /// The slices keep every byte, and with them their signatures. Their order is that of `lipo`, whatever that of the
    /// files.
    fn files(&self, parts: &[&[u8]]) -> Result<Vec<u8>> {
        let mut slices: Vec<(Arch, &[u8])> = Vec::new();
        for part in parts {
            for slice in MachoFacts::read(part)?.slices {
                let range = slice.offset as usize..slice.offset.saturating_add(slice.size) as usize;
                slices.push((slice.arch, part.get(range).unwrap_or_default()));
            }
        }
        slices.sort_by_key(|(arch, _)| lipo::order(*arch));
        let same = |a: Arch, b: Arch| (a.cputype, a.subtype()) == (b.cputype, b.subtype());
        let twice = slices.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if same(*a, *b) => Some(*a),
            _ => None,
        });
        if let Some(arch) = twice {
            return Err(Error::new(format!("two different files for {arch}"))
                .hint("each wheel must be for other processors")
                .into());
        }
        let sizes: Vec<(Arch, u64)> =
            slices.iter().map(|(arch, bytes)| (*arch, bytes.len() as u64)).collect();
        Places::new(&sizes)?.fill(slices.into_iter().map(|(_, bytes)| Ok(bytes)))
    }

    /// A package runs from the oldest macOS on that one of its tags promises; what several packages have for one
    /// machine runs where all of them do.
    fn tags(&self, claimed: &[&[String]]) -> Vec<String> {
        let mut versions: BTreeMap<Machine, Version> = BTreeMap::new();
        for package in claimed {
            let mut own: BTreeMap<Machine, Version> = BTreeMap::new();
            for tag in package.iter().filter_map(|tag| MacTag::parse(tag)) {
                for machine in tag.machines {
                    own.entry(machine)
                        .and_modify(|least| *least = tag.version.min(*least))
                        .or_insert(tag.version);
                }
            }
            for (machine, version) in own {
                versions.entry(machine).and_modify(|most| *most = version.max(*most)).or_insert(version);
            }
        }
        let versions = versions.into_iter().map(|(machine, version)| (machine, version.max(machine.floor())));
        tags::pack(&versions.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handmade::Handmade;

    fn merged(claimed: &[&str]) -> String {
        let claimed: Vec<Vec<String>> =
            claimed.iter().map(|tags| tags.split('.').map(str::to_owned).collect()).collect();
        Lipo.tags(&claimed.iter().map(Vec::as_slice).collect::<Vec<_>>()).join(".")
    }

    #[test]
    fn one_tag_where_it_says_what_both_said() {
        for (claimed, expected) in [
            (&["macosx_10_9_x86_64", "macosx_11_0_arm64"][..], "macosx_10_9_universal2"),
            (&["macosx_11_0_arm64", "macosx_10_9_x86_64"], "macosx_10_9_universal2"),
            (&["macosx_12_0_x86_64", "macosx_12_0_arm64"], "macosx_12_0_universal2"),
            (&["macosx_10_9_x86_64", "macosx_12_0_arm64"], "macosx_10_9_x86_64.macosx_12_0_arm64"),
            (&["macosx_14_0_x86_64", "macosx_11_0_arm64"], "macosx_14_0_x86_64.macosx_11_0_arm64"),
            (&["macosx_10_9_x86_64.macosx_10_10_x86_64", "macosx_11_0_arm64"], "macosx_10_9_universal2"),
            (&["macosx_10_6_intel", "macosx_11_0_arm64"], "macosx_10_6_universal2.macosx_10_6_i386"),
            (&["macosx_10_9_universal2", "macosx_12_0_arm64"], "macosx_10_9_x86_64.macosx_12_0_arm64"),
        ] {
            assert_eq!(merged(claimed), expected, "{claimed:?}");
        }
    }

    #[test]
    fn any_order_of_the_parts_gives_the_same_bytes() {
        let file = |arch| Handmade::dylib(arch).build();
        let (intel, arm, other) =
            (file(Arch::X86_64), file(Arch::ARM64), file(Arch { cpusubtype: 2, ..Arch::ARM64 }));
        let all = Lipo.files(&[&intel, &arm, &other]).unwrap();
        assert_eq!(Lipo.files(&[&other, &arm, &intel]).unwrap(), all);
        let two = Lipo.files(&[&other, &intel]).unwrap();
        assert_eq!(Lipo.files(&[&two, &arm]).unwrap(), all);
        let facts = MachoFacts::read(&all).unwrap();
        let archs: Vec<String> = facts.slices.iter().map(|slice| slice.arch.to_string()).collect();
        assert_eq!(archs, ["x86_64", "arm64", "arm64e"]);
        for (slice, part) in facts.slices.iter().zip([&intel, &arm, &other]) {
            assert_eq!(all[slice.offset as usize..][..slice.size as usize], part[..]);
        }
        let error = Lipo.files(&[&two, &other]).unwrap_err().to_string();
        assert!(error.contains("two different files for arm64e"), "{error}");
    }
}
