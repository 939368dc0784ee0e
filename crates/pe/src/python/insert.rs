//! The code in a source file: once, where it belongs; what an earlier repair has put there is replaced.

use std::ops::Range;

use spokeshave_core::{Edit, Result};

use super::code::{END, START};
use super::scan::place;

/// The code for a kind of line end and an indentation.
pub type Block<'a> = &'a dyn Fn(&str, &str) -> Vec<u8>;

/// The edits that put the code to the head of `source`; none when it is there.
///
/// # Errors
/// When `source` can't be understood.
pub fn at_head(source: &[u8], block: Block<'_>) -> Result<Vec<Edit>> {
    let newline = newline(source);
    let block = block(newline, "");
    let lines = lines(source);
    if let Some(present) = present(source, &lines, 0) {
        return Ok(replace(source, present, block));
    }
    let place = place(source)?;
    let mut bytes = Vec::with_capacity(block.len() + 2 * newline.len());
    if place.ends_line {
        bytes.extend_from_slice(newline.as_bytes());
    }
    bytes.extend_from_slice(&block);
    if place.range.end < source.len() {
        bytes.extend_from_slice(newline.as_bytes());
    }
    Ok(vec![Edit::new(place.range.start as u64..place.range.end as u64, bytes)])
}

/// The edits that put the code behind each comment that asks for it; `None` when there is no such comment.
///
/// # Errors
/// None at present.
pub fn at_marks(source: &[u8], block: Block<'_>) -> Result<Option<Vec<Edit>>> {
    let newline = newline(source);
    let lines = lines(source);
    let mut found = false;
    let mut edits = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let bytes = source.get(line.clone()).unwrap_or_default();
        let Some(indent) = mark(bytes) else { continue };
        found = true;
        let block = block(newline, indent);
        let next = lines.get(index + 1).and_then(|next| source.get(next.clone()));
        if next.is_some_and(|next| next.trim_ascii() == START.as_bytes())
            && let Some(present) = present(source, &lines, index + 1)
        {
            edits.extend(replace(source, present, block));
            continue;
        }
        let ended = bytes.ends_with(b"\n") || bytes.ends_with(b"\r");
        let first = if ended { "" } else { newline };
        edits.push(Edit::new(line.end as u64..line.end as u64, [first.as_bytes(), &block].concat()));
    }
    Ok(found.then_some(edits))
}

/// The indentation of `# spokeshave: patch`, and of delvewheel's own mark; `None` for any other line.
fn mark(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    let (indent, rest) = text.split_at_checked(text.find('#')?)?;
    let (tool, what) = rest.trim_start_matches('#').trim().split_once(':')?;
    let asks = matches!(tool.trim(), "spokeshave" | "delvewheel") && what.trim() == "patch";
    (asks && indent.trim().is_empty()).then_some(indent)
}

/// The lines with their ends; a byte order mark is no part of the first.
fn lines(source: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut at = start;
    while let Some(byte) = source.get(at) {
        at += 1;
        if *byte == b'\n' || (*byte == b'\r' && source.get(at) != Some(&b'\n')) {
            lines.push(start..at);
            start = at;
        }
    }
    if start < source.len() {
        lines.push(start..source.len());
    }
    lines
}

/// The bytes of the first code of an earlier repair at or behind the line `from`.
fn present(source: &[u8], lines: &[Range<usize>], from: usize) -> Option<Range<usize>> {
    let is = |line: &Range<usize>, text: &str| {
        source.get(line.clone()).is_some_and(|line| line.trim_ascii() == text.as_bytes())
    };
    let lines = lines.get(from..)?;
    let start = lines.iter().position(|line| is(line, START))?;
    let end = lines.get(start..)?.iter().find(|line| is(line, END))?;
    Some(lines.get(start)?.start..end.end)
}

fn replace(source: &[u8], present: Range<usize>, block: Vec<u8>) -> Vec<Edit> {
    if source.get(present.clone()).is_some_and(|old| old == block) {
        return Vec::new();
    }
    vec![Edit::new(present.start as u64..present.end as u64, block)]
}

/// How lines end: as the first one does.
fn newline(source: &[u8]) -> &'static str {
    match source.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(at) if source.get(at..at + 2) == Some(b"\r\n") => "\r\n",
        Some(at) if source.get(at) == Some(&b'\r') => "\r",
        _ => "\n",
    }
}
