"""macho_carry_out.py TREE SYSROOT: undoes what delocate did to an unpacked macOS wheel.

Moves each library of a `.dylibs` directory to SYSROOT/opt/lib, and lets it and what refers to it name `/opt/lib/...`.
The names are written over the old ones, which are longer; the signatures that this breaks are left broken. RECORD goes,
`wheeltool.py pack` writes a new one. Prints how many names were written.
"""

import os
import struct
import sys

DYLIBS = {0xC, 0xD, 0x8000_0018, 0x8000_001F, 0x20, 0x8000_0023}
LC_ID_DYLIB = 0xD


def slices(data):
    magic, count = struct.unpack_from(">II", data)
    if magic == 0xCAFEBABE:
        return [struct.unpack_from(">8xI8x", data, 8 + 20 * n)[0] for n in range(count)]
    return [0] if magic == 0xCFFAEDFE else []


def rewrite(path, new_name):
    """Asks `new_name(old, is_own)` for every name of a library in the file; how many it changed."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    changed = 0
    for start in slices(data) if len(data) > 32 else []:
        (count,) = struct.unpack_from("<I", data, start + 16)
        at = start + 32
        for _ in range(count):
            cmd, size = struct.unpack_from("<II", data, at)
            if cmd in DYLIBS:
                begin = at + struct.unpack_from("<I", data, at + 8)[0]
                old = bytes(data[begin : at + size]).split(b"\0")[0].decode()
                new = new_name(old, cmd == LC_ID_DYLIB)
                if new:
                    room = at + size - begin
                    assert len(new) < room, (path, old, new)
                    data[begin : at + size] = new.encode().ljust(room, b"\0")
                    changed += 1
            at += size
    if changed:
        with open(path, "wb") as file:
            file.write(data)
    return changed


def main(tree, sysroot):
    tree = os.path.realpath(tree)
    files = [os.path.join(folder, name) for folder, _, names in os.walk(tree) for name in names]
    carried = {path for path in files if os.path.basename(os.path.dirname(path)) == ".dylibs"}
    names = [os.path.basename(path) for path in carried]
    assert carried and len(set(names)) == len(names), names
    changed = 0
    for path in files:

        def new_name(old, own):
            target = path if own and path in carried else None
            if old.startswith("@loader_path/") and not own:
                target = os.path.normpath(os.path.dirname(path) + old[len("@loader_path") :])
            return "/opt/lib/" + os.path.basename(target) if target in carried else None

        changed += rewrite(path, new_name)
        if path.endswith(".dist-info/RECORD"):
            os.remove(path)
    os.makedirs(sysroot + "/opt/lib", exist_ok=True)
    for path in sorted(carried):
        os.rename(path, sysroot + "/opt/lib/" + os.path.basename(path))
        if not os.listdir(os.path.dirname(path)):
            os.rmdir(os.path.dirname(path))
    print(changed)


main(*sys.argv[1:])
