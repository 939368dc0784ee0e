//! Apple is the oracle: the signatures that its codesign left in published wheels, made again, byte for byte.
//!
//! The wheels are those of `tests/tools/macos-wheels`; the load commands are read by goblin.

use std::path::{Path, PathBuf};

use goblin::mach::load_command::CommandVariant;
use goblin::mach::{Mach, MachO, fat};
use spokeshave_macho::Arch;
use spokeshave_macho::sign::{Code, Signature, Signing};
use spokeshave_testkit::{Macho, macos_wheel};

/// `CSMAGIC_CODEDIRECTORY`
const CODE_DIRECTORY: [u8; 4] = [0xfa, 0xde, 0x0c, 0x02];
const CS_ADHOC: u32 = 0x2;
const CS_LINKER_SIGNED: u32 = 0x2_0000;

/// A signed slice.
struct Slice<'a> {
    name: String,
    bytes: &'a [u8],
    code: Code<'a>,
    dataoff: usize,
    signature: &'a [u8],
    /// Where `datasize` of `LC_CODE_SIGNATURE` and `filesize` of `__LINKEDIT` stand.
    sizes: (usize, usize),
}

impl Slice<'_> {
    /// The signature that we make: with `old` in mind, or as for code that has none.
    fn signing(&self, old: Option<&Signature<'_>>) -> (String, Vec<u8>) {
        let signing = Signing::new(&self.code, old);
        let datasize = u32::try_from(self.signature.len()).unwrap();
        assert!(signing.size(self.dataoff as u64).unwrap() <= datasize, "{}", self.name);
        let code = &self.bytes[..self.dataoff];
        (signing.identifier().to_owned(), signing.superblob(&[code], datasize).unwrap())
    }
}

/// Every signed slice of the unpacked wheels.
fn each_signed_slice(mut with: impl FnMut(&Slice<'_>)) {
    let root = macos_wheel("");
    let mut directories = vec![root];
    while let Some(directory) = directories.pop() {
        let mut entries: Vec<PathBuf> =
            fs_err::read_dir(&directory).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "so" || e == "dylib") {
                let bytes = fs_err::read(&path).unwrap();
                signed_slices(&path, &bytes).iter().for_each(&mut with);
            }
        }
    }
}

fn signed_slices<'a>(path: &'a Path, bytes: &'a [u8]) -> Vec<Slice<'a>> {
    let whole = fat::FatArch { size: u32::try_from(bytes.len()).unwrap(), ..fat::FatArch::default() };
    let arches = match Mach::parse(bytes).unwrap() {
        Mach::Fat(fat) => fat.iter_arches().map(Result::unwrap).collect(),
        Mach::Binary(_) => vec![whole],
    };
    arches.iter().filter_map(|arch| signed_slice(path, arch.slice(bytes))).collect()
}

fn signed_slice<'a>(path: &'a Path, bytes: &'a [u8]) -> Option<Slice<'a>> {
    let macho = MachO::parse(bytes, 0).unwrap();
    let (mut signature, mut uuid, mut text, mut linkedit) = (None, None, (0, 0), 0);
    for command in &macho.load_commands {
        match command.command {
            CommandVariant::CodeSignature(c) => signature = Some((c, command.offset + 12)),
            CommandVariant::Uuid(c) => uuid = Some(c.uuid),
            CommandVariant::Segment64(c) if c.segname.starts_with(b"__TEXT\0") => {
                text = (c.fileoff, c.filesize)
            }
            CommandVariant::Segment64(c) if c.segname.starts_with(b"__LINKEDIT\0") => {
                linkedit = command.offset + 48
            }
            _ => {}
        }
    }
    let (signature, datasize_at) = signature?;
    let (dataoff, datasize) = (signature.dataoff as usize, signature.datasize as usize);
    let plist = macho
        .segments
        .sections()
        .flatten()
        .map(Result::unwrap)
        .find(|(s, _)| s.name().unwrap() == "__info_plist");
    let code = Code {
        arch: Arch { cputype: macho.header.cputype, cpusubtype: macho.header.cpusubtype },
        filetype: macho.header.filetype,
        exec_segment: text,
        uuid,
        load_commands: &bytes[32..32 + macho.header.sizeofcmds as usize],
        info_plist: plist.map(|(_, contents)| contents),
        file_name: path.file_name().unwrap().to_str().unwrap(),
    };
    let name = format!("{} {:#x}", path.display(), code.arch.cputype);
    let signature = &bytes[dataoff..dataoff + datasize];
    Some(Slice { name, bytes, code, dataoff, signature, sizes: (datasize_at, linkedit) })
}

