//! What `--plat` means for a target.

use spokeshave_core::Error;

use crate::policy::Policies;
use crate::target::{Architecture, Libc, libc_of_tag};

/// The platform asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// The best that the package fits.
    Auto,
    /// The plain tag, which promises nothing to the package index.
    Linux,
    /// A policy.
    Policy(usize),
    /// An API level of Android.
    Api(u32),
}

/// Understands `--plat`, with or without the architecture at its end.
///
/// # Errors
/// When there is no such platform, or the package is for another architecture or C library.
pub fn parse(plat: Option<&str>, policies: &Policies) -> Result<Requested, Error> {
    let target = policies.target();
    let Some(plat) = plat.filter(|plat| *plat != "auto") else { return Ok(Requested::Auto) };
    let suffix = Architecture::of_tag(plat);
    if let (Some(asked), Some(found)) = (suffix, target.architecture)
        && asked != found
    {
        return Err(Error::new(format!("the package is for {found}, it can't become {plat}"))
            .hint(format!("build it for {asked}, or ask for a platform of {found}")));
    }
    if plat == "linux" || plat.starts_with("linux_") {
        return match target.libc {
            Libc::Android => Err(Error::new(format!("the package is for Android, it can't become {plat}"))
                .hint("Android has no plain platform tag: pass `--plat android_<API level>`")),
            _ => Ok(Requested::Linux),
        };
    }
    if let Some(libc) = libc_of_tag(plat).filter(|libc| *libc != target.libc) {
        let found = family(target.libc);
        return Err(Error::new(format!(
            "the package is built for {found}, it can't become {plat} ({})",
            family(libc)
        ))
        .hint(format!("build it for {}", family(libc))));
    }
    if target.libc == Libc::Android
        && let Some(level) = api_level(plat)
    {
        return Ok(Requested::Api(level));
    }
    let full = match target.architecture {
        Some(architecture) if suffix.is_none() => format!("{plat}_{architecture}"),
        _ => plat.to_owned(),
    };
    policies.find(&full).map(Requested::Policy).ok_or_else(|| {
        let known: Vec<String> = (0..policies.len()).flat_map(|policy| policies.tags(policy)).collect();
        let hint = match known.as_slice() {
            [] => "pass `--plat linux` to carry the libraries without promising a platform".to_owned(),
            known => format!("there are {}; or pass `--plat auto` or `--plat linux`", known.join(", ")),
        };
        Error::new(format!("there is no platform {full}")).hint(hint)
    })
}

/// The API level of an Android tag: 24 of `android_24_arm64_v8a`.
pub fn api_level(tag: &str) -> Option<u32> {
    tag.strip_prefix("android_")?.split('_').next()?.parse().ok()
}

/// What a C library is called in messages.
pub fn family(libc: Libc) -> &'static str {
    match libc {
        Libc::Glibc => "glibc",
        Libc::Musl => "musl",
        Libc::Android => "Android",
    }
}
