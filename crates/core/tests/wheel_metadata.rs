//! WHEEL, RECORD and the .dist-info directory: what changes, changes in place; all else stays byte for byte.

mod wheel_builder;

use std::path::Path;

use spokeshave_core::Bytes;
use spokeshave_core::wheel::{Archive, DistInfo, Record, RecordEntry, WheelFile, WheelName, hash_field};
use wheel_builder::{Part, zip};

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn wheel(text: &str) -> WheelFile {
    WheelFile::parse(text.as_bytes().to_vec(), "WHEEL").unwrap()
}

const WHEEL: &str = "Wheel-Version: 1.0\nGenerator: bdist_wheel (0.37)\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\nBuild: 1\n\n";

#[test]
fn tags_change_in_place() {
    let old = wheel(WHEEL);
    assert_eq!(old.tags(), ["py2-none-any", "py3-none-any"]);
    assert_eq!((old.get("generator"), old.get("Build")), (Some("bdist_wheel (0.37)"), Some("1")));
    assert!(old.root_is_purelib());
    let new =
        String::from_utf8(old.with_tags(&strings(&["cp311-cp311-x", "cp311-cp311-y"]), Some(false))).unwrap();
    assert_eq!(
        new,
        "Wheel-Version: 1.0\nGenerator: bdist_wheel (0.37)\nRoot-Is-Purelib: false\nTag: cp311-cp311-x\nTag: cp311-cp311-y\nBuild: 1\n\n"
    );
    let tags = strings(&["py3-none-any", "py2-none-any"]);
    assert_eq!(
        old.with_tags(&tags, Some(true)),
        WHEEL.as_bytes(),
        "the same set in another order is no change"
    );
}

#[test]
fn line_ends_bodies_and_missing_lines() {
    let crlf = WHEEL.replace('\n', "\r\n");
    let new = wheel(&crlf).with_tags(&strings(&["a-b-c"]), None);
    assert_eq!(new, crlf.replace("Tag: py2-none-any\r\nTag: py3-none-any", "Tag: a-b-c").into_bytes());

    let bare = "Wheel-Version: 1.0\nTag: x-y-z\nmore:\n  folded\n\nTag: in the body\n";
    let new = String::from_utf8(wheel(bare).with_tags(&strings(&["a-b-c"]), Some(false))).unwrap();
    assert_eq!(
        new,
        "Wheel-Version: 1.0\nTag: a-b-c\nmore:\n  folded\nRoot-Is-Purelib: false\n\nTag: in the body\n"
    );
    let unended = "Wheel-Version: 1.0";
    let new = String::from_utf8(wheel(unended).with_tags(&strings(&["a-b-c"]), Some(true))).unwrap();
    let again = wheel(&new);
    assert_eq!((again.tags(), again.root_is_purelib()), (strings(&["a-b-c"]), true), "{new:?}");
    assert_eq!(wheel("Wheel-Version: 1.0\nTag: py2.py3-none-any\n").tags(), ["py2-none-any", "py3-none-any"]);
}

#[test]
fn wheel_files_that_are_not() {
    for (bytes, why) in [
        (&b"Wheel-Version: 2.0\n"[..], "only 1 is understood"),
        (b"Tag: a-b-c\n", "Wheel-Version is ``"),
        (b"Wheel-Version: 1.0\nnonsense\n", "`nonsense` is no header line"),
        (b"Wheel-Version: 1.0\n\xff\n", "is not UTF-8"),
        (b"", "Wheel-Version is ``"),
    ] {
        let error = WheelFile::parse(bytes.to_vec(), "x.dist-info/WHEEL").unwrap_err().to_string();
        assert!(error.contains(why) && error.starts_with("x.dist-info/WHEEL"), "{error}");
    }
}

const RECORD: &str = "x-1.dist-info/RECORD";

fn rewritten(text: &str, changed: &[(&str, &str)], removed: &[&str]) -> String {
    let record = Record::parse(text.as_bytes().to_vec(), RECORD).unwrap();
    let entry = |(name, hash): &(&str, &str)| RecordEntry {
        name: (*name).to_owned(),
        hash: (*hash).to_owned(),
        size: "1".to_owned(),
    };
    let changed: Vec<RecordEntry> = changed.iter().map(entry).collect();
    String::from_utf8(record.rewrite(&changed, removed)).unwrap()
}

#[test]
fn record_lines_stay_change_and_come() {
    let old =
        "b.py, sha256=odd spacing ,7\na.so,sha256=old,9\n\"with,comma\",sha256=c,3\nx-1.dist-info/RECORD,,\n";
    assert_eq!(rewritten(old, &[], &[]), old);
    assert_eq!(
        rewritten(old, &[("a.so", "sha256=new"), ("x.libs/l\"1,.so", "sha256=l")], &["b.py"]),
        "a.so,sha256=new,1\n\"with,comma\",sha256=c,3\n\"x.libs/l\"\"1,.so\",sha256=l,1\nx-1.dist-info/RECORD,,\n"
    );
    // RECORD's own line may stand anywhere, and stays there.
    let first = "x-1.dist-info/RECORD,,\na.so,sha256=old,9";
    assert_eq!(
        rewritten(first, &[("n", "h"), ("a.so", "new")], &[]),
        "x-1.dist-info/RECORD,,\na.so,new,1\nn,h,1\n"
    );
    assert_eq!(rewritten("a,b,1", &[], &[]), "a,b,1\nx-1.dist-info/RECORD,,\n");
    assert_eq!(rewritten("", &[("a", "h")], &[]), "a,h,1\nx-1.dist-info/RECORD,,\n");
    // A repeated line of a changed file would be wrong twice.
    assert_eq!(
        rewritten("a,o,1\na,o,1\nx-1.dist-info/RECORD,,\n", &[("a", "n")], &[]),
        "a,n,1\nx-1.dist-info/RECORD,,\n"
    );
}

