//! The code itself.

use spokeshave_core::PackagePath;

/// What the code begins and ends with.
pub const START: &str = "# start spokeshave patch";
/// See [`START`].
pub const END: &str = "# end spokeshave patch";

/// What the code is to make known.
pub struct Code<'a> {
    /// The directories with carried libraries.
    pub dirs: &'a [PackagePath],
    /// The name of the load-order file in the first of them, for interpreters that need one.
    pub load_order: Option<String>,
}

impl Code<'_> {
    /// The code for the source file `file`, every line with `indent` before it and `newline` behind it.
    ///
    /// Directories are registered while it runs and stay so: the object that `os.add_dll_directory` returns undoes
    /// nothing unless asked to. Before Python 3.8 there is no such function, and conda's builds before 3.10 ignore it;
    /// there the libraries are loaded beforehand.
    pub fn block(&self, file: &PackagePath, newline: &str, indent: &str) -> Vec<u8> {
        let mut lines: Vec<String> = vec![START.to_owned(), "def _spokeshave_patch():".to_owned()];
        let mut line =
            |text: &str| lines.push(if text.is_empty() { String::new() } else { format!("    {text}") });
        line("import os");
        if self.load_order.is_some() {
            line("import sys");
        }
        line("");
        line("here = os.path.dirname(os.path.abspath(__file__))");
        for dir in self.dirs {
            let parts: Vec<String> = dir.relative_from(&file.parent()).split('/').map(quoted).collect();
            line(&format!("libs_dir = os.path.normpath(os.path.join(here, {}))", parts.join(", ")));
            match &self.load_order {
                None => {
                    line("if hasattr(os, \"add_dll_directory\") and os.path.isdir(libs_dir):");
                    line("    os.add_dll_directory(libs_dir)");
                }
                Some(name) => old_interpreters(&mut line, name),
            }
        }
        lines.extend(["", "", "_spokeshave_patch()", "del _spokeshave_patch", END].map(str::to_owned));
        let mut block = String::new();
        for text in lines {
            if !text.is_empty() {
                block.push_str(indent);
                block.push_str(&text);
            }
            block.push_str(newline);
        }
        block.into_bytes()
    }
}

fn old_interpreters(line: &mut impl FnMut(&str), load_order: &str) {
    line("conda = os.path.isdir(os.path.join(getattr(sys, \"base_prefix\", sys.prefix), \"conda-meta\"))");
    line("works = sys.version_info >= (3, 10) or not (conda or \"conda\" in sys.version)");
    line("if not os.path.isdir(libs_dir):");
    line("    pass");
    line("elif hasattr(os, \"add_dll_directory\") and works:");
    line("    os.add_dll_directory(libs_dir)");
    line(&format!("elif os.path.isfile(os.path.join(libs_dir, {})):", quoted(load_order)));
    line("    import ctypes");
    line("    import io");
    line("");
    line("    kernel32 = ctypes.WinDLL(\"kernel32\", use_last_error=True)");
    line("    load = kernel32.LoadLibraryExW");
    line("    load.restype = ctypes.c_void_p");
    line("    load.argtypes = [ctypes.c_wchar_p, ctypes.c_void_p, ctypes.c_uint32]");
    line(&format!(
        "    with io.open(os.path.join(libs_dir, {}), encoding=\"utf-8\") as names:",
        quoted(load_order)
    ));
    line("        for name in names.read().splitlines():");
    line("            path = os.path.join(libs_dir, name)");
    line("            # LOAD_WITH_ALTERED_SEARCH_PATH");
    line("            if os.path.isfile(path) and not load(path, None, 8):");
    line("                raise ctypes.WinError(ctypes.get_last_error())");
}

/// A Python string that needs no encoding to be declared.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            other => quoted.push_str(&format!("\\U{:08x}", other as u32)),
        }
    }
    quoted.push('"');
    quoted
}