#[test]
fn the_signatures_of_codesign_come_out_byte_for_byte() {
    let (mut count, mut with_sha1, mut padding) = (0, 0, 0);
    each_signed_slice(|slice| {
        let old = Signature::read(slice.signature, slice.dataoff as u64).unwrap();
        if old.directory().unwrap().flags != CS_ADHOC {
            return;
        }
        let (_, new) = slice.signing(Some(&old));
        assert_eq!(old.directory().unwrap().code_limit, slice.dataoff as u64, "{}", slice.name);
        // Behind the superblob codesign leaves what the file had there.
        let length = u32::from_be_bytes(new[4..8].try_into().unwrap()) as usize;
        assert!(
            new[..length] == slice.signature[..length],
            "{}: the signature differs from Apple's",
            slice.name
        );
        padding += usize::from(new != slice.signature);
        assert!(Signing::new(&slice.code, Some(&old)).lost().is_empty(), "{}", slice.name);
        // The name that codesign chose by itself.
        let (identifier, _) = slice.signing(None);
        assert_eq!(identifier, old.directory().unwrap().identifier, "{}", slice.name);
        count += 1;
        with_sha1 += new[12..length].windows(4).filter(|word| *word == CODE_DIRECTORY).count() - 1;
    });
    println!(
        "{count} signatures, {with_sha1} with SHA-1 beside SHA-256, {padding} with leftovers behind the superblob"
    );
    assert!(count >= 60, "only {count} slices that codesign signed");
}

#[test]
fn linker_signatures_become_plain_ones_with_the_same_page_hashes() {
    let mut count = 0;
    each_signed_slice(|slice| {
        let old = Signature::read(slice.signature, slice.dataoff as u64).unwrap();
        let old = (old.directory().unwrap(), &old);
        if old.0.flags != CS_ADHOC | CS_LINKER_SIGNED {
            return;
        }
        let signing = Signing::new(&slice.code, Some(old.1));
        let datasize = signing.size(slice.dataoff as u64).unwrap();
        let new = signing.superblob(&[&slice.bytes[..slice.dataoff]], datasize).unwrap();
        let new = Signature::read(&new, 0).unwrap();
        let new = new.directory().unwrap();
        assert_eq!(new.flags, CS_ADHOC, "{}", slice.name);
        assert_eq!(new.identifier, old.0.identifier, "{}", slice.name);
        assert!(new.code_hashes() == old.0.code_hashes(), "{}: page hashes differ", slice.name);
        count += 1;
    });
    println!("{count} signatures by the linker");
    assert!(count >= 20, "only {count} slices that the linker signed");
}

/// Without the 18,000 bytes that codesign reserves the sizes in the first page differ, and its hash with them.
#[test]
fn a_smaller_signature_changes_the_hash_of_the_first_page_only() {
    let mut count = 0;
    each_signed_slice(|slice| {
        let old = Signature::read(slice.signature, slice.dataoff as u64).unwrap();
        let old_directory = old.directory().unwrap();
        if old_directory.flags != CS_ADHOC {
            return;
        }
        let signing = Signing::new(&slice.code, Some(&old));
        let datasize = signing.size(slice.dataoff as u64).unwrap();
        let saved = slice.signature.len() as u64 - u64::from(datasize);
        // The first page in two pieces, the rest not copied.
        let mut page = slice.bytes[..0x1000].to_vec();
        page[slice.sizes.0..][..4].copy_from_slice(&datasize.to_le_bytes());
        let filesize = u64::from_le_bytes(page[slice.sizes.1..][..8].try_into().unwrap()) - saved;
        page[slice.sizes.1..][..8].copy_from_slice(&filesize.to_le_bytes());
        let (head, tail) = page.split_at(777);
        let new = signing.superblob(&[head, tail, &slice.bytes[0x1000..slice.dataoff]], datasize).unwrap();
        let new = Signature::read(&new, 0).unwrap();
        let (new, old) = (new.directory().unwrap(), old_directory);
        let first = old.bytes().len() - old.code_hashes().len();
        assert!(new.bytes()[..first] == old.bytes()[..first], "{}", slice.name);
        assert!(new.bytes()[first..first + 32] != old.bytes()[first..first + 32], "{}", slice.name);
        assert!(new.bytes()[first + 32..] == old.bytes()[first + 32..], "{}", slice.name);
        count += 1;
    });
    assert!(count >= 60, "only {count} slices that codesign signed");
}

/// The node that playwright brings is signed by its makers, for the hardened runtime.
#[test]
#[ignore = "47 MB of downloads"]
fn a_real_identity_goes_and_is_told() {
    let path = macos_wheel("playwright-1.65.2-py3-none-macosx_11_0_arm64").join("playwright/driver/node");
    let bytes = fs_err::read(&path).unwrap();
    let slices = signed_slices(&path, &bytes);
    let slice = &slices[0];
    let before = Macho::of(&path).slices.remove(0).signature.unwrap();
    assert!(before.cms > 1000 && before.flags == 0x1_0000 && before.entitlements.contains("allow-jit"));

    let old = Signature::read(slice.signature, 0).unwrap();
    let lost: Vec<String> =
        Signing::new(&slice.code, Some(&old)).lost().iter().map(ToString::to_string).collect();
    let team = format!("the signature by team {}", before.team.unwrap());
    assert_eq!(lost, [&team, "the hardened runtime", "the requirements that name its identity"]);

    let (_, signature) = slice.signing(Some(&old));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node");
    fs_err::write(&file, [&bytes[..slice.dataoff], &signature].concat()).unwrap();
    let after = Macho::of(&file).slices.remove(0).signature.unwrap();
    assert_eq!((after.flags, after.cms), (CS_ADHOC, 0));
    assert_eq!((after.identifier, after.page), (before.identifier, before.page));
    assert_eq!(after.entitlements, before.entitlements);
    assert_eq!(after.entitlements_der, before.entitlements_der);
}
