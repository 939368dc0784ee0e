//! In which order a name is looked for.

use std::path::PathBuf;

use spokeshave_core::Location;

use super::environment::Environment;
use super::expand::{Around, Frame, Place, expand, in_dir};

/// The places for `name`, in order. `chain` is as for [`expand`]; `linked` are the directories that the build linked
/// from.
///
/// What the package's own paths find inside the package stays first: it goes where the package goes, and `--lib-dir`
/// and the variables of this host do not. `--lib-dir` comes next, then dyld's order (`forEachPathVariant`):
/// `DYLD_FRAMEWORK_PATH`, `DYLD_LIBRARY_PATH`, what the name stands for, the fallback directories. What the build
/// linked from stands before the latter, as it did for the linker.
pub(crate) fn order(
    name: &str,
    chain: &[Frame<'_>],
    around: Around<'_>,
    env: &Environment,
    linked: &[PathBuf],
) -> Vec<Place> {
    let (inside, outside): (Vec<Place>, Vec<Place>) =
        expand(name, chain, around).into_iter().partition(Place::in_package);
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let framework = framework_tail(name);
    let by_leaf = |dirs: &[PathBuf], rule: &str, leaf: Option<&str>| -> Vec<Place> {
        let place = |dir: &PathBuf| {
            let at = Location::Host(in_dir(dir, leaf?));
            Some(Place { at: Ok(at), rule: rule.to_owned(), by_load: false })
        };
        dirs.iter().filter_map(place).collect()
    };
    let mut places = inside;
    places.extend(by_leaf(&env.lib_dirs, "--lib-dir", framework));
    places.extend(by_leaf(&env.lib_dirs, "--lib-dir", Some(leaf)));
    places.extend(by_leaf(&env.framework_path, "DYLD_FRAMEWORK_PATH", framework));
    places.extend(by_leaf(&env.library_path, "DYLD_LIBRARY_PATH", Some(leaf)));
    places.extend(outside);
    places.extend(by_leaf(linked, "linked path", framework));
    places.extend(by_leaf(linked, "linked path", Some(leaf)));
    places.extend(by_leaf(&env.fallback_framework_path, "DYLD_FALLBACK_FRAMEWORK_PATH", framework));
    places.extend(by_leaf(&env.fallback_library_path, "DYLD_FALLBACK_LIBRARY_PATH", Some(leaf)));
    places
}

/// `Foo.framework/Versions/A/Foo` of a path that ends so; `None` for what is no framework.
fn framework_tail(name: &str) -> Option<&str> {
    let (path, leaf) = name.rsplit_once('/')?;
    let at = path.rfind(&format!("{leaf}.framework"))?;
    let starts = at == 0 || path.as_bytes().get(at.checked_sub(1)?) == Some(&b'/');
    starts.then(|| name.get(at..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_are_looked_for_by_their_tail() {
        let tail = Some("Qt.framework/Versions/A/Qt");
        assert_eq!(framework_tail("@rpath/Qt.framework/Versions/A/Qt"), tail);
        assert_eq!(framework_tail("Qt.framework/Versions/A/Qt"), tail);
        assert_eq!(framework_tail("/x/MyQt.framework/Versions/A/Qt"), None);
        assert_eq!(framework_tail("/x/libQt.dylib"), None);
    }
}
