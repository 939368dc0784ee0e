//! The file name of a wheel (PEP 427, "File name convention"; PEP 425 for compressed tag sets).

use std::fmt;

use crate::{Error, Result};

/// A wheel's file name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    dist: String,
    version: String,
    build: Option<String>,
    python: Vec<String>,
    abi: Vec<String>,
    platform: Vec<String>,
}

impl WheelName {
    /// Takes `GDAL-3.6.2-cp311-cp311-linux_x86_64.whl` apart; no directory may stand before it.
    ///
    /// # Errors
    /// When it is no valid name of a wheel; the message says which part.
    pub fn parse(file_name: &str) -> Result<Self, Error> {
        let refuse = |why: String| {
            Err(Error::new(format!("not a wheel's file name: {why}"))
                .at(file_name.escape_debug())
                .hint("it must be NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl"))
        };
        let Some(stem) = file_name.strip_suffix(".whl") else {
            return refuse("it does not end with .whl".to_owned());
        };
        let parts: Vec<&str> = stem.split('-').collect();
        let (dist, version, build, tags) = match parts.as_slice() {
            [dist, version, python, abi, platform] => (*dist, *version, None, [*python, *abi, *platform]),
            [dist, version, build, python, abi, platform] => {
                (*dist, *version, Some(*build), [*python, *abi, *platform])
            }
            _ => return refuse(format!("it has {} parts between dashes, not 5 or 6", parts.len())),
        };
        let word = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || more.contains(c))
        };
        if !word(dist, ".") || dist.starts_with('.') {
            return refuse(format!("the distribution's name `{}`", dist.escape_debug()));
        }
        if !word(version, ".!+") || version.starts_with('.') {
            return refuse(format!("the version `{}`", version.escape_debug()));
        }
        if let Some(build) = build
            && (!word(build, ".") || !build.starts_with(|c: char| c.is_ascii_digit()))
        {
            return refuse(format!("the build tag `{}` does not begin with a digit", build.escape_debug()));
        }
        let mut sets = tags.iter().map(|set| {
            let tags: Vec<String> = set.split('.').map(str::to_owned).collect();
            if tags.iter().all(|tag| word(tag, "")) { Ok(tags) } else { Err(set.escape_debug().to_string()) }
        });
        let (python, abi, platform) = match (sets.next(), sets.next(), sets.next()) {
            (Some(Ok(python)), Some(Ok(abi)), Some(Ok(platform))) => (python, abi, platform),
            (Some(Err(set)), ..) => return refuse(format!("the Python tag `{set}`")),
            (_, Some(Err(set)), _) => return refuse(format!("the ABI tag `{set}`")),
            (.., Some(Err(set))) => return refuse(format!("the platform tag `{set}`")),
            _ => return refuse("tags are missing".to_owned()),
        };
        Ok(WheelName {
            dist: dist.to_owned(),
            version: version.to_owned(),
            build: build.map(str::to_owned),
            python,
            abi,
            platform,
        })
    }

    /// The distribution part, as it is written.
    pub fn dist(&self) -> &str {
        &self.dist
    }

    /// The version part, as it is written.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The build tag.
    pub fn build(&self) -> Option<&str> {
        self.build.as_deref()
    }

    /// The Python tags: `cp311`.
    pub fn python(&self) -> &[String] {
        &self.python
    }

    /// The ABI tags: `cp311`, `abi3`, `none`.
    pub fn abi(&self) -> &[String] {
        &self.abi
    }

    /// Each interpreter with each ABI: `cp39-abi3`.
    pub fn pythons(&self) -> Vec<String> {
        let with_abis =
            |python: &String| self.abi.iter().map(|abi| format!("{python}-{abi}")).collect::<Vec<_>>();
        self.python.iter().flat_map(with_abis).collect()
    }

    /// The platform tags.
    pub fn platforms(&self) -> &[String] {
        &self.platform
    }

    /// The same name with other platform tags, in the order given, each once. None given: unchanged.
    #[must_use]
    pub fn with_platforms(&self, platforms: &[String]) -> Self {
        let mut new = self.clone();
        if !platforms.is_empty() {
            new.platform.clear();
            for tag in platforms {
                if !new.platform.contains(tag) {
                    new.platform.push(tag.clone());
                }
            }
        }
        new
    }

    /// Every single tag that the compressed sets stand for: `cp311-cp311-manylinux_2_17_x86_64`.
    pub fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for python in &self.python {
            for abi in &self.abi {
                tags.extend(self.platform.iter().map(|platform| format!("{python}-{abi}-{platform}")));
            }
        }
        tags
    }
}

impl fmt::Display for WheelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-", self.dist, self.version)?;
        if let Some(build) = &self.build {
            write!(f, "{build}-")?;
        }
        write!(f, "{}-{}-{}.whl", self.python.join("."), self.abi.join("."), self.platform.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for name in [
            "GDAL-3.6.2-cp311-cp311-linux_x86_64.whl",
            "demo-1.0-1abc-py2.py3-none-any.whl",
            "a.b_c-1!2.0+local.7-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ] {
            assert_eq!(WheelName::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn parts_and_tags() {
        let name = WheelName::parse("demo-1.0-7-py2.py3-none-linux_x86_64.linux_i686.whl").unwrap();
        assert_eq!((name.dist(), name.version(), name.build()), ("demo", "1.0", Some("7")));
        let expected =
            ["py2-none-linux_x86_64", "py2-none-linux_i686", "py3-none-linux_x86_64", "py3-none-linux_i686"];
        assert_eq!(name.tags(), expected);
        let new = name.with_platforms(&["x".to_owned(), "y".to_owned(), "x".to_owned()]);
        assert_eq!(new.to_string(), "demo-1.0-7-py2.py3-none-x.y.whl");
        assert_eq!(name.with_platforms(&[]), name);
    }

    #[test]
    fn refuses_with_the_part() {
        for (name, why) in [
            ("demo-1.0-py3-none-any.zip", "does not end with .whl"),
            ("demo-1.0-py3-any.whl", "4 parts"),
            ("a-b-c-1.0-py3-none-any.whl", "7 parts"),
            ("demo-1.0-b1-py3-none-any.whl", "build tag `b1`"),
            ("-1.0-py3-none-any.whl", "distribution's name ``"),
            ("../x-1.0-py3-none-any.whl", "distribution's name"),
            ("demo-1/0-py3-none-any.whl", "version `1/0`"),
            ("demo-1.0-py3.-none-any.whl", "Python tag `py3.`"),
            ("demo-1.0-py3-no ne-any.whl", "ABI tag `no ne`"),
            ("demo-1.0-py3-none-.whl", "platform tag ``"),
        ] {
            let error = WheelName::parse(name).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
