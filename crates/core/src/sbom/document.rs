//! The CycloneDX 1.6 document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::PackageOwner;
use super::existing::Existing;
use super::purl::{project_name, purl};
use crate::{PackagePath, Result};

/// The property that has the sha256 of the bytes in the package.
pub(super) const CARRIED_SHA256: &str = "spokeshave:carried:sha256";

/// What the document describes.
#[derive(Debug, Clone, Copy)]
pub enum Described<'a> {
    /// A wheel.
    Wheel(WheelId<'a>),
    /// A directory of programs and libraries.
    Bundle {
        /// The name of the whole.
        name: &'a str,
        /// As [`WheelId::timestamp`].
        timestamp: Option<u64>,
    },
}

impl Described<'_> {
    fn component(&self) -> Component {
        match self {
            Described::Wheel(wheel) => {
                let name = project_name(wheel.name);
                let purl = purl("pypi", "", &name, wheel.version, &[("file_name", wheel.file_name)]);
                Component {
                    kind: "library",
                    bom_ref: Some(purl.clone()),
                    name,
                    version: Some(wheel.version.to_owned()),
                    purl: Some(purl),
                    ..Component::default()
                }
            }
            Described::Bundle { name, .. } => Component {
                kind: "application",
                bom_ref: Some(purl("generic", "", name, "", &[])),
                name: (*name).to_owned(),
                ..Component::default()
            },
        }
    }

    fn timestamp(&self) -> Option<u64> {
        match self {
            Described::Wheel(wheel) => wheel.timestamp,
            Described::Bundle { timestamp, .. } => *timestamp,
        }
    }
}

/// The wheel that the document describes.
#[derive(Debug, Clone, Copy)]
pub struct WheelId<'a> {
    /// The distribution, as the file name or METADATA writes it.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The repaired wheel's file name.
    pub file_name: &'a str,
    /// Seconds since 1970 for the document's timestamp (`SOURCE_DATE_EPOCH`); `None` writes none.
    pub timestamp: Option<u64>,
}

/// A library that the wheel carries.
#[derive(Debug, Clone)]
pub struct Carried<'a> {
    /// The file name that it had.
    pub original: &'a str,
    /// Where it lies in the wheel.
    pub carried_path: &'a PackagePath,
    /// sha256 of the original bytes.
    pub sha256: [u8; 32],
    /// sha256 of the bytes in the wheel, if known.
    pub carried_sha256: Option<[u8; 32]>,
    /// Where it was found, links followed; the sysroot is part of it.
    pub host_path: &'a Path,
    /// Its version, if something other than the package database tells it.
    pub version: Option<String>,
    /// The carried libraries that it needs: indices into the slice that it is part of.
    pub needs: Vec<usize>,
}

