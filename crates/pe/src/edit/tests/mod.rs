//! The editor on files built for the purpose, judged by pefile and LIEF, and by wine's loader where they are x64.

mod delay;
mod growth;
mod hostile;
mod inplace;
mod toolchains;

use std::path::Path;

use object::pe;
use spokeshave_testkit::python;

use crate::change::Changes;
use crate::fixtures::{Bench, MINGW, PROGRAM, TOOLCHAINS, Trio};
use crate::image::{Field, Image};

impl Bench {
    /// The file after `changes`: checked by ourselves, by pefile and by LIEF, and not changed by the same changes again.
    fn edited(&self, old: &[u8], changes: &Changes) -> Vec<u8> {
        let new = edited(old, changes);
        let paths = [self.put("judged.old", old), self.put("judged.new", &new)];
        let renamed: serde_json::Map<String, serde_json::Value> =
            changes.imports.iter().map(|(old, new)| (old.clone(), new.clone().into())).collect();
        let job = serde_json::json!({"old": paths[0], "new": paths[1], "renamed": renamed});
        judge(&job.to_string());
        new
    }
}

/// Hands one job to pefile and LIEF, which must have nothing to say.
fn judge(job: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/pe_judge.py");
    let jobs = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(jobs.path(), job).unwrap();
    let input = std::fs::File::open(jobs.path()).unwrap();
    let output = std::process::Command::new(python()).arg(script).stdin(input).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// The edited file, checked and compared with the old one.
fn edited(old: &[u8], changes: &Changes) -> Vec<u8> {
    let edits = super::patch(old, changes).unwrap();
    let new = spokeshave_core::apply(old, &edits).unwrap();
    super::verify(old, &new, changes).unwrap();
    assert_eq!(super::patch(&new, changes).unwrap(), [], "the same change again");
    new
}

fn renames(names: &[(&str, &str)]) -> Changes {
    Changes { imports: names.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect() }
}

/// Both renames that a trio needs.
fn hashed() -> Changes {
    renames(&[("part.dll", "part-0123abcd.dll"), ("ANSWER.DLL", "answer-89abcdef.dll")])
}

/// What it says of itself in the import table.
fn imports(bytes: &[u8]) -> Vec<String> {
    crate::PeFacts::read(bytes).unwrap().imports.into_iter().map(|import| import.name).collect()
}

fn put_u32(bytes: &mut [u8], at: u64, value: u32) {
    bytes[at as usize..at as usize + 4].copy_from_slice(&value.to_le_bytes());
}

/// The file with no zeros at the end of its sections: they all count as contents.
fn without_padding(bytes: &[u8]) -> Vec<u8> {
    let mut new = bytes.to_vec();
    for section in Image::parse(bytes).unwrap().sections {
        if section.size_of_raw_data > section.virtual_size {
            put_u32(&mut new, section.virtual_size_offset(), section.size_of_raw_data);
        }
    }
    with_checksum(new)
}

/// The file with its PE header moved up behind the DOS stub until `left` bytes are left behind the section table.
fn without_header_room(bytes: &[u8], left: u64) -> Vec<u8> {
    let image = Image::parse(bytes).unwrap();
    let (start, end) = (image.header.pe_offset as usize, image.header.section_table_end() as usize);
    let first = image.header.size_of_headers as u64;
    let shift = ((first - left - end as u64) & !7) as usize;
    let mut new = bytes.to_vec();
    new[start..start + shift].fill(0);
    new[start + shift..end + shift].copy_from_slice(&bytes[start..end]);
    put_u32(&mut new, 0x3c, (start + shift) as u32);
    with_checksum(new)
}

/// The file with a certificate table at its end, as a signing tool puts it there.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let image = Image::parse(bytes).unwrap();
    let entry = image.header.directory_offset(pe::IMAGE_DIRECTORY_ENTRY_SECURITY);
    let mut new = bytes.to_vec();
    new.resize(bytes.len().next_multiple_of(8), 0);
    let start = new.len() as u32;
    // WIN_CERTIFICATE: length, revision 2.0, PKCS #7, and what we care nothing about.
    new.extend(520u32.to_le_bytes());
    new.extend([0, 2, 2, 0]);
    new.extend([0x30; 512]);
    put_u32(&mut new, entry, start);
    put_u32(&mut new, entry + 4, 520);
    with_checksum(new)
}

/// The file with its checksum made right, if it has one.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let header = Image::parse(&bytes).unwrap().header.clone();
    let at = header.offset_of(Field::CheckSum);
    if header.check_sum != 0 {
        let sum = super::checksum::of(&bytes, at);
        put_u32(&mut bytes, at, sum);
    }
    bytes
}

fn section_count(bytes: &[u8]) -> usize {
    Image::parse(bytes).unwrap().sections.len()
}
