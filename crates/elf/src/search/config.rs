//! `/etc/ld.so.conf` (ldconfig(8)) and musl's path file.

use std::collections::BTreeSet;

use spokeshave_core::{Files, Globs, Location};

/// How many files may be included, and so how deep.
const MAX_FILES: usize = 1000;

/// The directories of `/etc/ld.so.conf` and what it includes, in order, as paths of the target. What can't be read is
/// as if it were not there, as for `ldconfig`.
pub(super) fn ld_so_conf(files: &Files) -> Vec<String> {
    let mut dirs = Vec::new();
    read(files, "/etc/ld.so.conf", &mut BTreeSet::new(), &mut dirs);
    dirs
}

/// Reads the file `path`, unless it was read before: files may include each other.
fn read(files: &Files, path: &str, seen: &mut BTreeSet<String>, dirs: &mut Vec<String>) {
    if seen.len() > MAX_FILES || !seen.insert(path.to_owned()) {
        return;
    }
    let Some(text) = text(files, path) else { return };
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            // Processor capabilities, which newer ldconfigs ignore too.
            None | Some("hwcap") => {}
            Some("include") => {
                for pattern in words {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let pattern = if pattern.starts_with('/') {
                        pattern.to_owned()
                    } else {
                        format!("{parent}/{pattern}")
                    };
                    for included in matching(files, &pattern) {
                        read(files, &included, seen, dirs);
                    }
                }
            }
            // `/usr/lib/old=libc5` is the old way to name the libraries' kind.
            Some(_) => {
                let dir = line.split('=').next().unwrap_or_default().trim();
                let dir = if dir.len() > 1 { dir.trim_end_matches('/') } else { dir };
                if dir.starts_with('/') && !dirs.iter().any(|known| known == dir) {
                    dirs.push(dir.to_owned());
                }
            }
        }
    }
}

/// The files that match `pattern`, sorted.
fn matching(files: &Files, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        found = if component.contains(['*', '?', '[']) {
            let Ok(glob) = Globs::new([component]) else { return Vec::new() };
            let hidden = component.starts_with('.');
            let names = |dir: &String| {
                let names = files.list(&Location::Host(files.in_sysroot(&format!("{dir}/"))));
                let fits =
                    names.into_iter().filter(|name| glob.matches(name) && name.starts_with('.') == hidden);
                fits.map(|name| format!("{dir}/{name}")).collect::<Vec<_>>()
            };
            found.iter().flat_map(names).collect()
        } else {
            found.iter().map(|dir| format!("{dir}/{component}")).collect()
        };
    }
    found
}

/// The directories of musl's path file `path`, separated by colons and line ends; `None` when there is none.
pub(super) fn musl_path(files: &Files, path: &str) -> Option<Vec<String>> {
    let text = text(files, path)?;
    let dirs = text.split([':', '\n']).map(|dir| if dir.len() > 1 { dir.trim_end_matches('/') } else { dir });
    Some(dirs.filter(|dir| dir.starts_with('/')).map(str::to_owned).collect())
}

fn text(files: &Files, path: &str) -> Option<String> {
    let bytes = files.read(&Location::Host(files.in_sysroot(path))).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(contents: &[(&str, &str)]) -> (tempfile::TempDir, Files) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in contents {
            let path = root.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let files = Files::new(Some(root.path().to_path_buf()));
        (root, files)
    }

    #[test]
    fn conf() {
        let (_root, files) = root(&[
            (
                "etc/ld.so.conf",
                "# head\n\n  /first  # why\nhwcap 0 nosegneg\ninclude ld.so.conf.d/*.conf\n/last/=libc6\nrelative\n",
            ),
            ("etc/ld.so.conf.d/b.conf", "/b\n/first\ninclude /etc/ld.so.conf\n"),
            ("etc/ld.so.conf.d/a.conf", "\n/a\n"),
            ("etc/ld.so.conf.d/.hidden.conf", "/hidden\n"),
            ("etc/ld.so.conf.d/not.cnf", "/not\n"),
        ]);
        assert_eq!(ld_so_conf(&files), ["/first", "/a", "/b", "/last"]);
    }

    #[test]
    fn musl() {
        let (_root, files) = root(&[("etc/ld-musl-x86_64.path", "/a:/b\n\n/c\n")]);
        assert_eq!(musl_path(&files, "/etc/ld-musl-x86_64.path").unwrap(), ["/a", "/b", "/c"]);
        assert_eq!(musl_path(&files, "/etc/ld-musl-i386.path"), None);
    }
}
