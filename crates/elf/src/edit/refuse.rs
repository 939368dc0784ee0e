//! Files whose dynamic section may not be changed.

use object::elf;
use spokeshave_core::{Error, Result};

use crate::image::Image;

/// Refuses the loaders themselves and static programs: they relocate themselves before anything can resolve an
/// `DT_RPATH`, and glibc's loader asserts that it has none.
pub(super) fn check(image: &Image<'_>) -> Result<()> {
    let Some(dynamic) = &image.dynamic else {
        return Err(Error::new("has no dynamic section to change")
            .hint("a static program needs no libraries")
            .into());
    };
    let at = dynamic.range.start;
    let soname = match dynamic.value(elf::DT_SONAME) {
        Some(offset) => image.string(offset)?,
        None => b"",
    };
    let alone = dynamic.value(elf::DT_NEEDED).is_none() && image.segment(elf::PT_INTERP).is_none();
    if alone && (is_loader(soname) || acts_as_loader(image)?) {
        let what = "is the dynamic loader itself, whose dynamic section can't be changed";
        return Err(Error::new(what).offset(at).hint("leave it to the system: exclude it").into());
    }
    let program = image.header.file_type == elf::ET_EXEC
        || dynamic.value(elf::DT_DEBUG).is_some()
        || dynamic.value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_PIE.0 != 0);
    if alone && program {
        let what = "is a static program (no PT_INTERP, no DT_NEEDED), whose dynamic section can't be changed";
        return Err(Error::new(what).offset(at).hint("a static program needs no libraries").into());
    }
    Ok(())
}

/// Refuses segments that no loader maps as written (gABI: `PT_LOAD`s stand in ascending order).
pub(super) fn check_segments(image: &Image<'_>) -> Result<()> {
    for (low, high) in image.loads().zip(image.loads().skip(1)) {
        if low.addresses().end > high.vaddr {
            let what = format!("PT_LOADs overlap or are out of order at address {:#x}", high.vaddr);
            return Err(Error::new(what).offset(image.header.phoff).into());
        }
    }
    Ok(())
}

/// Names of dynamic loaders: glibc's, Android's, musl's (which is its libc as well), uClibc's.
fn is_loader(soname: &[u8]) -> bool {
    let names: [&[u8]; 8] =
        [b"ld-linux", b"ld-musl", b"ld64.so", b"ld.so", b"ld-android", b"libc.musl-", b"ld-uClibc", b"ld-2."];
    names.iter().any(|name| soname.starts_with(name))
}

/// musl as Debian builds it has no `DT_SONAME`; but only a loader gives out these while it needs nothing.
fn acts_as_loader(image: &Image<'_>) -> Result<bool> {
    let names: [&[u8]; 3] = [b"_dlstart", b"__tls_get_addr", b"__libc_start_main"];
    for symbol in image.symbols()?.iter().filter(|symbol| !symbol.is_undefined()) {
        if names.contains(&image.string(symbol.name.into())?) {
            return Ok(true);
        }
    }
    Ok(false)
}
