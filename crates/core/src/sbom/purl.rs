//! Package URLs (<https://github.com/package-url/purl-spec>).

/// `pkg:kind/namespace/name@version?key=value&…`, each part percent-encoded; empty parts are left out and the
/// qualifiers come in the order of their keys.
pub(super) fn purl(
    kind: &str,
    namespace: &str,
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> String {
    let mut text = format!("pkg:{kind}");
    for part in namespace.split('/').chain([name]) {
        if !part.is_empty() {
            text.push('/');
            encode(&mut text, part);
        }
    }
    if !version.is_empty() {
        text.push('@');
        encode(&mut text, version);
    }
    let mut qualifiers: Vec<_> = qualifiers.iter().filter(|(_, value)| !value.is_empty()).collect();
    qualifiers.sort();
    for (index, (key, value)) in qualifiers.into_iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        encode(&mut text, value);
    }
    text
}

/// The name of a Python project as an index writes it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
pub(super) fn project_name(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if text.ends_with('-') => {}
            '-' | '_' | '.' => text.push('-'),
            c => text.extend(c.to_lowercase()),
        }
    }
    text
}

fn encode(text: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            // The specification leaves the colon of an epoch as it is.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_encoded_and_sorted() {
        assert_eq!(
            purl(
                "deb",
                "debian",
                "libstdc++6",
                "1:12.2~rc+deb12u1",
                &[("distro", "debian-12"), ("arch", "amd64"), ("x", "")]
            ),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2~rc%2Bdeb12u1?arch=amd64&distro=debian-12"
        );
        assert_eq!(purl("generic", "", "a/b ü", "", &[]), "pkg:generic/a%2Fb%20%C3%BC");
        assert_eq!(project_name("Foo__Bar.-baz"), "foo-bar-baz");
    }
}
