#!/usr/bin/env python3
"""Makes the corpus: small wheels that ask for all sorts of things, to be judged by auditwheel and by spokeshave.

    python make.py OUT

OUT/wheels has one wheel a case, OUT/libs the libraries outside them, OUT/corpus.json the list of cases. The
libraries that a case is linked against are stand-ins with the names and versions it asks for, so that any version
can be asked for on any host. Needs gcc, the cross gccs of tests/apt.txt and ziglang.
"""

import base64
import csv
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import auditwheel.policy

ZIG = [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all", "-target"]
COMPILERS = {
    "x86_64": ["gcc"],
    "i686": ["i686-linux-gnu-gcc"],
    "aarch64": ["aarch64-linux-gnu-gcc"],
    "armv7l": ["arm-linux-gnueabihf-gcc"],
    "ppc64le": ["powerpc64le-linux-gnu-gcc"],
    "s390x": ["s390x-linux-gnu-gcc"],
    "riscv64": ["riscv64-linux-gnu-gcc"],
    "loongarch64": [*ZIG, "loongarch64-linux-gnu"],
}
LIBC = {"glibc": "libc.so.6", "musl": "libc.musl-x86_64.so.1", "android": "libc.so"}
INIT = "void PyInit_{0}(void) {{}}\n"
CASES = []


class Elf:
    """A file to link: `asks` maps a soname to the symbols wanted of it, each with its version or None."""

    def __init__(self, asks=(), *, code="", flags=(), arch=None, libc="glibc", record=True, weak=False):
        self.asks = {LIBC[libc]: {}} | dict(asks)
        self.code, self.flags, self.arch, self.record, self.weak = code, list(flags), arch, record, weak


def glibc(*versions):
    return {"libc.so.6": {f"f{i}": version for i, version in enumerate(versions)}}


def case(name, files, *, libs=None, tag="linux_x86_64", args=(), arch="x86_64"):
    """`files` maps paths in the wheel to Elf, `libs` the names of libraries outside it."""
    CASES.append({"name": name, "files": files, "libs": libs or {}, "tag": tag, "args": list(args), "arch": arch})


def extension(name, asks=(), *, args=(), tag="linux_x86_64", libs=None, **elf):
    case(name, {"pkg/ext.so": Elf(asks, code=INIT.format("ext"), **elf)}, args=args, tag=tag, libs=libs)


def version_cases():
    """One wheel for each policy of each architecture, asking for what is new in it."""
    path = auditwheel.policy._POLICY_JSON_MAP[auditwheel.policy.Libc.GLIBC]
    policies = sorted(json.loads(path.read_text()), key=lambda policy: -policy["priority"])
    providers = {
        "GLIBC": "libc.so.6", "GLIBCXX": "libstdc++.so.6", "CXXABI": "libstdc++.so.6",
        "GCC": "libgcc_s.so.1", "ZLIB": "libz.so.1", "LIBATOMIC": "libatomic.so.1",
    }
    for arch in COMPILERS:
        seen = {}
        for policy in policies:
            for namespace, versions in policy["symbol_versions"].get(arch, {}).items():
                known = seen.setdefault(namespace, set())
                new = [version for version in versions if version not in known]
                known.update(versions)
                if new and (arch == "x86_64" or namespace in ("GLIBC", "GLIBCXX")):
                    case(
                        f"{arch}_{namespace}_{policy['name']}",
                        {"pkg/ext.so": Elf({providers[namespace]: {"f": f"{namespace}_{new[-1]}"}}, code=INIT.format("ext"))},
                        arch=arch,
                        tag=f"linux_{arch}",
                    )


def cases():
    version_cases()
    extension("no_versions")
    extension("newer_glibc", glibc("GLIBC_2.99"))
    extension("private_glibc", glibc("GLIBC_PRIVATE"))
    extension("unknown_namespace", glibc("NEWLIBC_1"))
    extension("loader_version", {"ld-linux-x86-64.so.2": {"rseq": "GLIBC_2.35"}})
    extension("weak_version", glibc("GLIBC_2.29"), weak=True)

    # symbols that a policy forbids
    extension("zlib_public", {"libz.so.1": {"inflate": None}})
    extension("zlib_internal", {"libz.so.1": {"inflate_table": None}})
    extension("zlib_uncompress2", {"libz.so.1": {"uncompress2": None}})
    extension("libc_issignaling", {"libc.so.6": {"__issignaling": None}})
    carried = {"libcarried-forbidden.so": Elf({"libz.so.1": {"uncompress2": None}})}
    extension("carried_forbidden", {"libcarried-forbidden.so": {"g": None}}, libs=carried)

    # libraries outside the wheel
    extension("carried_plain", {"libplain.so": {"g": None}}, libs={"libplain.so": Elf()})
    extension("carried_newer", {"libnewer.so": {"g": None}}, libs={"libnewer.so": Elf(glibc("GLIBC_2.34"))})
    extension("carried_too_new", {"libtoonew.so": {"g": None}}, libs={"libtoonew.so": Elf(glibc("GLIBC_2.99"))})
    extension("carried_versioned", {"libversioned.so": {"g": "VERSIONED_1"}}, libs={"libversioned.so": Elf()})
    extension("carried_like_zlib", {"libz-ng.so.2": {"g": "ZLIB_NG_2.0.0"}}, libs={"libz-ng.so.2": Elf()})
    extension("carried_chain", {"libchain1.so": {"g": None}}, libs={
        "libchain1.so": Elf({"libchain2.so": {"g": None}}),
        "libchain2.so": Elf(glibc("GLIBC_2.27")),
    })
    extension("carried_excluded", {"libexcluded.so": {"g": None}}, args=["--exclude", "libexcl*"], libs={
        "libexcluded.so": Elf(glibc("GLIBC_2.34")),
    })
    extension("promised_expat", {"libexpat.so.1": {"g": None}}, libs={"libexpat.so.1": Elf()})
    extension("promised_expat_plat_2_5", {"libexpat.so.1": {"g": None}}, args=["--plat", "manylinux_2_5_x86_64"])
    extension("promised_expat_plat_2_28", {"libexpat.so.1": {"g": None}}, args=["--plat", "manylinux_2_28_x86_64"])
    extension("promised_mvec", {"libmvec.so.1": {"g": "GLIBC_2.22"}})
    extension("missing", {"libnowhere.so.3": {"g": None}})

    # tags claimed and asked for
    extension("claim_false", glibc("GLIBC_2.29"), tag="manylinux_2_17_x86_64.manylinux2014_x86_64")
    extension("claim_true", glibc("GLIBC_2.29"), tag="manylinux_2_34_x86_64")
    extension("claim_best", glibc("GLIBC_2.14"), tag="manylinux2014_x86_64.manylinux_2_17_x86_64")
    extension("plat_laxer", glibc("GLIBC_2.14"), args=["--plat", "manylinux_2_28_x86_64"])
    extension("plat_laxer_only", glibc("GLIBC_2.14"), args=["--plat", "manylinux_2_28_x86_64", "--only-plat"])
    extension("plat_alias", glibc("GLIBC_2.5"), args=["--plat", "manylinux2014_x86_64"])
    extension("plat_bare", glibc("GLIBC_2.5"), args=["--plat", "manylinux_2_17"])
    extension("plat_too_strict", glibc("GLIBC_2.29"), args=["--plat", "manylinux_2_17_x86_64"])
    extension("plat_strict_carried", {"libstrict.so": {"g": None}}, args=["--plat", "manylinux_2_17_x86_64"], libs={
        "libstrict.so": Elf(glibc("GLIBC_2.34")),
    })
    extension("plat_other_libc", args=["--plat", "musllinux_1_2_x86_64"])
    extension("plat_other_arch", args=["--plat", "manylinux_2_28_aarch64"])

    # processor levels
    v3 = ["-Wl,-z,x86-64-v3"]
    extension("isa_v2", flags=["-Wl,-z,x86-64-v2"])
    extension("isa_v3", flags=v3)
    extension("isa_v3_ignored", flags=v3, args=["--disable-isa-ext-check"])
    extension("isa_carried", {"libisa.so": {"g": None}}, libs={"libisa.so": Elf(flags=v3)})
    case("isa_inside", {
        "pkg/ext.so": Elf({"libinsideisa.so": {"g": None}}, code=INIT.format("ext"), flags=["-Wl,-rpath,$ORIGIN"]),
        "pkg/libinsideisa.so": Elf(flags=v3),
    })

    # Pythons that the tags leave out, and libpython
    extension("pyfpe", {"libpythons.so": {"PyFPE_jbuf": None}}, libs={"libpythons.so": Elf(code="void PyFPE_jbuf(void) {}\n")})
    case("ucs2", {"pkg/ext.so": Elf({"libucs2.so": {"PyUnicodeUCS2_Join": None}}, code="void initext(void) {}\n")},
         libs={"libucs2.so": Elf(code="void PyUnicodeUCS2_Join(void) {}\n")})
    extension("libpython", {"libpython3.11.so.1.0": {"g": None}})
    extension("libpython_t", {"libpython3.13t.so.1.0": {"g": None}})
    extension("libpython_plain", {"libpython3.so": {"g": None}})

    # several files
    case("two_extensions", {
        "pkg/a.so": Elf(glibc("GLIBC_2.14"), code=INIT.format("a")),
        "pkg/b.so": Elf(glibc("GLIBC_2.17"), code=INIT.format("b")),
    })
    case("inside_library", {
        "pkg/ext.so": Elf({"libinside.so": {"g": None}}, code=INIT.format("ext"), flags=["-Wl,-rpath,$ORIGIN/lib"]),
        "pkg/lib/libinside.so": Elf(glibc("GLIBC_2.27")),
    })
    case("inside_versioned", {
        "pkg/ext.so": Elf({"libstdc++-0123abcd.so.6": {"g": "GLIBCXX_3.4.30"}}, code=INIT.format("ext"),
                          flags=["-Wl,-rpath,$ORIGIN/lib"]),
        "pkg/lib/libstdc++-0123abcd.so.6": Elf(),
    })
    case("foreign_architecture", {
        "pkg/ext.so": Elf(glibc("GLIBC_2.5"), code=INIT.format("ext")),
        "pkg/other.so": Elf(glibc("GLIBC_2.34"), arch="aarch64"),
    })
    case("not_in_record", {
        "pkg/ext.so": Elf(glibc("GLIBC_2.5"), code=INIT.format("ext")),
        "pkg/hidden.so": Elf(glibc("GLIBC_2.34"), record=False),
    })
    case("only_a_library", {"pkg/libalone.so": Elf(glibc("GLIBC_2.18"))})

    # musl
    musl = {"libc": "musl"}
    extension("musl", **musl)
    extension("musl_libc_so", {"libc.so": {"g": None}}, **musl)
    extension("musl_zlib", {"libz.so.1": {"inflate": "ZLIB_1.2.9"}}, **musl)
    extension("musl_zlib_internal", {"libz.so.1": {"inflate_table": None}}, **musl)
    extension("musl_carried", {"libmuslcarried.so": {"g": None}}, libs={"libmuslcarried.so": Elf(**musl)}, **musl)
    extension("musl_plat_1_2", args=["--plat", "musllinux_1_2_x86_64"], **musl)
    extension("musl_claim_1_1", tag="musllinux_1_1_x86_64", **musl)

    # Android
    android = {"libc": "android", "tag": "android_24_x86_64"}
    extension("android", {"libm.so": {"g": None}, "libpython3.13.so": {"h": None}}, **android)
    extension("android_carried", {"libdroid.so": {"g": None}}, args=["--ldpaths", "LIBS"],
              libs={"libdroid.so": Elf(libc="android")}, **android)
    extension("android_newer_library", {"libsync.so": {"g": None}}, args=["--ldpaths", "LIBS"],
              libs={"libsync.so": Elf(libc="android")}, **android)
    extension("android_newer_level", {"libsync.so": {"g": None}}, libc="android", tag="android_28_x86_64")


def link(target, elf, arch, work, found):
    """Links one file; `found` has the real libraries, stand-ins are made for the others."""
    compiler = COMPILERS[elf.arch or arch]
    work.mkdir(parents=True)
    base = [*compiler, "-shared", "-nostdlib", "-fPIC", "-O1", "-fno-stack-protector", "-Wl,--build-id=none"]
    names, wanted = [], []
    for soname, symbols in elf.asks.items():
        names.append(found.get(soname))
        symbols = symbols or {f"present_{len(names)}": None}
        wanted += symbols
        if names[-1] is None:
            names[-1] = stand_in(base, work, soname, symbols)
    code = elf.code + "".join(f"extern void {s}(void);\n" for s in wanted)
    if elf.weak:
        code += "".join(f"#pragma weak {s}\n" for s in wanted)
    code += "void use(void) {\n" + "".join(f"  {s}();\n" for s in wanted) + "}\n"
    if target.name.startswith("lib"):
        code += "void g(void) {}\n"
    (work / "file.c").write_text(code)
    script = []
    if target.name.startswith("lib"):
        script = [f"-Wl,-soname,{target.name}"]
        if version := VERSION_OF_G.get(target.name):
            (work / "map").write_text(f"{version} {{ g; }};\n")
            script.append(f"-Wl,--version-script={work / 'map'}")
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", *elf.flags]
    run([*base, *flags, *script, "-o", target, work / "file.c", *names])


# The version under which a library of the corpus has its function `g`.
VERSION_OF_G = {
    "libversioned.so": "VERSIONED_1",
    "libz-ng.so.2": "ZLIB_NG_2.0.0",
    "libstdc++-0123abcd.so.6": "GLIBCXX_3.4.30",
}


def stand_in(base, work, soname, symbols):
    path = work / "stand-in" / soname
    path.parent.mkdir(exist_ok=True)
    source = path.with_name(soname + ".c")
    source.write_text("".join(f"void {s}(void) {{}}\n" for s in symbols))
    versions = {}
    for symbol, version in symbols.items():
        if version:
            versions.setdefault(version, []).append(symbol)
    script = []
    if versions:
        text = "".join(f"{v} {{ {' '.join(s + ';' for s in listed)} }};\n" for v, listed in versions.items())
        path.with_name(soname + ".map").write_text(text)
        script = [f"-Wl,--version-script={path.with_name(soname + '.map')}"]
    run([*base, f"-Wl,-soname,{soname}", *script, "-o", path, source])
    return path


def run(command):
    done = subprocess.run([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")


def pack(path, files, tag):
    """Writes a wheel with a right RECORD, but for the files that it shall not list."""
    platforms = tag.split(".")
    meta = "pkg-1.0.dist-info"
    listed = [(name, data, True) for name, data in [
        ("pkg/__init__.py", b""),
        (f"{meta}/METADATA", b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"),
        (f"{meta}/WHEEL", ("Wheel-Version: 1.0\nGenerator: corpus\nRoot-Is-Purelib: false\n"
                           + "".join(f"Tag: cp39-cp39-{p}\n" for p in platforms)).encode()),
    ]] + files
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    for name, data, recorded in listed:
        if recorded:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            writer.writerow([name, f"sha256={digest}", len(data)])
    writer.writerow([f"{meta}/RECORD", "", ""])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data, _ in [*listed, (f"{meta}/RECORD", record.getvalue().encode(), True)]:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(info, data)


def build(entry, out):
    work = out / "work" / entry["name"]
    found = {}
    pending = dict(entry["libs"])
    while pending:
        # A library is linked once those that it asks for are there.
        name = next(n for n, elf in pending.items() if not set(elf.asks) & (set(pending) - {n}))
        link(out / "libs" / name, pending.pop(name), entry["arch"], work / f"lib-{name}", found)
        found[name] = out / "libs" / name
    files = []
    inside = {pathlib.PurePath(path).name: path for path in entry["files"]}
    for path in sorted(entry["files"], key=lambda p: bool(set(entry["files"][p].asks) & set(inside))):
        elf = entry["files"][path]
        target = work / "tree" / path
        link(target, elf, entry["arch"], work / f"file-{target.name}", found)
        found[target.name] = target
        files.append((path, target.read_bytes(), elf.record))
    directory = out / "wheels" / entry["name"]
    directory.mkdir(parents=True)
    wheel = directory / f"pkg-1.0-cp39-cp39-{'.'.join(sorted(entry['tag'].split('.')))}.whl"
    pack(wheel, sorted(files), entry["tag"])
    args = [str(out / "libs") if arg == "LIBS" else arg for arg in entry["args"]]
    return {"name": entry["name"], "wheel": str(wheel), "args": args}


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    (out / "libs").mkdir(parents=True)
    cases()
    with ThreadPoolExecutor(2) as pool:
        listed = list(pool.map(lambda entry: build(entry, out), CASES))
    (out / "corpus.json").write_text(json.dumps({"libs": str(out / "libs"), "cases": listed}, indent=1))


if __name__ == "__main__":
    main()
