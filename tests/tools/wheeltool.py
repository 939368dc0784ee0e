"""Packs a tree into a wheel, and checks a wheel, with nothing but Python's own modules.

    wheeltool.py pack TREE WHEEL [--omit MEMBER]...   zip TREE, with a RECORD that leaves the MEMBERs out
    wheeltool.py check WHEEL                          names, RECORD, WHEEL and the zip itself agree, or exit 1
    wheeltool.py unpack WHEEL TREE                   unzip it with its modes; symbolic links become text files
    wheeltool.py list WHEEL                           one line a member: mode, kind, name
"""

import argparse
import base64
import csv
import hashlib
import io
import os
import re
import stat
import sys
import zipfile

TIME = (2020, 2, 2, 2, 2, 2)


def digest(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def members_below(tree):
    for folder, folders, files in os.walk(tree):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(files + links):
            path = os.path.join(folder, name)
            yield os.path.relpath(path, tree), path


def pack(tree, wheel, omit):
    rows = []
    found = sorted(members_below(tree), key=lambda item: (".dist-info/" in item[0], item[0]))
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name, data, mode):
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            archive.writestr(info, data)

        for name, path in found:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                data = os.readlink(path).encode()
            else:
                with open(path, "rb") as file:
                    data = file.read()
            add(name, data, status.st_mode)
            if name not in omit:
                rows.append([name, digest(data), str(len(data))])
        info = next(name for name, _ in found if name.endswith(".dist-info/WHEEL")).rsplit("/", 1)[0]
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows + [[info + "/RECORD", "", ""]])
        add(info + "/RECORD", text.getvalue().encode(), 0o100644)


def expanded(tag):
    python, abi, platform = tag.split("-")
    return {(p, a, t) for p in python.split(".") for a in abi.split(".") for t in platform.split(".")}


def check(wheel):
    wrong = []
    name = os.path.basename(wheel)[: -len(".whl")]
    parts = name.split("-")
    if len(parts) not in (5, 6):
        return [f"file name: {len(parts)} parts"]
    with zipfile.ZipFile(wheel) as archive:
        if (bad := archive.testzip()) is not None:
            wrong.append(f"{bad}: damaged")
        infos = archive.infolist()
        names = [info.filename for info in infos]
        for twice in sorted({n for n in names if names.count(n) > 1}):
            wrong.append(f"{twice}: more than once")
        dist_infos = {n.split("/")[0] for n in names if n.split("/")[0].endswith(".dist-info")}
        if len(dist_infos) != 1:
            return wrong + [f"dist-info directories: {sorted(dist_infos)}"]
        dist_info = dist_infos.pop()
        plain = [re.sub(r"[-_.]+", "_", p).lower() for p in dist_info[: -len(".dist-info")].rsplit("-", 1)]
        if plain != [re.sub(r"[-_.]+", "_", p).lower() for p in parts[:2]]:
            wrong.append(f"{dist_info}: not the file name's")

        tags = set()
        for line in archive.read(f"{dist_info}/WHEEL").decode().splitlines():
            key, _, value = line.partition(":")
            if key == "Tag":
                if value.strip().count("-") != 2 or "." in value:
                    wrong.append(f"WHEEL: bad tag {value!r}")
                else:
                    tags |= expanded(value.strip())
        if tags != expanded("-".join(parts[-3:])):
            wrong.append(f"WHEEL: tags {sorted(tags)} are not the file name's")

        rows = list(csv.reader(io.StringIO(archive.read(f"{dist_info}/RECORD").decode())))
        recorded = {}
        for row in rows:
            if len(row) != 3:
                wrong.append(f"RECORD: {row}")
            elif row[0] in recorded:
                wrong.append(f"RECORD: {row[0]} more than once")
            else:
                recorded[row[0]] = row[1:]
        files = {n for n in names if not n.endswith("/")}
        unsigned = {f"{dist_info}/RECORD{end}" for end in ("", ".jws", ".p7s")}
        for n in sorted(files - recorded.keys() - unsigned):
            wrong.append(f"RECORD: {n} is missing")
        for n in sorted(recorded.keys() - files):
            wrong.append(f"RECORD: {n} is not in the wheel")
        for n in sorted(files & recorded.keys() - unsigned):
            data = archive.read(n)
            if recorded[n] != [digest(data), str(len(data))]:
                wrong.append(f"RECORD: {n} has another hash or size")
    return wrong


def unpack(wheel, tree):
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            path = archive.extract(info, tree)
            if stat.S_ISREG(info.external_attr >> 16):
                os.chmod(path, info.external_attr >> 16 & 0o777)


def listing(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            print(stat.filemode(info.external_attr >> 16), info.filename)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("tree")
    packing.add_argument("wheel")
    packing.add_argument("--omit", action="append", default=[])
    for command in ("check", "list", "unpack"):
        commands.add_parser(command).add_argument("wheel")
    commands.choices["unpack"].add_argument("tree")
    given = parser.parse_args()
    if given.command == "pack":
        pack(given.tree, given.wheel, given.omit)
    elif given.command == "unpack":
        unpack(given.wheel, given.tree)
    elif given.command == "list":
        listing(given.wheel)
    elif wrong := check(given.wheel):
        sys.exit("\n".join(wrong))


main()
