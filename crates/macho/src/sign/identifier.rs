//! The identifier of code that had none, by the rule of codesign.

use std::fmt::Write as _;

use apple_codesign::cryptography::DigestType;

/// codesign's choice for a file of this name.
///
/// The last extension goes; a trailing run of digits and dots ends before its first dot, the run's first character
/// apart; what has no dot left gets the code's unique name: `-55554944` (`UUID`) and the `LC_UUID` in hexadecimal.
/// Source: `DiskRep::canonicalIdentifier` and `Signer::prepare` of Security, and what published wheels carry.
pub(super) fn default_identifier(name: &str, unique: &[u8]) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let run = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len() + 1;
    let cut = stem.get(run..).and_then(|tail| tail.find('.')).map_or(stem.len(), |dot| run + dot);
    let mut identifier = stem.get(..cut).unwrap_or(stem).to_owned();
    if !identifier.contains('.') {
        identifier.push('-');
        for byte in unique {
            let _ = write!(identifier, "{byte:02x}");
        }
    }
    identifier
}

/// What `unique` is for code with this `LC_UUID`.
pub(super) fn unique_of_uuid(uuid: &[u8; 16]) -> Vec<u8> {
    [b"UUID".as_slice(), uuid].concat()
}

/// What `unique` is for code without one: the SHA-1 of its load commands.
pub(super) fn unique_of_code(load_commands: &[u8]) -> Vec<u8> {
    DigestType::Sha1.digest_data(load_commands).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names and identifiers stand so in published wheels.
    #[test]
    fn identifiers_as_codesign_chose_them() {
        let of = |name| default_identifier(name, &unique_of_uuid(&[0xab; 16]));
        let uuid = format!("-55554944{}", "ab".repeat(16));
        assert_eq!(of("libavif.16.4.2.dylib"), "libavif.16");
        assert_eq!(of("libgeos.3.14.1.dylib"), "libgeos.3");
        assert_eq!(of("libssl.3.dylib"), "libssl.3");
        assert_eq!(of("libz.1.3.1.zlib-ng.dylib"), "libz.1.3.1.zlib-ng");
        assert_eq!(of("liblcms2.2.dylib"), format!("liblcms2{uuid}"));
        assert_eq!(of("libgssapi_krb5.2.2.dylib"), format!("libgssapi_krb5{uuid}"));
        assert_eq!(of("lib.cpython-312-darwin.so"), "lib.cpython-312-darwin");
        assert_eq!(of("libscipy_openblas64_.dylib"), format!("libscipy_openblas64_{uuid}"));
        assert_eq!(of("pkg/tool"), format!("tool{uuid}"));
    }
}
