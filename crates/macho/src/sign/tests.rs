//! What is kept of an old signature, and that no bytes make the reader panic. apple-codesign writes the old signatures
//! and reads the new ones; `tests/signature.rs` compares with Apple's own.

use apple_codesign::cryptography::DigestType;
use apple_codesign::embedded_signature_builder::EmbeddedSignatureBuilder;
use apple_codesign::{
    BlobData, BlobWrapperBlob, CodeDirectoryBlob, CodeSignatureFlags, CodeSigningSlot, EmbeddedSignature,
    EntitlementsBlob, OtherBlob,
};
use proptest::prelude::*;

use super::*;
use crate::Arch;

const REQUIREMENTS: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 20, 0xfa, 0xde, 0x0c, 0];
const HARMLESS: &str = "<plist><dict><key>com.apple.security.cs.allow-jit</key><true/></dict></plist>";
const RESTRICTED: &str =
    "<plist><dict><key>com.apple.developer.team-identifier</key><string>T</string></dict></plist>";
const CS_CHECK_EXPIRATION: u32 = 0x400;
const CS_LINKER_SIGNED: u32 = 0x2_0000;
const MH_EXECUTE: u32 = 2;
const MH_DYLIB: u32 = 6;

fn code(filetype: u32) -> Code<'static> {
    Code {
        arch: Arch { cputype: 0x0100_000c, cpusubtype: 0 },
        filetype,
        exec_segment: (0, 0x4000),
        uuid: None,
        load_commands: b"load commands",
        info_plist: None,
        file_name: "libfoo.1.2.dylib",
    }
}

/// A signature with these flags, entitlements and CMS bytes, an Info.plist's hash and requirements.
fn signature(flags: u32, entitlements: &str, cms: &[u8]) -> Vec<u8> {
    let mut builder = EmbeddedSignatureBuilder::default();
    let requirements = OtherBlob { magic: 0xfade_0c01, data: REQUIREMENTS };
    builder.add_blob(CodeSigningSlot::RequirementSet, requirements.into()).unwrap();
    let entitlements = EntitlementsBlob::from_string(entitlements);
    builder.add_blob(CodeSigningSlot::Entitlements, entitlements.into()).unwrap();
    let cms = BlobData::BlobWrapper(Box::new(BlobWrapperBlob::from_data_borrowed(cms)));
    builder.add_blob(CodeSigningSlot::Signature, cms).unwrap();
    let mut directory = CodeDirectoryBlob {
        version: 0x2_0500,
        flags: CodeSignatureFlags::from_bits_retain(flags),
        code_limit: 4,
        digest_size: 32,
        digest_type: DigestType::Sha256,
        page_size: 0x1000,
        runtime: Some(0x000d_0000),
        ident: "org.example.tool".into(),
        team_name: Some("TEAM123456".into()),
        code_digests: vec![vec![7; 32].into()],
        ..CodeDirectoryBlob::default()
    };
    directory.set_slot_digest(CodeSigningSlot::Info, vec![9; 32]).unwrap();
    builder.add_code_directory(CodeSigningSlot::CodeDirectory, directory).unwrap();
    builder.create_superblob().unwrap()
}

