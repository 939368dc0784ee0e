//! The libraries of the machine and of the cross libcs.

use std::path::{Path, PathBuf};

/// A library to try.
pub struct Library {
    /// Where it is.
    pub path: PathBuf,
    /// Where its dependencies are.
    pub directories: Vec<PathBuf>,
    /// The binutils' prefix.
    triple: &'static str,
}

impl Library {
    /// The directory that it is in, as text.
    pub fn directory(&self) -> String {
        self.path.parent().unwrap().display().to_string()
    }

    /// The file of a dependency.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let beside = self.path.parent().unwrap().to_owned();
        let mut directories = self.directories.iter().chain([&beside]);
        directories.find_map(|directory| std::fs::canonicalize(directory.join(name)).ok())
    }

    /// GNU strip for its machine.
    pub fn strip(&self) -> String {
        match self.triple {
            "" => "strip".into(),
            triple => format!("{triple}-strip"),
        }
    }
}

/// Every shared library below the machine's library directory.
pub fn libraries() -> Vec<Library> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let root = Path::new(&multiarch);
    let mut found = Vec::new();
    walk(root, &mut found);
    let directories =
        vec![PathBuf::from(format!("/lib/{}-linux-gnu", std::env::consts::ARCH)), root.to_owned()];
    libraries_of(found, &directories, "")
}

/// Every shared library of a cross libc of Debian's.
pub fn cross_libraries(triple: &'static str) -> Vec<Library> {
    let mut found = Vec::new();
    let directory = PathBuf::from(format!("/usr/{triple}/lib"));
    walk(&directory, &mut found);
    libraries_of(found, &[directory], triple)
}

fn libraries_of(mut paths: Vec<PathBuf>, directories: &[PathBuf], triple: &'static str) -> Vec<Library> {
    paths.sort();
    paths.dedup();
    let library = |path| Library { path, directories: directories.to_vec(), triple };
    paths.into_iter().map(library).collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            walk(&path, found);
        } else if kind.is_file()
            && path.file_name().unwrap().to_string_lossy().contains(".so")
            && is_elf(&path)
        {
            found.push(path);
        }
    }
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 4];
    std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok()) && head == *b"\x7fELF"
}

/// The file without its section header table.
pub fn without_sections(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let (shoff, shnum) = if bytes[4] == 2 { (40..48, 60..64) } else { (32..36, 48..52) };
    bytes[shoff].fill(0);
    bytes[shnum].fill(0);
    bytes
}
