//! Documents that are there already: read again, and made one when wheels are merged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::SBOM_FILE;
use super::document::{CARRIED_SHA256, Described, hex, text};
use crate::{Error, Result};

/// What a document that is there already lists.
#[derive(Default)]
pub(super) struct Existing {
    /// The `bom-ref` of the wheel.
    pub(super) root: String,
    /// By their `bom-ref`.
    pub(super) components: BTreeMap<String, Value>,
    /// What each of them needs.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
}

impl Existing {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let refused = |why: String| {
            Error::new(why)
                .at(SBOM_FILE)
                .hint("the wheel's bill of materials is damaged; build the wheel again or use --no-sbom")
        };
        let document: Value =
            serde_json::from_slice(bytes).map_err(|error| refused(format!("not JSON: {error}")))?;
        if document["bomFormat"] != "CycloneDX" {
            return Err(refused("not a CycloneDX document".to_owned()).into());
        }
        let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut existing = Existing {
            root: text(&document["metadata"]["component"]["bom-ref"]).unwrap_or_default(),
            ..Existing::default()
        };
        for component in list("components") {
            if component.is_object() {
                let key = text(&component["bom-ref"]).unwrap_or_else(|| component.to_string());
                existing.components.insert(key, component);
            }
        }
        for dependency in list("dependencies") {
            if let Some(bom_ref) = text(&dependency["ref"]) {
                let refs = dependency["dependsOn"].as_array().into_iter().flatten().filter_map(text);
                existing.needs.entry(bom_ref).or_default().extend(refs);
            }
        }
        Ok(existing)
    }
}

/// One document of those of several wheels that are merged: it lists what any of them lists.
///
/// What several list under one path was joined if it differs: it has the hashes of all its originals, and `written`
/// tells the sha256 that it has now.
///
/// # Errors
/// When one of them is no CycloneDX document.
pub fn merge(
    described: &Described<'_>,
    existing: &[&[u8]],
    written: &dyn Fn(&str) -> Option<[u8; 32]>,
) -> Result<Vec<u8>> {
    let mut all = Existing::default();
    let mut carried = BTreeSet::new();
    for document in existing {
        let mut next = Existing::parse(document)?;
        carried.extend(next.needs.remove(&next.root).unwrap_or_default());
        for (bom_ref, refs) in next.needs {
            all.needs.entry(bom_ref).or_default().extend(refs);
        }
        for (bom_ref, component) in next.components {
            match all.components.get_mut(&bom_ref) {
                Some(known) if *known != component => unite(known, component, written(&bom_ref)),
                Some(_) => {}
                None => {
                    all.components.insert(bom_ref, component);
                }
            }
        }
    }
    text(described, all.components, all.needs, carried)
}

fn unite(known: &mut Value, other: Value, written: Option<[u8; 32]>) {
    let hashes = known.get_mut("hashes").and_then(Value::as_array_mut);
    if let (Some(known), Some(hashes)) = (hashes, other["hashes"].as_array()) {
        for hash in hashes {
            if !known.contains(hash) {
                known.push(hash.clone());
            }
        }
    }
    let properties = known.get_mut("properties").and_then(Value::as_array_mut);
    for property in properties.into_iter().flatten().filter(|property| property["name"] == CARRIED_SHA256) {
        if let (Some(sha256), Some(value)) = (&written, property.get_mut("value")) {
            *value = hex(sha256).into();
        }
    }
}
