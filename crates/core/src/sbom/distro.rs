//! `os-release`: which distribution a sysroot holds.

use super::database::read_file;
use crate::Files;

/// The fields of `os-release`(5) that a package URL names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Distro {
    /// `ID`: `debian`; empty when unknown.
    id: String,
    /// `VERSION_ID`: `12`; empty when the distribution rolls.
    version: String,
}

impl Distro {
    /// Of `/etc/os-release`, else `/usr/lib/os-release`.
    pub(super) fn read(files: &Files) -> Self {
        let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|at| read_file(files, at));
        Distro::parse(&String::from_utf8_lossy(text.as_deref().unwrap_or_default()))
    }

    fn parse(text: &str) -> Self {
        let field = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        Distro { id: field("ID"), version: field("VERSION_ID") }
    }

    /// The `distro` qualifier: `debian-12`.
    pub(super) fn qualifier(&self) -> String {
        if self.version.is_empty() { self.id.clone() } else { format!("{}-{}", self.id, self.version) }
    }

    /// The namespace, which is the vendor where that is not the distribution's own name.
    pub(super) fn vendor(&self) -> &str {
        match &*self.id {
            "rhel" => "redhat",
            id if id.starts_with("opensuse-") => "opensuse",
            id => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quoted_and_plain_fields() {
        let debian = Distro::parse("PRETTY_NAME=\"x\"\nVERSION_ID=\"12\"\nID=debian\nID_LIKE=no\n");
        assert_eq!(debian, Distro { id: "debian".into(), version: "12".into() });
        assert_eq!(debian.qualifier(), "debian-12");
        assert_eq!(Distro::parse("ID='arch'\n").qualifier(), "arch");
        assert_eq!(Distro::parse("ID=opensuse-leap").vendor(), "opensuse");
        assert_eq!(Distro::parse(""), Distro::default());
    }
}
