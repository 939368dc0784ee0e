//! The reader on real files and on broken ones.

use object::elf;

use super::Image;

fn exe() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

#[test]
fn reads_this_program() {
    let bytes = exe();
    let image = Image::parse(&bytes).unwrap();
    assert!(image.interp().unwrap().unwrap().contains("ld-linux"));
    let dynamic = image.dynamic.as_ref().unwrap();
    let needed: Vec<_> = dynamic.values(elf::DT_NEEDED).map(|at| image.text(at).unwrap()).collect();
    assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    let needs = image.version_needs().unwrap();
    let libc = needs.iter().find(|need| image.text(need.file.into()).unwrap() == "libc.so.6").unwrap();
    assert!(libc.aux.iter().any(|aux| image.text(aux.name.into()).unwrap().starts_with("GLIBC_2.")));
    let symbols = image.symbols().unwrap();
    let names: Vec<_> = symbols
        .iter()
        .filter(|symbol| symbol.is_undefined())
        .map(|symbol| image.text(symbol.name.into()).unwrap().to_owned())
        .collect();
    assert!(names.iter().any(|name| name == "memcpy"), "{} names", names.len());
}
