#!/usr/bin/env python3
"""Undoes delvewheel's repair of a wheel.

usage: pe_carry_out.py WHEEL OUTPUT DIRECTORY

OUTPUT is the wheel without its .libs directory, whose DLLs go to DIRECTORY, and without the code in __init__.py.
"""

import base64
import hashlib
import re
import sys
import zipfile
from pathlib import Path

PATCH = re.compile(rb'(?:"""""" )?# start delvewheel patch.*?# end delvewheel patch\r?\n?', re.DOTALL)

source, output, libs = map(Path, sys.argv[1:])
libs.mkdir(parents=True, exist_ok=True)
members = {}
moved = patches = 0
with zipfile.ZipFile(source) as wheel:
    for info in wheel.infolist():
        name, data = info.filename, wheel.read(info)
        if name.partition("/")[0].endswith(".libs"):
            if name.endswith(".dll"):
                (libs / Path(name).name).write_bytes(data)
                moved += 1
        elif not name.endswith(("/", "/DELVEWHEEL", "/RECORD")):
            if name.endswith(".py"):
                data, count = PATCH.subn(b"", data)
                patches += count
            members[name] = data
assert moved and patches, (source, moved, patches)
(metadata,) = (name.removesuffix("/WHEEL") for name in members if name.endswith(".dist-info/WHEEL"))
record = f"{metadata}/RECORD,,\n"
with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as wheel:
    for name, data in members.items():
        wheel.writestr(name, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    wheel.writestr(f"{metadata}/RECORD", record)
