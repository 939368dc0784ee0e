//! C compilers and the small sources that fixtures are made of.

use std::path::Path;

use crate::{python, run};

/// A C compiler: the words of its command line.
#[derive(Debug, Clone)]
pub struct Cc(Vec<String>);

impl Cc {
    /// The host's gcc.
    pub fn gcc() -> Cc {
        Cc(vec!["gcc".into()])
    }

    /// musl's wrapper around gcc.
    pub fn musl() -> Cc {
        Cc(vec!["musl-gcc".into()])
    }

    /// Another compiler of the `PATH`.
    pub fn named(program: &str) -> Cc {
        Cc(vec![program.into()])
    }

    /// zig for a target such as `aarch64-linux-gnu.2.17`.
    pub fn zig(target: &str) -> Cc {
        let python = python().to_string_lossy().into_owned();
        Cc(vec![python, "-m".into(), "ziglang".into(), "cc".into(), "-target".into(), target.into()])
    }

    /// Compiles `source` into `out`, with `args` behind the source (libraries must stand there).
    #[track_caller]
    pub fn build(&self, out: &Path, source: &str, args: &[&str]) {
        fs_err::create_dir_all(out.parent().unwrap()).unwrap();
        let file = tempfile::Builder::new().suffix(".c").tempfile().unwrap();
        fs_err::write(file.path(), source).unwrap();
        let mut line: Vec<&str> = self.0.iter().skip(1).map(String::as_str).collect();
        line.extend(["-O1", "-w", "-o", out.to_str().unwrap(), file.path().to_str().unwrap()]);
        line.extend(args);
        run(&self.0[0], line);
    }

    /// Builds a shared library with this soname.
    #[track_caller]
    pub fn library(&self, out: &Path, soname: &str, source: &str, args: &[&str]) {
        let soname = format!("-Wl,-soname,{soname}");
        self.build(out, source, &[&["-shared", "-fPIC", &soname][..], args].concat());
    }

    /// Builds a stable-ABI extension of CPython 3.9 and later: module `name`, whose `value()` is the C expression
    /// `value` over what `declarations` declares.
    #[track_caller]
    pub fn extension(&self, out: &Path, name: &str, declarations: &str, value: &str, args: &[&str]) {
        let source = format!(
            r#"#define Py_LIMITED_API 0x03090000
#include <Python.h>
{declarations}
static PyObject *value(PyObject *self, PyObject *none) {{ return PyLong_FromLong({value}); }}
static PyMethodDef methods[] = {{{{"value", value, METH_NOARGS, NULL}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"#
        );
        let include = run(python(), ["-c", "import sysconfig; print(sysconfig.get_path('include'))"]);
        let include = format!("-I{}", include.trim());
        self.build(out, &source, &[&["-shared", "-fPIC", &include][..], args].concat());
    }
}
