use spokeshave_core::Obstacle;

use super::package::Package;

fn package() -> Package {
    Package::x86_64()
        .file("pkg/ext.so", &["libxml2.so.2", "libc.so.6"])
        .versions("libc.so.6", &["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.14"])
        .host("libxml2.so.2", &["libc.so.6", "libicu.so.72"])
        .versions("libc.so.6", &["GLIBC_2.33", "GLIBC_2.34"])
        .host("libicu.so.72", &["libc.so.6"])
        .versions("libc.so.6", &["GLIBC_2.7"])
}

#[test]
fn obstacles_name_the_file_the_symbol_the_provider_and_the_tag() {
    let namer = |node: usize, _: &str, version: &str| Some(format!("f{node}_{}", version.len()));
    let obstacles = package().auto().obstacles(&namer);
    let version = |file: &str, what: &str, tag: &str| Obstacle {
        file: file.to_owned(),
        what: what.to_owned(),
        provider: Some("libc.so.6".to_owned()),
        tag: Some(tag.to_owned()),
        repairable: false,
    };
    let library = Obstacle {
        file: "pkg/ext.so".to_owned(),
        what: "libxml2.so.2".to_owned(),
        provider: Some("/usr/lib/libxml2.so.2".to_owned()),
        tag: None,
        repairable: true,
    };
    assert_eq!(
        obstacles,
        [
            library,
            version("/usr/lib/libxml2.so.2", "f1_10@GLIBC_2.34", "manylinux_2_34_x86_64"),
            version("pkg/ext.so", "f0_10@GLIBC_2.14", "manylinux_2_17_x86_64"),
            version("/usr/lib/libicu.so.72", "GLIBC_2.7", "manylinux_2_12_x86_64"),
        ]
    );
}

#[test]
fn a_refusal_says_what_and_what_to_do() {
    assert_eq!(
        package().plat("manylinux_2_12").refused(),
        "the package can't be manylinux_2_12_x86_64:\n  \
         /usr/lib/libxml2.so.2 needs GLIBC_2.34 of libc.so.6 (manylinux_2_34_x86_64 allows it)\n  \
         pkg/ext.so needs memcpy@GLIBC_2.14 of libc.so.6 (manylinux_2_17_x86_64 allows it)\n\
         hint: build it on an older system, or pass `--plat manylinux_2_34_x86_64`, the best that it fits"
    );
}

#[test]
fn only_what_will_be_in_the_package_stands_in_the_way() {
    // Under manylinux_2_5 libexpat would be carried; what it asks for is no reason as long as it is not.
    let package = Package::x86_64()
        .file("pkg/ext.so", &["libexpat.so.1", "libc.so.6"])
        .versions("libc.so.6", &["GLIBC_2.14"])
        .host("libexpat.so.1", &["libc.so.6"])
        .versions("libc.so.6", &["GLIBC_2.36"]);
    let said: Vec<_> =
        package.auto().obstacles(&|_, _, _| None).into_iter().map(|o| (o.what, o.tag)).collect();
    let tag = |tag: &str| Some(format!("manylinux_{tag}_x86_64"));
    assert_eq!(said, [("GLIBC_2.14".to_owned(), tag("2_17")), ("libexpat.so.1".to_owned(), tag("2_12"))]);
}
