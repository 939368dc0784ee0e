//! Where code may first stand in a Python source file: behind shebang, encoding declaration, comments, docstring and
//! `__future__` imports ("The Python Language Reference", 2 and 7.11.1; PEP 263).

use std::ops::Range;

use spokeshave_core::{Error, Result};

/// Where code is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bytes that it replaces: none, or what parts two statements of one line.
    pub range: Range<usize>,
    /// Whether the line before it must be ended first.
    pub ends_line: bool,
}

/// The first place for code in `source`.
///
/// # Errors
/// When a string or bracket has no end.
pub fn place(source: &[u8]) -> Result<Place> {
    let mut scanner = Scanner::new(source);
    let mut place = None;
    let mut first = true;
    loop {
        scanner.skip_blank();
        let start = scanner.at;
        let known = (first && scanner.docstring()?) || {
            scanner.at = start;
            scanner.future_import()?
        };
        if !known {
            let line = scanner.line_start(start);
            return Ok(place.unwrap_or_else(|| scanner.before(line)));
        }
        first = false;
        place = Some(scanner.end_of_statement());
    }
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    /// Whether a byte is the first of a pair whose second may look like ASCII.
    leads: fn(u8) -> bool,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a [u8]) -> Self {
        let at = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Scanner { source, at, leads: pairs(source) }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn looks_at(&self, text: &[u8]) -> bool {
        self.source.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn line_start(&self, at: usize) -> usize {
        let before = self.source.get(..at).unwrap_or_default();
        let bom = if self.source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(bom, |at| at + 1)
    }

    /// The place at `at`, the beginning of a line or the end of the file.
    fn before(&self, at: usize) -> Place {
        let at = if self.at >= self.source.len() { self.source.len() } else { at };
        let last = self.source.get(..at).and_then(|before| before.last());
        let ends_line = last.is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) && at > 3;
        Place { range: at..at, ends_line }
    }

    /// Goes to the next statement.
    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | 0x0c | b'\n' | b'\r' => self.at += 1,
                b'#' => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes over spaces and joined lines; over line ends and comments too within brackets.
    fn skip_spaces(&mut self, brackets: usize) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | 0x0c => self.at += 1,
                b'\\' if self.looks_at(b"\\\r\n") => self.at += 3,
                b'\\' if self.looks_at(b"\\\n") || self.looks_at(b"\\\r") => self.at += 2,
                b'\n' | b'\r' if brackets > 0 => self.at += 1,
                b'#' if brackets > 0 => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n' | b'\r' | b';' | b'#'))
    }

    /// Goes to the end of a statement that is a string and nothing else; whether it is one.
    fn docstring(&mut self) -> Result<bool> {
        let (mut brackets, mut strings) = (0_usize, 0);
        loop {
            self.skip_spaces(brackets);
            match self.peek() {
                _ if brackets == 0 && self.at_end() => return Ok(strings > 0),
                Some(b'(') if strings == 0 => brackets += 1,
                Some(b')') if brackets > 0 && strings > 0 => brackets -= 1,
                Some(_) if self.string()? => {
                    strings += 1;
                    continue;
                }
                _ => return Ok(false),
            }
            self.at += 1;
        }
    }

    /// Goes over a string literal that can be part of a docstring; whether there is one.
    fn string(&mut self) -> Result<bool> {
        let start = self.at;
        let rest = self.source.get(start..).unwrap_or_default();
        let prefix = rest.iter().take_while(|byte| matches!(byte, b'r' | b'R' | b'u' | b'U')).take(2).count();
        let Some(quote) = rest.get(prefix).copied().filter(|byte| matches!(byte, b'"' | b'\'')) else {
            return Ok(false);
        };
        let triple = [quote; 3];
        self.at = start + prefix;
        let long = self.looks_at(&triple);
        self.at += if long { 3 } else { 1 };
        loop {
            match self.peek() {
                Some(_) if long && self.looks_at(&triple) => {
                    self.at += 3;
                    return Ok(true);
                }
                Some(byte) if !long && byte == quote => {
                    self.at += 1;
                    return Ok(true);
                }
                Some(b'\\') if self.looks_at(b"\\\r\n") => self.at += 3,
                Some(b'\\') => self.at += 2,
                Some(b'\n' | b'\r') if !long => break,
                Some(byte) if (self.leads)(byte) => self.at += 2,
                Some(_) => self.at += 1,
                None => break,
            }
        }
        Err(Error::new("a string has no end")
            .offset(start as u64)
            .hint("this is no valid Python source")
            .into())
    }

    /// Goes to the end of `from __future__ import …`; whether there is one.
    fn future_import(&mut self) -> Result<bool> {
        let start = self.at;
        for word in [&b"from"[..], b"__future__", b"import"] {
            if !self.looks_at(word) {
                return Ok(false);
            }
            self.at += word.len();
            if self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Ok(false);
            }
            self.skip_spaces(0);
        }
        let mut brackets = 0_usize;
        loop {
            self.skip_spaces(brackets);
            match self.peek() {
                _ if brackets == 0 && self.at_end() => return Ok(true),
                Some(b'(') => brackets += 1,
                Some(b')') => brackets = brackets.saturating_sub(1),
                Some(_) => {}
                None => {
                    let error = Error::new("a bracket has no end").offset(start as u64);
                    return Err(error.hint("this is no valid Python source").into());
                }
            }
            self.at += 1;
        }
    }

    /// Goes behind the end of the statement that ends here.
    fn end_of_statement(&mut self) -> Place {
        let end = self.at;
        if self.peek() == Some(b';') {
            self.at += 1;
            self.skip_spaces(0);
            if !self.at_end() {
                return Place { range: end..self.at, ends_line: true };
            }
            while self.peek() == Some(b';') {
                self.at += 1;
                self.skip_spaces(0);
            }
        }
        if self.peek() == Some(b'#') {
            self.skip_comment();
        }
        match self.peek() {
            None => return Place { range: self.at..self.at, ends_line: true },
            Some(_) if self.looks_at(b"\r\n") => self.at += 2,
            Some(_) => self.at += 1,
        }
        Place { range: self.at..self.at, ends_line: false }
    }
}

/// Which bytes lead a pair in the encoding that `source` declares in its first two lines.
fn pairs(source: &[u8]) -> fn(u8) -> bool {
    let lines = source.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()).take(2);
    for line in lines {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase().replace('_', "-");
        let comment = line.trim_start_matches([' ', '\t', '\u{c}', '\u{feff}']).starts_with('#');
        let Some((_, rest)) = line.split_once("coding").filter(|_| comment) else { continue };
        let Some(rest) = rest.strip_prefix([':', '=']) else { continue };
        let rest = rest.trim_start();
        let name =
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))).next().unwrap_or_default();
        return match name {
            "shift-jis" | "sjis" | "shiftjis" | "cp932" | "ms932" | "mskanji" | "ms-kanji"
            | "shift-jisx0213" | "shift-jis-2004" => |byte| matches!(byte, 0x81..=0x9f | 0xe0..=0xfc),
            "gbk" | "cp936" | "ms936" | "gb18030" | "big5" | "big5hkscs" | "big5-hkscs" | "cp950"
            | "ms950" | "johab" | "cp1361" => |byte| byte >= 0x81,
            _ => |_| false,
        };
    }
    |_| false
}
