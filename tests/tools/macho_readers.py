"""How readers of others see a Mach-O file: of each slice its own name, the names of libraries, and rpaths."""

import io
import logging
import subprocess


def by_macholib(path):
    logging.disable()
    from macholib import mach_o
    from macholib.MachO import MachO

    for header in MachO(path).headers:
        dylibs, rpaths, own = [], [], None
        for load, command, data in header.commands:
            if isinstance(command, mach_o.dylib_command):
                name = data.rstrip(b"\0").decode()
                if load.cmd == mach_o.LC_ID_DYLIB:
                    own = name
                else:
                    dylibs.append(name)
            elif isinstance(command, mach_o.rpath_command):
                rpaths.append(data.rstrip(b"\0").decode())
        yield own, dylibs, rpaths


def by_lief(path):
    import lief

    lief.logging.disable()
    fat = lief.MachO.parse(path)  # kept: its binaries live in it
    for binary in fat:
        kind = lief.MachO.LoadCommand.TYPE
        own = [lib.name for lib in binary.libraries if lib.command == kind.ID_DYLIB]
        others = [lib.name for lib in binary.libraries if lib.command != kind.ID_DYLIB]
        yield (own[0] if own else None), others, [rpath.path for rpath in binary.rpaths]


def by_llvm(path):
    run = subprocess.run(
        ["llvm-objdump-14", "--macho", "--arch=all", "--private-headers", path],
        capture_output=True,
        text=True,
    )
    if run.returncode or "malformed" in run.stderr:
        raise ValueError(run.stderr.strip())
    own, dylibs, rpaths = None, None, None
    for line in io.StringIO(run.stdout):
        word, _, rest = line.strip().partition(" ")
        if line.startswith("Mach header"):
            if dylibs is not None:
                yield own, dylibs, rpaths
            own, dylibs, rpaths, command = None, [], [], ""
        elif word == "cmd":
            command = rest
        elif word in ("name", "path") and "(offset" in rest:
            text = rest.rpartition(" (offset")[0]
            if command == "LC_RPATH":
                rpaths.append(text)
            elif command == "LC_ID_DYLIB":
                own = text
            elif command.endswith("_DYLIB"):
                dylibs.append(text)
    yield own, dylibs, rpaths
