//! The start-up code in source files, judged by a real Python.

use std::process::Command;

use spokeshave_core::{PackagePath, apply};
use spokeshave_testkit::{Outcome, python};

use super::code::Code;
use super::insert::{at_head, at_marks};

/// Compiles old and new: the docstring and `__future__` flags are the same, the code is the first statement after them,
/// comments of the first two lines stay, line ends are of one kind if they were.
const JUDGE: &str = r##"
import ast, pathlib, re, sys, tokenize
for old in sorted(pathlib.Path(sys.argv[1]).glob("*.old")):
    def read(path):
        data = path.read_bytes()
        with open(path, "rb") as file:
            encoding = tokenize.detect_encoding(file.readline)[0]
        return data, encoding, ast.parse(data)
    before, after = read(old), read(old.with_suffix(".new"))
    name = before[0]
    assert before[1] == after[1], (name, "encoding")
    assert ast.get_docstring(before[2], clean=False) == ast.get_docstring(after[2], clean=False), (name, "docstring")
    dump = lambda nodes: [ast.dump(node) for node in nodes]
    head = 0
    for node in before[2].body:
        doc = head == 0 and isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        if doc or isinstance(node, ast.ImportFrom) and node.module == "__future__":
            head += 1
        else:
            break
    body = after[2].body
    new = len(body) - len(before[2].body)
    assert new == 3 and body[head].name == "_spokeshave_patch", (name, "place", dump(body))
    assert dump(body[:head] + body[head + new:]) == dump(before[2].body), (name, "the rest")
    compile(after[0], str(old), "exec")
    ends = lambda data: set(re.findall(rb"\r\n|\r|\n", data))
    if len(ends(before[0])) == 1:
        assert ends(after[0]) == ends(before[0]), (name, "line ends")
    if before[0].startswith(b"#!"):
        assert after[0].splitlines()[0] == before[0].splitlines()[0], (name, "shebang")
print("ok")
"##;

fn code(dirs: &[PackagePath]) -> Code<'_> {
    Code { dirs, load_order: None }
}

fn patched(source: &[u8]) -> Vec<u8> {
    let dirs = [PackagePath::new("démo \"x\".libs").unwrap()];
    let file = PackagePath::new("pkg/sub/__init__.py").unwrap();
    let code = code(&dirs);
    let block = |newline: &str, indent: &str| code.block(&file, newline, indent);
    let new = apply(source, &at_head(source, &block).unwrap()).unwrap();
    assert_eq!(at_head(&new, &block).unwrap(), [], "a second time changes nothing");
    new
}

