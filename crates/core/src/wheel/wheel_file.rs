//! `WHEEL`: headers as in an e-mail (PEP 427, "Contents of the .dist-info directory").

use std::collections::BTreeSet;
use std::ops::Range;

use crate::{Error, Result};

/// The file `WHEEL`, with every byte kept that is not asked to change.
#[derive(Debug, Clone)]
pub struct WheelFile {
    text: String,
    fields: Vec<Field>,
    /// Where the headers end and a body, if any, begins.
    end: usize,
    newline: &'static str,
}

#[derive(Debug, Clone)]
struct Field {
    key: String,
    value: String,
    /// Its lines, their ends included.
    lines: Range<usize>,
}

impl WheelFile {
    /// Reads it; `name` is for messages.
    ///
    /// # Errors
    /// When it is not UTF-8, a line is no header, or its major version is not 1.
    pub fn parse(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let text = String::from_utf8(bytes).map_err(|error| {
            Error::new("is not UTF-8")
                .at(name)
                .offset(error.utf8_error().valid_up_to() as u64)
                .hint("build the wheel again")
        })?;
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut fields: Vec<Field> = Vec::new();
        let mut at = 0;
        let mut end = text.len();
        for line in text.split_inclusive('\n') {
            let lines = at..at + line.len();
            at = lines.end;
            let content = line.trim_end_matches(['\r', '\n']);
            if content.trim().is_empty() {
                end = lines.start;
                break;
            }
            if content.starts_with([' ', '\t'])
                && let Some(last) = fields.last_mut()
            {
                last.value.push(' ');
                last.value.push_str(content.trim());
                last.lines.end = lines.end;
                continue;
            }
            let Some((key, value)) = content.split_once(':') else {
                return Err(Error::new(format!("`{}` is no header line", content.escape_debug()))
                    .at(name)
                    .offset(lines.start as u64)
                    .hint("build the wheel again")
                    .into());
            };
            fields.push(Field { key: key.trim().to_owned(), value: value.trim().to_owned(), lines });
        }
        let file = WheelFile { text, fields, end, newline };
        let version = file.get("Wheel-Version").unwrap_or_default();
        if version.split('.').next() != Some("1") {
            return Err(Error::new(format!(
                "Wheel-Version is `{}`, only 1 is understood",
                version.escape_debug()
            ))
            .at(name)
            .hint("a newer program may understand it")
            .into());
        }
        Ok(file)
    }

    /// The first value of a header, its name in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.key.eq_ignore_ascii_case(key)).map(|field| field.value.as_str())
    }

    /// The `Tag` lines, compressed sets taken apart, in order.
    pub fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for field in self.fields.iter().filter(|field| field.key.eq_ignore_ascii_case("Tag")) {
            match field.value.split('-').collect::<Vec<_>>().as_slice() {
                [python, abi, platform] => {
                    for python in python.split('.') {
                        for abi in abi.split('.') {
                            tags.extend(
                                platform.split('.').map(|platform| format!("{python}-{abi}-{platform}")),
                            );
                        }
                    }
                }
                _ => tags.push(field.value.clone()),
            }
        }
        tags
    }

    /// `Root-Is-Purelib`; anything but `true` counts as false, as in pip.
    pub fn root_is_purelib(&self) -> bool {
        self.get("Root-Is-Purelib").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The file with exactly these tags, one a line, and `Root-Is-Purelib` set if asked for. Lines that say the
    /// right thing already stay as they are, so do all other lines and the kind of line ends.
    pub fn with_tags(&self, tags: &[String], root_is_purelib: Option<bool>) -> Vec<u8> {
        let set = |tags: &[String]| tags.iter().cloned().collect::<BTreeSet<_>>();
        let tags_wanted = (set(&self.tags()) != set(tags)).then(|| ("Tag", tags.to_vec()));
        let purelib_wanted = root_is_purelib.filter(|&pure| {
            pure != self.root_is_purelib() || (!pure && self.get("Root-Is-Purelib").is_none())
        });
        let purelib_wanted = purelib_wanted.map(|pure| ("Root-Is-Purelib", vec![pure.to_string()]));
        let mut wanted: Vec<(&str, Vec<String>)> = tags_wanted.into_iter().chain(purelib_wanted).collect();
        if wanted.is_empty() {
            return self.text.clone().into_bytes();
        }
        let mut head = String::with_capacity(self.text.len());
        for field in &self.fields {
            match wanted.iter_mut().find(|(key, _)| field.key.eq_ignore_ascii_case(key)) {
                // The first line of the key takes all values, the others go.
                Some((key, values)) => {
                    values.drain(..).for_each(|value| self.push_line(&mut head, key, &value))
                }
                None => head.push_str(self.text.get(field.lines.clone()).unwrap_or_default()),
            }
        }
        for (key, values) in wanted {
            for value in values {
                if !head.is_empty() && !head.ends_with('\n') {
                    head.push_str(self.newline);
                }
                self.push_line(&mut head, key, &value);
            }
        }
        head.push_str(self.text.get(self.end..).unwrap_or_default());
        head.into_bytes()
    }

    fn push_line(&self, text: &mut String, key: &str, value: &str) {
        text.push_str(&format!("{key}: {value}{}", self.newline));
    }
}
