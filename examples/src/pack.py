"""Packs a wheel: pack.py OUTPUT.whl MEMBER=FILE…; the same bytes whenever and wherever it runs."""

import base64
import hashlib
import pathlib
import sys
import zipfile

output = pathlib.Path(sys.argv[1])
name, version, python, abi, platform = output.stem.split("-")
info = f"{name}-{version}.dist-info"
members = {}
for pair in sys.argv[2:]:
    member, file = pair.split("=", 1)
    members[member] = pathlib.Path(file).read_bytes()
members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
members[f"{info}/WHEEL"] = (
    f"Wheel-Version: 1.0\nGenerator: examples/build.sh\nRoot-Is-Purelib: false\nTag: {python}-{abi}-{platform}\n".encode()
)
record = ""
for member, data in members.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    record += f"{member},sha256={digest},{len(data)}\n"
members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

with zipfile.ZipFile(output, "w") as wheel:
    for member, data in members.items():
        entry = zipfile.ZipInfo(member)  # dated 1980-01-01
        entry.create_system = 3
        entry.external_attr = (0o100755 if ".so" in member else 0o100644) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        wheel.writestr(entry, data)