/// Signs `code` anew and reads the result with apple-codesign.
fn resigned(
    filetype: u32,
    old: &[u8],
    look: impl FnOnce(&Signing<'_>, &CodeDirectoryBlob<'_>, &EmbeddedSignature<'_>),
) {
    let old = Signature::read(old, 0).unwrap();
    let code = code(filetype);
    let signing = Signing::new(&code, Some(&old));
    let bytes = signing.superblob(&[&[1; 0x1000], &[2; 5]], signing.size(0x1005).unwrap()).unwrap();
    let new = EmbeddedSignature::from_bytes(&bytes).unwrap();
    look(&signing, &new.code_directory().unwrap().unwrap(), &new);
}

#[test]
fn what_ad_hoc_code_may_have_is_kept() {
    let hard_kill = 0x300;
    resigned(
        MH_DYLIB,
        &signature(CS_ADHOC | hard_kill | CS_LINKER_SIGNED, RESTRICTED, b""),
        |signing, directory, new| {
            assert_eq!(directory.flags.bits(), CS_ADHOC | hard_kill);
            assert_eq!(directory.ident, "org.example.tool");
            assert_eq!(
                (directory.page_size, directory.code_limit, directory.code_digests.len()),
                (0x1000, 0x1005, 2)
            );
            assert_eq!(directory.slot_digest(CodeSigningSlot::Info).unwrap().data, [9; 32].as_slice());
            assert_eq!((directory.runtime, &directory.team_name), (None, &None));
            assert_eq!(
                new.entitlements().unwrap().unwrap().as_str(),
                RESTRICTED,
                "of no effect in a library"
            );
            let requirements = new.find_slot(CodeSigningSlot::RequirementSet).unwrap();
            assert_eq!(requirements.payload().unwrap(), REQUIREMENTS);
            assert_eq!(new.signature_data().unwrap(), Some(b"".as_slice()));
            assert_eq!(signing.lost(), []);
        },
    );
}

#[test]
fn what_needs_an_identity_goes_and_is_told() {
    let flags = CS_RUNTIME | CS_REQUIRE_LV | CS_CHECK_EXPIRATION;
    resigned(MH_EXECUTE, &signature(flags, HARMLESS, b"CMS"), |signing, directory, new| {
        assert_eq!(directory.flags.bits(), CS_ADHOC);
        assert_eq!(directory.exec_seg_flags.unwrap().bits(), 1);
        assert_eq!(new.entitlements().unwrap().unwrap().as_str(), HARMLESS);
        let requirements = new.find_slot(CodeSigningSlot::RequirementSet).unwrap();
        assert_eq!(requirements.payload().unwrap(), [0; 4]);
        assert_eq!(new.signature_data().unwrap(), Some(b"".as_slice()));
        let told: Vec<String> = signing.lost().iter().map(ToString::to_string).collect();
        let expected = [
            "the signature by team TEAM123456",
            "the hardened runtime",
            "library validation",
            "the requirements that name its identity",
        ];
        assert_eq!(told, expected);
    });
}

#[test]
fn a_program_loses_entitlements_that_would_get_it_killed() {
    resigned(MH_EXECUTE, &signature(CS_ADHOC, RESTRICTED, b""), |signing, directory, new| {
        assert!(new.entitlements().unwrap().is_none());
        assert!(directory.slot_digest(CodeSigningSlot::Entitlements).is_none());
        let keys = vec!["com.apple.developer.team-identifier".to_owned()];
        assert_eq!(signing.lost(), [Lost::Entitlements(keys)]);
    });
}

#[test]
fn code_without_a_signature_gets_codesigns_defaults() {
    let code = Code { info_plist: Some(b"<plist/>"), ..code(MH_DYLIB) };
    let signing = Signing::new(&code, None);
    let bytes = signing.superblob(&[&[0; 0x8001]], 4096).unwrap();
    assert_eq!(bytes.len(), 4096);
    let new = EmbeddedSignature::from_bytes(&bytes).unwrap();
    let directory = new.code_directory().unwrap().unwrap();
    assert_eq!((directory.page_size, directory.code_digests.len()), (0x4000, 3));
    assert_eq!(directory.ident, "libfoo.1");
    assert_eq!(directory.flags.bits(), CS_ADHOC);
    let info = DigestType::Sha256.digest_data(b"<plist/>").unwrap();
    assert_eq!(directory.slot_digest(CodeSigningSlot::Info).unwrap().data, info);
}

#[test]
fn too_little_room_is_refused_before_anything_is_hashed() {
    let code = code(MH_DYLIB);
    let signing = Signing::new(&code, None);
    let size = signing.size(5).unwrap();
    assert!(signing.superblob(&[b"12345"], size).is_ok());
    let error = signing.superblob(&[b"12345"], size - 16).unwrap_err().to_string();
    assert_eq!(error, format!("the code signature takes {size} bytes, {} are there", size - 16));
}

#[test]
fn damage_is_an_error_with_its_place() {
    let good = signature(CS_ADHOC, HARMLESS, b"");
    let error = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        Signature::read(&bad, 0x1000).unwrap_err().to_string()
    };
    let directory = u32::from_be_bytes(good[16..20].try_into().unwrap()) as usize;
    assert_eq!(error(0, &[0]), "code signature begins with 0xde0cc0 (at offset 0x1000)");
    assert_eq!(error(8, &[0x10]), "code signature has 268435460 blobs in less space (at offset 0x1008)");
    let damage = error(directory + 28, &[1]);
    assert!(damage.starts_with("code signature is cut off: 0x20000020 bytes wanted at"), "{damage}");
    let place = 0x1000 + directory + 36;
    assert_eq!(
        error(directory + 36, &[20]),
        format!("code directory's hashes have 20 bytes (at offset {place:#x})")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is read can be signed anew, with the size that was foretold.
    #[test]
    fn damaged_signatures_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
        filetype in MH_EXECUTE..=MH_DYLIB,
    ) {
        let mut bytes = signature(CS_ADHOC, RESTRICTED, b"CMS");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(old) = Signature::read(&bytes, 0) {
            let code = code(filetype);
            let signing = Signing::new(&code, Some(&old));
            let size = signing.size(6).unwrap();
            let new = signing.superblob(&[b"123456"], size).unwrap();
            prop_assert_eq!(new.len(), size as usize);
            prop_assert_eq!(Signature::read(&new, 0).unwrap().directory().unwrap().code_limit, 6);
        }
    }
}