#[test]
fn record_with_crlf_quotes_and_line_ends_in_names() {
    let crlf = "a,h,1\r\nb,h,2\r\nx-1.dist-info/RECORD,,\r\n";
    assert_eq!(
        rewritten(crlf, &[("b", "n"), ("c", "n")], &[]),
        "a,h,1\r\nb,n,1\r\nc,n,1\r\nx-1.dist-info/RECORD,,\r\n"
    );
    let quoted = "\"a\nb\"\"c\",h,1\nd\"e,h,2\nx-1.dist-info/RECORD,,\n";
    let names: Vec<String> =
        Record::parse(quoted.into(), RECORD).unwrap().entries().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, ["a\nb\"c", "d\"e", RECORD]);
    assert_eq!(
        rewritten(quoted, &[("d\"e", "n")], &[]),
        "\"a\nb\"\"c\",h,1\n\"d\"\"e\",n,1\nx-1.dist-info/RECORD,,\n"
    );
    let unclosed = Record::parse(b"a,h,1\n\"b,h,1\n".into(), RECORD).unwrap_err().to_string();
    assert_eq!(unclosed, "x-1.dist-info/RECORD: a quote is not closed (at offset 0x6)");
    assert!(Record::parse(vec![0xff], RECORD).unwrap_err().to_string().contains("is not UTF-8"));
}

fn archive(parts: &[Part]) -> Archive {
    Archive::from_bytes(Path::new("X-1-py3-none-any.whl"), Bytes::from(zip(parts))).unwrap()
}

fn name() -> WheelName {
    WheelName::parse("X-1-py3-none-any.whl").unwrap()
}

#[test]
fn record_is_held_against_the_wheel() {
    // The hash as Python writes it: base64.urlsafe_b64encode(hashlib.sha256(b"abc").digest()).
    let abc = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    let record = format!(
        "good,{abc},3\nbad,{abc},3\nsize,{abc},4\ngone,{abc},3\nnohash,,\ngood,{abc},3\nx-1.dist-info/RECORD.jws,,\n{RECORD},,\n"
    );
    let archive = archive(&[
        Part::stored("good", b"abc"),
        Part::stored("bad", b"abd"),
        Part::stored("size", b"abc"),
        Part::stored("nohash", b""),
        Part::stored("unlisted", b""),
        Part::stored("dir/", b""),
        Part::stored("x-1.dist-info/WHEEL", b"Wheel-Version: 1.0\n"),
        Part::stored("x-1.dist-info/RECORD.jws", b""),
        Part::stored("x-1.dist-info/RECORD.p7s", b""),
        Part::stored(RECORD, record.as_bytes()),
    ]);
    let dist_info = DistInfo::find(&archive, &name()).unwrap();
    assert_eq!(dist_info.signatures, [7, 8]);
    assert_eq!(dist_info.read_wheel(&archive).unwrap().get("wheel-version"), Some("1.0"));
    let record = dist_info.read_record(&archive).unwrap();
    assert_eq!(
        record.check(&archive, &dist_info),
        [
            "RECORD says `size` has 4 bytes, it has 3",
            "RECORD lists `gone`, which is not in the wheel",
            "RECORD has no hash for `nohash`",
            "RECORD lists `good` twice",
            "RECORD does not list `unlisted`",
            "RECORD does not list `x-1.dist-info/WHEEL`",
        ]
    );
    assert_eq!(record.check_hash("good", b"abc"), None);
    assert_eq!(record.check_hash("bad", b"abd").unwrap(), "`bad` has another sha256 than RECORD says");
    assert_eq!(hash_field(&[0; 32]), format!("sha256={}", "A".repeat(43)));
}

#[test]
fn exactly_one_dist_info_of_this_distribution() {
    let files = |dir: &str| {
        vec![Part::stored(format!("{dir}/WHEEL"), b""), Part::stored(format!("{dir}/RECORD"), b"")]
    };
    let find = |parts: &[Part], name: &str| {
        DistInfo::find(&archive(parts), &WheelName::parse(name).unwrap()).map_err(|error| error.to_string())
    };
    for (dir, file) in [
        ("x-1.dist-info", "X-1-py3-none-any.whl"),
        ("Foo.Bar-1.dist-info", "foo_bar-1-py3-none-any.whl"),
        ("foo-bar-1.dist-info", "foo_bar-1-py3-none-any.whl"),
        ("foo_bar-1.0_local.dist-info", "foo_bar-1.0.local-py3-none-any.whl"),
    ] {
        assert_eq!(find(&files(dir), file).unwrap().warnings, Vec::<String>::new(), "{dir}");
    }
    let other_version = find(&files("x-2.dist-info"), "X-1-py3-none-any.whl").unwrap();
    assert_eq!(
        other_version.warnings,
        ["`x-2.dist-info` and `X-1-py3-none-any.whl` name different versions"]
    );
    let refused = |parts: &[Part], why: &str| {
        let error = find(parts, "X-1-py3-none-any.whl").unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused(&[Part::stored("a", b"")], "no .dist-info directory");
    refused(
        &[files("x-1.dist-info"), files("y-1.dist-info")].concat(),
        "2 .dist-info directories: x-1.dist-info, y-1",
    );
    refused(&files("y-1.dist-info"), "`y-1.dist-info` belongs to another distribution");
    refused(&files("x-1.dist-info")[..1], "has no x-1.dist-info/RECORD");
    refused(&files("x-1.dist-info")[1..], "has no x-1.dist-info/WHEEL");
}
