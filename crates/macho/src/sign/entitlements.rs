//! Entitlements that only a provisioning profile grants: a program that claims one with an ad-hoc signature is killed.

use memchr::memmem;

/// Keys, or beginnings of keys, that macOS takes from a profile of the signing team only (Apple, TN3125: *Inside Code
/// Signing: Provisioning Profiles*, "restricted entitlements").
const RESTRICTED: &[&str] = &[
    "application-identifier",
    "com.apple.application-identifier",
    "com.apple.developer.",
    "com.apple.private.",
    "com.apple.rootless.",
    "com.apple.vm.device-access",
    "com.apple.vm.networking",
    "keychain-access-groups",
];

/// The restricted keys in the XML property list of an entitlements blob, in its order.
pub(super) fn restricted_keys(xml: &[u8]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for start in memmem::find_iter(xml, b"<key>") {
        let rest = xml.get(start + "<key>".len()..).unwrap_or_default();
        let key = memmem::find(rest, b"</key>").and_then(|end| std::str::from_utf8(rest.get(..end)?).ok());
        let key = key.map(str::trim).filter(|key| RESTRICTED.iter().any(|known| key.starts_with(known)));
        keys.extend(key.map(str::to_owned));
    }
    keys
}
