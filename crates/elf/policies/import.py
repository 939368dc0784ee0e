#!/usr/bin/env python3
"""Remake the policy files beside this script from an auditwheel release.

    python import.py                 # the release named below, fetched with pip
    python import.py 6.9.0           # another release
    python import.py path/to/policy  # a directory with auditwheel's *-policy.json

Only facts are taken over: names, libraries, symbol versions, barred symbols. See README.md for the format.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

RELEASE = "6.8.2"
HERE = pathlib.Path(__file__).parent
PEPS = {
    "manylinux": "PEP 513 (manylinux1), PEP 571 (manylinux2010), PEP 599 (manylinux2014), PEP 600 (manylinux_X_Y)",
    "musllinux": "PEP 656",
    "android": "PEP 738, https://developer.android.com/ndk/guides/stable_apis",
}


def source_files(argument):
    """The JSON texts by family, and what to call their source."""
    directory = pathlib.Path(argument)
    if directory.is_dir():
        return {f: (directory / f"{f}-policy.json").read_text() for f in PEPS}, str(argument)
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", tmp, f"auditwheel=={argument}"],
            check=True,
        )
        with zipfile.ZipFile(next(pathlib.Path(tmp).glob("*.whl"))) as wheel:
            texts = {f: wheel.read(f"auditwheel/policy/{f}-policy.json").decode() for f in PEPS}
    return texts, f"pypa/auditwheel {argument}, src/auditwheel/policy"


def natural(text):
    """Sorts `2.9` before `2.10`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split(".")]


def strings(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def table(lines, head, rows):
    if rows:
        lines += [head] + [f"{key} = {value}" for key, value in rows]


def render(family, policies, source):
    """One TOML file: policies from the strictest to the laxest, each as what it adds to the one before."""
    lines = [
        f"# Platform policies of the {family} tags, strictest first; each says what it adds to the one before it.",
        f"# Facts from {PEPS[family]} and {source}.",
        "# Made by import.py; the format is described in README.md.",
    ]
    policies = sorted((p for p in policies if p["name"] != "linux"), key=lambda p: -p["priority"])
    libraries, forbidden, versions = set(), {}, {}
    for policy in policies:
        lines += ["", "[[policy]]", f'name = "{policy["name"]}"']
        if policy["aliases"]:
            lines.append(f"aliases = {strings(policy['aliases'])}")
        lines.append(f"architectures = {strings(sorted(policy['symbol_versions']))}")
        new = sorted(set(policy["lib_whitelist"]) - libraries)
        if libraries - set(policy["lib_whitelist"]):
            sys.exit(f"{policy['name']} no longer promises {libraries - set(policy['lib_whitelist'])}")
        if new:
            lines.append(f"libraries = {strings(new)}")
        libraries.update(new)

        now = {library: set(symbols) for library, symbols in policy["blacklist"].items()}
        added, freed = [], []
        for library in sorted(now.keys() | forbidden.keys()):
            old, new = forbidden.get(library, set()), now.get(library, set())
            if new - old:
                added.append((f'"{library}"', f'"{" ".join(sorted(new - old))}"'))
            if old - new:
                freed.append((f'"{library}"', f'"{" ".join(sorted(old - new))}"'))
        table(lines, "[policy.forbids]", added)
        table(lines, "[policy.frees]", freed)
        forbidden = now

        for arch in sorted(policy["symbol_versions"]):
            rows = []
            for namespace, listed in policy["symbol_versions"][arch].items():
                known = versions.setdefault((arch, namespace), None)
                if (known or set()) - set(listed):
                    sys.exit(f"{policy['name']}_{arch} drops {(known or set()) - set(listed)}")
                new = sorted(set(listed) - (known or set()), key=natural)
                if new or known is None:
                    rows.append((namespace, f'"{" ".join(new)}"'))
                versions[arch, namespace] = set(listed)
            table(lines, f"[policy.versions.{arch}]", sorted(rows))
    return "\n".join(lines) + "\n"


def main():
    texts, source = source_files(sys.argv[1] if len(sys.argv) > 1 else RELEASE)
    for family, text in texts.items():
        (HERE / f"{family}.toml").write_text(render(family, json.loads(text), source))


if __name__ == "__main__":
    main()