#[test]
fn where_it_belongs() {
    let heads: &[&str] = &[
        "",
        "\n\n",
        "# comment\n",
        "# comment",
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# (c) me\n\n",
        "\"\"\"doc\n# not a comment\n\"\"\"\n",
        "'''doc'''",
        "'doc'  # why\n",
        "\"do\\\"c\"\n",
        "r'do\\c'\n",
        "R\"\"\"do\\\"\"\"c\"\"\"\n",
        "u'doc'\n",
        "('doc')\n",
        "(  # why\n 'do' \n 'c')\n",
        "'do' 'c'\n",
        "'do' \\\n 'c'\n",
        "'do\\\nc'\n",
        "'doc'; x = 1\n",
        "'doc';\n",
        "'doc' ; # why\n",
        "'doc'; from __future__ import annotations; x = 1\n",
        "from __future__ import annotations\n",
        "from __future__ import (\n    annotations,  # why)\n    division,\n)\nimport os\n",
        "from __future__ import division, \\\n    annotations\n",
        "from __future__ import division as d",
        "from  __future__\timport(division)\n",
        "'''doc'''\n\n# why\nfrom __future__ import division\nfrom __future__ import annotations;from __future__ import generators\n",
        "from __futures import x\n",
        "from . import ext\n",
        "import os; 'no doc'\n",
        "b'no doc'\n",
        "f'no doc'\n",
        "f'''no\ndoc {1}'''\n",
        "'no' + 'doc'\n",
        "'no', 'doc'\n",
        "('no', )\n",
        "'no'.lower()\n",
        "('no' 'doc').lower()\n",
        "x = '''\nfrom __future__ import annotations\n'''\n",
        "@property\ndef f(): pass\n",
        "if True:\n    'no doc'\n",
        "\x0c\n'doc'\n",
        "   \n\t\n'doc'\nx = 1\n",
        "()\n",
        "'a' if 1 else 'b'\n",
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    let mut case = |source: &[u8]| {
        let path = dir.path().join(format!("{count:04}.old"));
        fs_err::write(&path, source).unwrap();
        fs_err::write(path.with_extension("new"), patched(source)).unwrap();
        count += 1;
    };
    for head in heads {
        for tail in ["", "y = 'tail'\n", "'tail'\n"] {
            // What has no line end can have nothing behind it.
            if !tail.is_empty() && !head.is_empty() && !head.ends_with('\n') {
                continue;
            }
            let text = format!("{head}{tail}");
            for newline in ["\n", "\r\n", "\r"] {
                case(text.replace('\n', newline).as_bytes());
            }
            case(format!("\u{feff}{text}").as_bytes());
        }
    }
    // 表 ends with the byte of a backslash in Shift JIS, as 功 does in Big5.
    case(b"# coding: shift_jis\n'\x95\x5c'\nx = 1\n");
    case(b"#!python\n# vim: set fileencoding=big5 :\n\"\"\"\xa5\x5c\"\"\"\nx = 1\n");
    case(b"# -*- coding: cp1252 -*-\r\n'''\x93doc\x94'''\r\nx = 1\r\n");
    case(b"# coding: latin-1\n'\xff\\'doc'\n");
    let judge = Outcome::of(Command::new(python()).args(["-c", JUDGE]).arg(dir.path())).exits(0);
    assert_eq!(judge.stdout.trim(), "ok");
    assert!(count > 250, "{count}");
}

#[test]
fn what_is_no_python_is_refused() {
    let block = |_: &str, _: &str| Vec::new();
    for source in ["'''doc", "'doc\n'", "from __future__ import (x\n"] {
        assert!(at_head(source.as_bytes(), &block).is_err(), "{source:?}");
    }
}

#[test]
fn an_earlier_code_is_replaced() {
    let source = b"'doc'\r\n# start spokeshave patch\r\nold()\r\n# end spokeshave patch\r\n\r\nx = 1\r\n";
    let new = String::from_utf8(patched(source)).unwrap();
    assert!(new.starts_with("'doc'\r\n# start spokeshave patch\r\ndef "), "{new}");
    assert!(new.ends_with("# end spokeshave patch\r\n\r\nx = 1\r\n") && !new.contains("old()"), "{new}");
}

#[test]
fn at_marks_with_their_indentation() {
    let dirs = [PackagePath::new("demo.libs").unwrap()];
    let file = PackagePath::new("demo/load.py").unwrap();
    let code = code(&dirs);
    let block = |newline: &str, indent: &str| code.block(&file, newline, indent);
    let source = b"def load():\n    x = 1\n    # delvewheel: patch\n    return x\n\n# spokeshave : patch";
    let new = apply(source, &at_marks(source, &block).unwrap().unwrap()).unwrap();
    let text = String::from_utf8(new.clone()).unwrap();
    assert!(
        text.contains("    # delvewheel: patch\n    # start spokeshave patch\n    def _spokeshave"),
        "{text}"
    );
    assert_eq!(text.matches("os.add_dll_directory(libs_dir)").count(), 2);
    assert_eq!(at_marks(&new, &block).unwrap().unwrap(), [], "a second time changes nothing");
    assert_eq!(at_marks(b"x = '# delvewheel: patch'\n", &block).unwrap(), None);
    let check = "import ast, sys; ast.parse(sys.argv[1])";
    Outcome::of(Command::new(python()).args(["-c", check, &text])).exits(0);
}
