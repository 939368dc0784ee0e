//! External libraries as they will be carried: hashed names, one copy per file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::parallel::parallel_map;
use crate::{About, Audit, ByteSource, Error, Library, NameHash, Options, PackagePath, Result, Role, Target};

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

/// Names the external libraries of `audit` for the directory `libs_dir`, in the order of the audit, as the format that
/// `about` tells of wants them.
///
/// # Errors
/// When a library can't be read, or two libraries with other bytes would get one name.
pub fn graft(
    audit: &Audit,
    libs_dir: &PackagePath,
    about: &About,
    options: &Options,
    jobs: usize,
) -> Result<Vec<GraftedLib>> {
    let external: Vec<(usize, &Library)> = audit.external().collect();
    let read = parallel_map(jobs, &external, |(_, lib)| -> Result<[u8; 32]> {
        Ok(Sha256::digest(&*lib.source.open()?).into())
    });
    let mut hashes: BTreeMap<usize, [u8; 32]> = BTreeMap::new();
    for ((index, _), sha256) in external.iter().zip(read) {
        hashes.insert(*index, sha256?);
    }

    let mut grafted: Vec<GraftedLib> = Vec::new();
    let mut by_path: BTreeMap<PackagePath, usize> = BTreeMap::new();
    for (index, lib) in external {
        let hash = name_hash(audit, index, &hashes, about, options);
        let lib = name(index, lib, hash, libs_dir, about, options)?;
        let place = match about.folds_case {
            true => PackagePath::new(&lib.path.as_str().to_lowercase())?,
            false => lib.path.clone(),
        };
        match by_path.get(&place).and_then(|at| grafted.get_mut(*at)) {
            None => {
                by_path.insert(place, grafted.len());
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
    for lib in &grafted {
        one_meaning(audit, lib, &grafted)?;
    }
    Ok(grafted)
}

/// Files of the same bytes share a copy, so what each of them needs must be the same, too: a search path relative to
/// where a file lies may lead the one to other libraries than the other.
fn one_meaning(audit: &Audit, lib: &GraftedLib, grafted: &[GraftedLib]) -> Result<()> {
    let leads = |index: &usize| -> Vec<Target> {
        let carried = |target: Target| match target {
            Target::Library(to) => {
                let first =
                    grafted.iter().find(|lib| lib.libraries.contains(&to)).map(|lib| &lib.libraries[0]);
                Target::Library(first.copied().unwrap_or(to))
            }
            other => other,
        };
        audit.libraries[*index].result.needs.iter().map(|need| carried(need.target)).collect()
    };
    let Some((first, others)) = lib.libraries.split_first() else { return Ok(()) };
    match others.iter().find(|other| leads(other) != leads(first)) {
        None => Ok(()),
        Some(other) => Err(Error::new(format!(
            "{} and {} have the same bytes but load different libraries; only one of them can be carried as {}",
            audit.libraries[*first].real, audit.libraries[*other].real, lib.path
        ))
        .hint("build against one of them, or choose with --lib-dir")
        .into()),
    }
}

/// What the file is and what its name says of it.
#[derive(Clone, Copy)]
struct Hashes {
    /// sha256 of the file.
    sha256: [u8; 32],
    /// What stands in the name.
    name: [u8; 32],
}

fn name_hash(
    audit: &Audit,
    index: usize,
    hashes: &BTreeMap<usize, [u8; 32]>,
    about: &About,
    options: &Options,
) -> Hashes {
    let sha256 = hashes.get(&index).copied().unwrap_or_default();
    if about.name_hash == NameHash::File {
        return Hashes { sha256, name: sha256 };
    }
    // A name that stays says nothing of what is behind it, and what its importers hold is only the name.
    let hashed =
        |index: &usize| hashes.contains_key(index) && !keeps(&audit.libraries[*index], about, options);
    let mut below: BTreeSet<usize> = BTreeSet::from([index]);
    let mut pending = vec![index];
    while let Some(lib) = pending.pop() {
        let needs = audit.libraries[lib].result.needs.iter().filter_map(|need| match need.target {
            Target::Library(to) => Some(to),
            _ => None,
        });
        pending.extend(needs.filter(hashed).filter(|to| below.insert(*to)));
    }
    below.remove(&index);
    let below: BTreeSet<[u8; 32]> = below.iter().filter_map(|lib| hashes.get(lib)).copied().collect();
    if below.is_empty() {
        return Hashes { sha256, name: sha256 };
    }
    let mut hasher = Sha256::new_with_prefix(sha256);
    below.iter().for_each(|hash| hasher.update(hash));
    Hashes { sha256, name: hasher.finalize().into() }
}

/// Whether a library is carried under the name by which it is asked for.
fn keeps(lib: &Library, about: &About, options: &Options) -> bool {
    let matches = |name: &String| match about.folds_case {
        true => options.no_mangle.matches_folded(name),
        false => options.no_mangle.matches(name),
    };
    let included = lib.included.is_some_and(|index| options.include.get(index).is_some());
    lib.keep_name
        || (included && !options.mangle_included)
        || lib.aliases.iter().chain([&lib.real.file_name()]).any(matches)
}

fn name(
    index: usize,
    lib: &Library,
    hashes: Hashes,
    libs_dir: &PackagePath,
    about: &About,
    options: &Options,
) -> Result<GraftedLib> {
    debug_assert_eq!(lib.role, Role::External);
    let original = lib.real.file_name();
    let include = lib.included.and_then(|i| options.include.get(i));
    let keep = keeps(lib, about, options);
    let name = if keep {
        // The program opens it by the name that --include gives, whatever else it is needed as.
        let asked = include.map_or(&lib.name, |include| &include.lib);
        asked.rsplit('/').next().unwrap_or_default().to_owned()
    } else {
        hashed_name(&original, about.hash_before, &hashes.name)
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
        sha256: hashes.sha256,
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

    fn library(at: &str, bytes: &str, needs: &[usize]) -> Library {
        let name = at.rsplit('/').next().unwrap().to_owned();
        let need = |to: &usize| crate::Need {
            name: String::new(),
            slice: None,
            target: Target::Library(*to),
            rule: String::new(),
            tried: Vec::new(),
        };
        Library {
            aliases: vec![name.clone()],
            name,
            location: crate::Location::Host(at.into()),
            real: crate::Location::Host(at.into()),
            source: Arc::new(crate::Bytes::from(bytes.as_bytes().to_vec())),
            mode: 0o755,
            role: Role::External,
            included: None,
            keep_name: false,
            version: None,
            variants: Vec::new(),
            result: crate::AuditResult {
                status: crate::Status::Active,
                needs: needs.iter().map(need).collect(),
                facts: Vec::new(),
                detail: Arc::new(()),
            },
        }
    }

    const BY_FILE: About = About {
        name: "demo",
        formats: "",
        tag_prefixes: &[],
        options: &[],
        hash_before: ".so",
        name_hash: NameHash::File,
        folds_case: false,
        strips: false,
        merge: None,
    };

    fn carried(libraries: Vec<Library>, options: &Options) -> Result<Vec<GraftedLib>> {
        carried_as(&BY_FILE, libraries, options)
    }

    fn carried_as(about: &About, libraries: Vec<Library>, options: &Options) -> Result<Vec<GraftedLib>> {
        let audit = Audit {
            artifacts: Vec::new(),
            libraries,
            tags: Vec::new(),
            tags_as_is: Vec::new(),
            obstacles: Vec::new(),
            missing: Vec::new(),
            refusal: None,
            warnings: Vec::new(),
        };
        graft(&audit, &PackagePath::new("demo.libs").unwrap(), about, options, 2)
    }

    fn paths(grafted: &[GraftedLib]) -> Vec<&str> {
        grafted.iter().map(|lib| lib.path.as_str()).collect()
    }

    #[test]
    fn only_external_libraries_are_carried_each_file_once() {
        let mut promised = library("/p/libc.so.6", "c", &[]);
        promised.role = Role::Promised;
        let libraries =
            vec![promised, library("/a/libx.so.1", "abc", &[]), library("/b/libx.so.1", "abc", &[])];
        let grafted = carried(libraries, &Options::default()).unwrap();
        // sha256 of "abc" (FIPS 180-2, appendix B.1).
        assert_eq!(paths(&grafted), ["demo.libs/libx-ba7816bf.so.1"]);
        assert_eq!(grafted[0].libraries, [1, 2]);
    }

    #[test]
    fn equal_names_of_different_files_are_an_error() {
        let keep = Options { no_mangle: crate::Globs::new(["libx*"]).unwrap(), ..Options::default() };
        let libraries = || vec![library("/a/libx.so.1", "1", &[]), library("/b/libx.so.1", "2", &[])];
        assert_eq!(carried(libraries(), &Options::default()).unwrap().len(), 2);
        let error = carried(libraries(), &keep).err().unwrap().to_string();
        assert!(error.contains("/a/libx.so.1 and /b/libx.so.1"), "{error}");
    }

    #[test]
    fn equal_files_that_load_different_ones_are_an_error() {
        let libraries = |second| {
            vec![
                library("/a/libx.so.1", "x", &[2]),
                library("/b/libx.so.1", "x", &[3]),
                library("/a/liby.so.1", "1", &[]),
                library("/b/liby.so.1", second, &[]),
            ]
        };
        assert_eq!(carried(libraries("1"), &Options::default()).unwrap().len(), 2);
        let error = carried(libraries("2"), &Options::default()).err().unwrap().to_string();
        assert!(error.contains("/a/libx.so.1 and /b/libx.so.1 have the same bytes"), "{error}");
    }

    #[test]
    fn a_hash_of_the_closure_covers_what_is_below_even_in_a_circle() {
        let about = About { name_hash: NameHash::Closure, ..BY_FILE };
        let options = Options::default();
        let names = |third: &str, keep: bool| -> Vec<String> {
            // a → b → c → b, and d alone
            let mut libraries = vec![
                library("/p/a.so", "a", &[1]),
                library("/p/b.so", "b", &[2]),
                library("/p/c.so", third, &[1]),
                library("/p/d.so", "d", &[]),
            ];
            libraries[1].keep_name = keep;
            carried_as(&about, libraries, &options).unwrap().into_iter().map(|lib| lib.name).collect()
        };
        let (one, other) = (names("c", false), names("C", false));
        let differ: Vec<bool> = one.iter().zip(&other).map(|(a, b)| a != b).collect();
        assert_eq!(differ, [true, true, true, false]);
        assert_eq!(one, names("c", false));
        // What asks for a name that stays does not depend on what is behind it.
        let (one, other) = (names("c", true), names("C", true));
        assert_eq!((&one[0], &one[1]), (&other[0], &other[1]));
        assert_eq!(one[1], "b.so");
        // A file that leads nowhere has the hash of its bytes.
        assert_eq!(one[3], carried(vec![library("/p/d.so", "d", &[])], &options).unwrap()[0].name);
    }

    #[test]
    fn where_case_does_not_count_names_that_differ_in_it_clash() {
        let libraries = || {
            let mut libraries = vec![library("/a/Foo.dll", "1", &[]), library("/b/foo.DLL", "2", &[])];
            libraries.iter_mut().for_each(|lib| lib.keep_name = true);
            libraries
        };
        let about = About { folds_case: true, ..BY_FILE };
        let options = Options::default();
        assert_eq!(carried(libraries(), &options).unwrap().len(), 2);
        assert!(carried_as(&about, libraries(), &options).is_err());
        let keep = Options { no_mangle: crate::Globs::new(["FOO*"]).unwrap(), ..Options::default() };
        let one = || vec![library("/a/foo.so", "1", &[])];
        assert_eq!(carried_as(&about, one(), &keep).unwrap()[0].name, "foo.so");
        assert_ne!(carried(one(), &keep).unwrap()[0].name, "foo.so");
    }

    #[test]
    fn an_included_library_has_the_name_that_is_opened() {
        let include = |text: &str| text.parse::<crate::Include>().unwrap();
        for (text, mangle, at) in [
            ("libx.so", false, "demo.libs/libx.so"),
            ("/usr/lib/libx.so=demo/lib", false, "demo/lib/libx.so"),
            ("libx.so", true, "demo.libs/libx-ba7816bf.so.1"),
        ] {
            let options =
                Options { include: vec![include(text)], mangle_included: mangle, ..Options::default() };
            let lib = Library { included: Some(0), ..library("/a/libx.so.1", "abc", &[]) };
            let grafted = carried(vec![lib], &options).unwrap();
            assert_eq!(paths(&grafted), [at]);
            assert_eq!((grafted[0].included, grafted[0].renamed), (true, mangle));
        }
    }

    #[test]
    fn a_name_that_is_no_path_component_is_refused() {
        let keep = Options { no_mangle: crate::Globs::new(["*"]).unwrap(), ..Options::default() };
        for name in ["..", "a\\b", ""] {
            let lib = Library { name: name.to_owned(), ..library("/a/libx.so.1", "abc", &[]) };
            assert!(carried(vec![lib], &keep).is_err(), "{name:?}");
        }
    }
}
