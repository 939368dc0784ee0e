//! Lines for `show`.

use spokeshave_core::Fact;

use crate::facts::{MachoFacts, SignatureFacts, Slice};
use crate::target::{archs, minimum};

/// `CS_RUNTIME` and `CS_LINKER_SIGNED` of XNU's `cs_blobs.h`.
const HARDENED: u32 = 0x1_0000;
const LINKER_SIGNED: u32 = 0x2_0000;

/// What is worth knowing of a file; what its slices have in common stands once.
pub fn facts(facts: &MachoFacts) -> Vec<Fact> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            lines.push(Fact { label: label.to_owned(), value });
        }
    };
    line("architecture", archs(facts));
    line("minimum macOS", common(facts, |slice| minimum(slice).map(|version| version.to_string())));
    line("LC_ID_DYLIB", common(facts, |slice| slice.id.as_ref().map(|id| id.name.clone())));
    line("LC_RPATH", common(facts, |slice| (!slice.rpaths.is_empty()).then(|| slice.rpaths.join(":"))));
    line("signature", common(facts, |slice| slice.signature.as_ref().map(signature)));
    lines
}

/// The version that a library says of itself: the current version of its `LC_ID_DYLIB`, which linkers write as 0 when
/// nobody names one.
pub fn version(facts: &MachoFacts) -> Option<String> {
    let mut ids = facts.slices.iter().filter_map(|slice| slice.id.as_ref());
    let version = ids.next()?.current_version;
    (version != 0).then(|| format!("{}.{}.{}", version >> 16, (version >> 8) & 0xff, version & 0xff))
}

fn signature(signature: &SignatureFacts) -> String {
    let kind = match (signature.identity, signature.flags & LINKER_SIGNED != 0) {
        (true, _) => "by an identity",
        (false, true) => "ad hoc, by the linker",
        (false, false) => "ad hoc",
    };
    let hardened = if signature.flags & HARDENED != 0 { ", hardened runtime" } else { "" };
    format!("{kind}{hardened} ({})", signature.identifier)
}

/// The value of all slices, or each with its processor.
fn common(facts: &MachoFacts, of: impl Fn(&Slice) -> Option<String>) -> String {
    let values: Vec<(&Slice, String)> =
        facts.slices.iter().filter_map(|slice| Some((slice, of(slice)?))).collect();
    match values.as_slice() {
        [] => String::new(),
        [(_, first), rest @ ..]
            if values.len() == facts.slices.len() && rest.iter().all(|(_, value)| value == first) =>
        {
            first.clone()
        }
        _ => {
            let each = values.iter().map(|(slice, value)| format!("{value} ({})", slice.arch));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}
