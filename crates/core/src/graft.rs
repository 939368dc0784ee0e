//! External libraries as they will be carried: hashed names, one copy per file.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::parallel::parallel_map;
use crate::{Audit, ByteSource, Error, Library, Options, PackagePath, Result, Role};

/// An external library as it will be carried.
#[derive(Clone)]
pub struct GraftedLib {
    /// Indices into [`Audit::libraries`](crate::Audit::libraries): the files that it is a copy of. Several have the
    /// same name and the same bytes.
    pub libraries: Vec<usize>,
    /// The file name that it had.
    pub original: String,
    /// Every name under which it was needed, sorted.
    pub aliases: Vec<String>,
    /// The file name that it gets.
    pub name: String,
    /// Where it will live in the package.
    pub path: PackagePath,
    /// Whether the name is new. A library that keeps its name keeps its own name inside, too.
    pub renamed: bool,
    /// Whether the program opens it by name at run time (`--include`), so that every artifact must find it.
    pub included: bool,
    /// sha256 of the original bytes.
    pub sha256: [u8; 32],
    /// The original bytes.
    pub source: Arc<dyn ByteSource>,
    /// Unix permission bits.
    pub mode: u32,
}

/// Names the external libraries of `audit` for the directory `libs_dir`, in the order of the audit.
///
/// `before` is the part of a file name that the hash stands before (`.so`).
///
/// # Errors
/// When a library can't be read, or two libraries with other bytes would get one name.
pub fn graft(
    audit: &Audit,
    libs_dir: &PackagePath,
    before: &str,
    options: &Options,
    jobs: usize,
) -> Result<Vec<GraftedLib>> {
    let external: Vec<(usize, &Library)> = audit.external().collect();
    let hashes = parallel_map(jobs, &external, |(_, lib)| -> Result<[u8; 32]> {
        Ok(Sha256::digest(&*lib.source.open()?).into())
    });

    let mut grafted: Vec<GraftedLib> = Vec::new();
    let mut by_path: BTreeMap<PackagePath, usize> = BTreeMap::new();
    for ((index, lib), sha256) in external.into_iter().zip(hashes) {
        let lib = name(index, lib, sha256?, libs_dir, before, options)?;
        match by_path.get(&lib.path).and_then(|at| grafted.get_mut(*at)) {
            None => {
                by_path.insert(lib.path.clone(), grafted.len());
                grafted.push(lib);
            }
            Some(same) if same.sha256 == lib.sha256 => {
                same.libraries.extend(lib.libraries);
                same.aliases.extend(lib.aliases);
                same.aliases.sort();
                same.aliases.dedup();
                same.included |= lib.included;
            }
            Some(other) => {
                let source = |lib: &GraftedLib| {
                    lib.libraries.first().map(|i| audit.libraries[*i].real.to_string()).unwrap_or_default()
                };
                return Err(Error::new(format!(
                    "two different libraries would be carried as {}: {} and {}",
                    lib.path,
                    source(other),
                    source(&lib)
                ))
                .hint("let their names be hashed (no --no-mangle for them), or carry one of them to another directory with --include LIB=DEST")
                .into());
            }
        }
    }
    Ok(grafted)
}

fn name(
    index: usize,
    lib: &Library,
    sha256: [u8; 32],
    libs_dir: &PackagePath,
    before: &str,
    options: &Options,
) -> Result<GraftedLib> {
    debug_assert_eq!(lib.role, Role::External);
    let original = lib.real.file_name();
    let include = lib.included.and_then(|i| options.include.get(i));
    let keep = (include.is_some() && !options.mangle_included)
        || lib.aliases.iter().chain([&original]).any(|n| options.no_mangle.matches(n));
    let name = if keep {
        // The program opens it by the name that --include gives, whatever else it is needed as.
        let asked = include.map_or(&lib.name, |include| &include.lib);
        asked.rsplit('/').next().unwrap_or_default().to_owned()
    } else {
        hashed_name(&original, before, &sha256)
    };
    let dir = include.and_then(|i| i.dest.as_ref()).unwrap_or(libs_dir);
    Ok(GraftedLib {
        libraries: vec![index],
        aliases: lib.aliases.clone(),
        path: dir.join(&name)?,
        renamed: !keep,
        included: include.is_some(),
        original,
        name,
        sha256,
        source: lib.source.clone(),
        mode: lib.mode,
    })
}

/// `libfoo-1.2.so.3` → `libfoo-1.2-<8 hex>.so.3`. A name that carries a hash already stays.
fn hashed_name(file_name: &str, before: &str, sha256: &[u8; 32]) -> String {
    let split = suffix_start(file_name, before);
    let (stem, suffix) = file_name.split_at(split);
    if is_hashed(stem) {
        return file_name.to_owned();
    }
    let [a, b, c, d, ..] = sha256;
    format!("{stem}-{a:02x}{b:02x}{c:02x}{d:02x}{suffix}")
}

/// Where `.so` or `.so.1` begins; for a name without it, its last extension; else the end.
fn suffix_start(file_name: &str, before: &str) -> usize {
    let ends_a_part = |at: &usize| {
        let rest = &file_name[at + before.len()..];
        *at > 0 && (rest.is_empty() || rest.starts_with('.'))
    };
    let whole = file_name.match_indices(before).map(|(at, _)| at).find(ends_a_part);
    let extension = || file_name.rfind('.').filter(|at| *at > 0);
    whole.or_else(extension).unwrap_or(file_name.len())
}

/// Whether a repair tool has hashed this name: `-` and 8 or 32 hex digits at the end. Digits alone are more likely
/// a date, and hashing such a name once more does no harm.
fn is_hashed(stem: &str) -> bool {
    let Some((_, tail)) = stem.rsplit_once('-') else { return false };
    matches!(tail.len(), 8 | 32)
        && tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && tail.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_stands_before_the_suffix() {
        let hash = [0xab; 32];
        let cases = [
            ("libfoo.so.1", "libfoo-abababab.so.1"),
            ("libfoo-1.2.so.3", "libfoo-1.2-abababab.so.3"),
            ("libfoo.so", "libfoo-abababab.so"),
            ("libfoo.something.so.1", "libfoo.something-abababab.so.1"),
            ("libfoo-0123abcd.so.1", "libfoo-0123abcd.so.1"),
            ("libfoo-20240101.so", "libfoo-20240101-abababab.so"),
            ("plugin.bin", "plugin-abababab.bin"),
            ("plugin", "plugin-abababab"),
            (".so", ".so-abababab"),
        ];
        for (from, to) in cases {
            assert_eq!(hashed_name(from, ".so", &hash), to, "{from}");
        }
    }
}
