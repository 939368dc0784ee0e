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
        let mut new = self.text.clone();
        // A change moves what follows, so the later one in the file goes first.
        let mut changes: Vec<(&str, Vec<String>)> = tags_wanted.into_iter().chain(purelib_wanted).collect();
        changes.sort_by_key(|(key, _)| std::cmp::Reverse(self.last_line_of(key)));
        for (key, values) in changes {
            self.replace(&mut new, key, &values);
        }
        new.into_bytes()
    }

    fn last_line_of(&self, key: &str) -> usize {
        let of_key = self.fields.iter().filter(|field| field.key.eq_ignore_ascii_case(key));
        of_key.map(|field| field.lines.start).max().unwrap_or(self.end)
    }

    /// Puts `values` where the key's first line is (or after the last header) and drops its other lines.
    fn replace(&self, text: &mut String, key: &str, values: &[String]) {
        let mut lines: String =
            values.iter().map(|value| format!("{key}: {value}{}", self.newline)).collect();
        let mut of_key: Vec<Range<usize>> = self
            .fields
            .iter()
            .filter(|field| field.key.eq_ignore_ascii_case(key))
            .map(|field| field.lines.clone())
            .collect();
        if of_key.is_empty() {
            if self.end > 0 && !self.text.get(..self.end).is_some_and(|head| head.ends_with('\n')) {
                lines.insert_str(0, self.newline);
            }
            of_key.push(self.end..self.end);
        }
        let first = of_key.remove(0);
        for range in of_key.into_iter().rev() {
            text.replace_range(range, "");
        }
        text.replace_range(first, &lines);
    }
}