/// The document, as JSON text; a function of its arguments and nothing else.
///
/// `owners` tells the package that a host path belongs to. `existing` is the [`SBOM_FILE`](super::SBOM_FILE) that a wheel has
/// already: what it lists is kept.
///
/// # Errors
/// When `existing` is no CycloneDX document.
pub fn build(
    described: &Described<'_>,
    carried: &[Carried<'_>],
    owners: &dyn Fn(&Path) -> Option<PackageOwner>,
    existing: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let existing = existing.map(Existing::parse).transpose()?.unwrap_or_default();
    let mut components = existing.components;
    let mut needs = existing.needs;
    let mut carried_refs = needs.remove(&existing.root).unwrap_or_default();
    for lib in carried {
        let bom_ref = lib.carried_path.as_str().to_owned();
        let refs = lib.needs.iter().filter_map(|&index| carried.get(index));
        let refs = refs.map(|needed| needed.carried_path.as_str().to_owned()).collect();
        components.insert(bom_ref.clone(), carried_component(lib, owners(lib.host_path)));
        needs.insert(bom_ref.clone(), refs);
        carried_refs.insert(bom_ref);
    }
    text(described, components, needs, carried_refs)
}

/// The text of a document: what is carried and needs what, and which of it the whole needs.
pub(super) fn text(
    described: &Described<'_>,
    components: BTreeMap<String, Value>,
    mut needs: BTreeMap<String, BTreeSet<String>>,
    carried_refs: BTreeSet<String>,
) -> Result<Vec<u8>> {
    let component = described.component();
    needs.insert(component.bom_ref.clone().unwrap_or_default(), carried_refs);
    let mut document = Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: Metadata {
            timestamp: described.timestamp().and_then(rfc3339),
            tools: Tools {
                components: [Component {
                    kind: "application",
                    name: "spokeshave".to_owned(),
                    version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                    ..Component::default()
                }],
            },
            component,
        },
        components: components.into_values().collect(),
        dependencies: needs
            .into_iter()
            .map(|(bom_ref, depends_on)| Dependency { bom_ref, depends_on })
            .collect(),
    };
    document.serial_number = Some(serial_number(&serde_json::to_vec(&document)?));
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

fn carried_component(lib: &Carried<'_>, owner: Option<PackageOwner>) -> Value {
    let mut properties = Vec::new();
    if let Some(sha256) = &lib.carried_sha256 {
        properties.push(Property::new(CARRIED_SHA256, hex(sha256)));
    }
    let mut version = lib.version.clone();
    let (mut purl, mut licenses) = (None, Vec::new());
    if let Some(owner) = owner {
        properties.push(Property::new("spokeshave:package:name", &owner.name));
        properties.push(Property::new("spokeshave:package:version", &owner.version));
        version = Some(owner.version);
        purl = Some(owner.purl);
        licenses.extend(owner.license.map(|name| LicenseChoice { license: License { name } }));
    }
    let component = Component {
        kind: "library",
        bom_ref: Some(lib.carried_path.as_str().to_owned()),
        name: lib.original.to_owned(),
        version,
        hashes: vec![Hash { alg: "SHA-256", content: hex(&lib.sha256) }],
        licenses,
        purl,
        pedigree: lib.carried_sha256.filter(|sha256| *sha256 != lib.sha256).map(|_| Pedigree {
            notes: "A copy of the file that `hashes` names, with the names and search paths of libraries rewritten.",
        }),
        evidence: Some(Evidence { occurrences: [Occurrence { location: lib.carried_path.as_str().to_owned() }] }),
        properties,
    };
    // A struct of text fields always becomes a value.
    serde_json::to_value(component).unwrap_or_default()
}

/// A UUID of version 8 (RFC 9562 §5.8) made of the content's sha256.
fn serial_number(content: &[u8]) -> String {
    let mut id = [0; 16];
    id.iter_mut().zip(Sha256::digest(content)).for_each(|(to, from)| *to = from);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let id = hex(&id);
    format!("urn:uuid:{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}

/// `2023-11-14T22:13:20Z`; `None` past the year 9999, which the format can't write.
fn rfc3339(seconds: u64) -> Option<String> {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut day) = (1970, days);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while year < 10_000 {
        let february = if leap(year) { 29 } else { 28 };
        for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
            if day < length {
                let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
                return Some(format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1));
            }
            day -= length;
        }
        year += 1;
    }
    None
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    components: Vec<Value>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    tools: Tools,
    component: Component,
}

#[derive(Serialize)]
struct Tools {
    components: [Component; 1],
}

#[derive(Serialize, Default)]
struct Component {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    bom_ref: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pedigree: Option<Pedigree>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

/// The databases write what their packagers wrote, which need not be an SPDX expression; a name may be any text.
#[derive(Serialize)]
struct LicenseChoice {
    license: License,
}

#[derive(Serialize)]
struct License {
    name: String,
}

#[derive(Serialize)]
struct Pedigree {
    notes: &'static str,
}

#[derive(Serialize)]
struct Evidence {
    occurrences: [Occurrence; 1],
}

#[derive(Serialize)]
struct Occurrence {
    location: String,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

impl Property {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Property { name, value: value.into() }
    }
}

#[derive(Serialize)]
struct Dependency {
    #[serde(rename = "ref")]
    bom_ref: String,
    #[serde(rename = "dependsOn", skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<String>,
}
