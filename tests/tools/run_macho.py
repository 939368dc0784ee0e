"""run_macho.py [--arch ARCH] [--root DIR] [--executable FILE] [--no-init] FILE FUNCTION [INTEGER...]

Loads a Mach-O file with all that it needs into an emulated processor, by the rules of dyld (`man dyld`), and calls
`int FUNCTION(int...)`. Prints JSON: `result`, and `images`, the files in the order in which they were loaded.

--root DIR        where absolute names are looked up first; without it they are as they stand
--executable FILE what `@executable_path` means; its LC_RPATHs end every chain
--no-init         run no initializers

Libraries of the system (`/usr/lib`, `/System`) that are not below DIR are stubs: their symbols bind, and calling one
is an error. Fixups are applied from LC_DYLD_INFO or LC_DYLD_CHAINED_FIXUPS, exports come from the export trie.
"""

import argparse
import json
import os
import struct
import sys

import unicorn
from macho_image import REEXPORT, UPWARD, WEAK, Failure, Image, sleb, text, uleb
from unicorn import arm64_const, x86_const

CPUS = {"x86_64": 0x0100_0007, "arm64": 0x0100_000C}
SYSTEM = ("/usr/lib/", "/System/")
RETURN, STUBS, STACK = 0x1000, 0x10_0000, 0x7000_0000
ROOM = STUB_ROOM = STACK_ROOM = 0x10_0000


class Stub:
    """A library of the system."""

    def __init__(self, path):
        self.path = path


class Loader:
    def __init__(self, options):
        self.cpu = CPUS[options.arch]
        self.arm = options.arch == "arm64"
        self.root, self.executable = options.root, options.executable
        self.images, self.by_path, self.stubs, self.tables = [], {}, {}, {}
        mode = (
            (unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
            if self.arm
            else (unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
        )
        self.uc = unicorn.Uc(*mode)
        self.uc.mem_map(RETURN, 0x1000)
        self.uc.mem_map(STUBS, STUB_ROOM)
        self.uc.mem_map(STACK, STACK_ROOM)
        self.uc.hook_add(unicorn.UC_HOOK_CODE, self.stub_called, begin=STUBS, end=STUBS + STUB_ROOM)
        self.fault, self.free = None, 0x1_0000_0000

    # Finding files

    def find(self, name, image):
        """The image that a name in `image` means, the stub of a system library, or None."""
        tried = []
        for path in self.candidates(name, image):
            tried.append(path)
            if os.path.isfile(path):
                return self.load(os.path.realpath(path), image), tried
        return (Stub(name) if name.startswith(SYSTEM) else None), tried

    def candidates(self, name, image):
        if name.startswith("@rpath/"):
            while image:
                for rpath in image.rpaths:
                    yield from self.places(rpath + name[len("@rpath") :], image)
                image = image.parent
            return
        yield from self.places(name, image)

    def places(self, path, image):
        if path.startswith("@loader_path"):
            path = os.path.dirname(image.path) + path[len("@loader_path") :]
        elif path.startswith("@executable_path"):
            if not self.executable:
                return
            path = os.path.dirname(os.path.realpath(self.executable)) + path[len("@executable_path") :]
        elif path.startswith("/"):
            path = self.root + path if self.root else path
        else:
            raise Failure(f"{image.path}: {path} hangs on the current directory")
        yield os.path.normpath(path)

    # Loading

    def slice(self, path):
        with open(path, "rb") as file:
            data = file.read()
        magic, count = struct.unpack_from(">II", data)
        parts = [data]
        if magic in (0xCAFEBABE, 0xCAFEBABF):
            fmt, each = (">8xII4x", 20) if magic == 0xCAFEBABE else (">8xQQ8x", 32)
            places = [struct.unpack_from(fmt, data, 8 + each * n) for n in range(count)]
            parts = [data[offset : offset + size] for offset, size in places]
        for part in parts:
            if part[:8] == struct.pack("<II", 0xFEEDFACF, self.cpu):
                return part
        raise Failure(f"{path} has no slice for this processor")

    def load(self, path, parent):
        if path in self.by_path:
            return self.by_path[path]
        image = self.by_path[path] = Image(path, self.slice(path), parent)
        self.images.append(image)
        image.base, room = self.free, -(-image.span // ROOM) * ROOM
        self.free += room + ROOM
        self.uc.mem_map(image.base, room)
        for addr, vmsize, offset, filesize in image.segments:
            self.uc.mem_write(image.address(addr), image.data[offset : offset + min(filesize, vmsize)])
        for kind, name in image.dylibs:
            found, tried = self.find(name, image)
            if found is None and kind != WEAK:
                raise Failure(f"{path}: {name} not found; tried {tried}")
            image.needs.append(found)
        return image

    # Symbols

    def stub(self, name):
        if name not in self.stubs:
            at = self.stubs[name] = STUBS + 16 * len(self.stubs)
            self.uc.mem_write(at, b"\xc0\x03\x5f\xd6" if self.arm else b"\xc3")
        return self.stubs[name]

    def stub_called(self, uc, address, size, user):
        names = [name for name, at in self.stubs.items() if at == address]
        self.fault = f"the system's {names} was called"
        uc.emu_stop()

    def export(self, where, name, seen=()):
        """The address of what `where` exports, its re-exports included; None if it has no such symbol."""
        if isinstance(where, Stub):
            return self.stub(name)
        if where is None or where in seen:
            return None
        if where not in self.tables:
            self.tables[where] = where.exports()
        if name in self.tables[where]:
            flags, value, other = self.tables[where][name]
            if flags & 8:
                return self.export(where.needs[value - 1], other or name)
            if flags & 3 == 2:
                return value
            return where.base + value
        for (kind, _), need in zip(where.dylibs, where.needs):
            if kind == REEXPORT:
                found = self.export(need, name, (*seen, where))
                if found is not None:
                    return found
        return None

    def resolve(self, image, ordinal, name, weak):
        if ordinal > 0:
            places = [image.needs[ordinal - 1]]
        elif ordinal == 0:
            places = [image]
        else:  # main executable, flat, weak: whoever has it first
            places = [*self.images, Stub("flat")]
        for place in places:
            found = self.export(place, name)
            if found is not None:
                return found
        if weak or (ordinal > 0 and places == [None]):
            return 0
        raise Failure(f"{image.path}: no {name} in {[p and p.path for p in places]}")

    # Fixups

    def fix(self, image):
        if image.chained:
            self.fix_chained(image)
        if image.info:
            self.rebase(image, *image.info[0:2])
            for n, lazy in ((2, False), (4, False), (6, True)):
                self.bind(image, *image.info[n : n + 2], lazy, n == 4)

    def add(self, at, value):
        self.put(at, struct.unpack("<Q", self.uc.mem_read(at, 8))[0] + value)

    def put(self, at, value):
        self.uc.mem_write(at, struct.pack("<Q", value & 0xFFFF_FFFF_FFFF_FFFF))

    def rebase(self, image, offset, size):
        code, at, place = image.data[offset : offset + size], 0, 0

        def run(count, skip=0):
            nonlocal place
            for _ in range(count):
                self.add(place, image.base - image.low)
                place += 8 + skip

        while at < len(code):
            op, low = code[at] & 0xF0, code[at] & 0xF
            at += 1
            if op == 0x00:
                return
            if op == 0x20:
                value, at = uleb(code, at)
                place = image.address(image.segments[low][0] + value)
            elif op == 0x30:
                value, at = uleb(code, at)
                place += value
            elif op == 0x40:
                place += 8 * low
            elif op == 0x50:
                run(low)
            elif op == 0x60:
                count, at = uleb(code, at)
                run(count)
            elif op == 0x70:
                skip, at = uleb(code, at)
                run(1, skip)
            elif op == 0x80:
                count, at = uleb(code, at)
                skip, at = uleb(code, at)
                run(count, skip)
            elif op != 0x10:
                raise Failure(f"{image.path}: rebase opcode {op:#x}")

    def bind(self, image, offset, size, lazy, coalesce):
        code, at = image.data[offset : offset + size], 0
        place = addend = ordinal = 0
        name, weak = "", False

        def one(skip=0):
            nonlocal place
            if coalesce:
                self.coalesce(image, name, place, addend)
            else:
                self.put(place, self.resolve(image, ordinal, name, weak) + addend)
            place += 8 + skip

        while at < len(code):
            op, low = code[at] & 0xF0, code[at] & 0xF
            at += 1
            if op == 0x00:
                if not lazy:
                    return
            elif op == 0x10:
                ordinal = low
            elif op == 0x20:
                ordinal, at = uleb(code, at)
            elif op == 0x30:
                ordinal = low - 16 if low else 0
            elif op == 0x40:
                name, at = text(code, at)
                weak = bool(low & 1)
            elif op == 0x50:
                if low != 1:
                    raise Failure(f"{image.path}: bind type {low}")
            elif op == 0x60:
                addend, at = sleb(code, at)
            elif op == 0x70:
                value, at = uleb(code, at)
                place = image.address(image.segments[low][0] + value)
            elif op == 0x80:
                value, at = uleb(code, at)
                place = (place + value) & 0xFFFF_FFFF_FFFF_FFFF
            elif op == 0x90:
                one()
            elif op == 0xA0:
                skip, at = uleb(code, at)
                one(skip)
            elif op == 0xB0:
                one(8 * low)
            elif op == 0xC0:
                count, at = uleb(code, at)
                skip, at = uleb(code, at)
                for _ in range(count):
                    one(skip)
            else:
                raise Failure(f"{image.path}: bind opcode {op:#x}")

    def coalesce(self, image, name, place, addend):
        for other in self.images:
            found = self.export(other, name)
            if found is not None:
                self.put(place, found + addend)
                return

    def fix_chained(self, image):
        """`mach-o/fixup-chains.h`."""
        start, size = image.chained
        data = image.data[start : start + size]
        _, starts, imports, symbols, count, form, _ = struct.unpack_from("<7I", data)
        targets = []
        for n in range(count):
            if form == 1:
                (word,) = struct.unpack_from("<I", data, imports + 4 * n)
                ordinal, weak, name, addend = word & 0xFF, word >> 8 & 1, word >> 9, 0
            elif form == 2:
                word, addend = struct.unpack_from("<Ii", data, imports + 8 * n)
                ordinal, weak, name = word & 0xFF, word >> 8 & 1, word >> 9
            else:
                word, addend = struct.unpack_from("<QQ", data, imports + 16 * n)
                ordinal, weak, name = word & 0xFFFF, word >> 16 & 1, word >> 32
            limit = 0xFFFF if form == 3 else 0xFF
            ordinal = ordinal - limit - 1 if ordinal > limit - 15 else ordinal
            symbol = text(data, symbols + name)[0]
            targets.append(self.resolve(image, ordinal, symbol, weak) + addend)
        (segments,) = struct.unpack_from("<I", data, starts)
        for n in range(segments):
            (offset,) = struct.unpack_from("<I", data, starts + 4 + 4 * n)
            if offset:
                self.fix_segment(image, data, starts + offset, targets)

    def fix_segment(self, image, data, at, targets):
        _, page, form, segment, _, pages = struct.unpack_from("<IHHQIH", data, at)
        if form not in (2, 6):
            raise Failure(f"{image.path}: chained pointers of format {form}")
        for n in range(pages):
            (first,) = struct.unpack_from("<H", data, at + 22 + 2 * n)
            place = image.base + segment + n * page + first
            while first != 0xFFFF:
                (value,) = struct.unpack("<Q", self.uc.mem_read(place, 8))
                if value >> 63:
                    self.put(place, targets[value & 0xFF_FFFF] + (value >> 24 & 0xFF))
                else:
                    target = value & 0xF_FFFF_FFFF
                    target = image.base + target if form == 6 else image.address(target)
                    self.put(place, target | (value >> 36 & 0xFF) << 56)
                if not value >> 51 & 0xFFF:
                    break
                place += 4 * (value >> 51 & 0xFFF)

    # Running

    def initialize(self, image, done):
        if image in done:
            return
        done.add(image)
        for (kind, _), need in zip(image.dylibs, image.needs):
            if isinstance(need, Image) and kind != UPWARD:
                self.initialize(need, done)
        for kind, addr, size in image.inits:
            width = 8 if kind == 0x9 else 4
            raw = self.uc.mem_read(image.address(addr), size)
            for n in range(0, size, width):
                value = int.from_bytes(raw[n : n + width], "little")
                self.call(value if width == 8 else image.base + value, [])

    def call(self, function, arguments):
        top = STACK + STACK_ROOM - 0x100
        if self.arm:
            self.uc.reg_write(arm64_const.UC_ARM64_REG_SP, top)
            self.uc.reg_write(arm64_const.UC_ARM64_REG_LR, RETURN)
            registers, result = [
                getattr(arm64_const, f"UC_ARM64_REG_X{n}") for n in range(6)
            ], arm64_const.UC_ARM64_REG_X0
        else:
            self.put(top - 8, RETURN)
            self.uc.reg_write(x86_const.UC_X86_REG_RSP, top - 8)
            names = ("RDI", "RSI", "RDX", "RCX", "R8", "R9")
            registers, result = [
                getattr(x86_const, f"UC_X86_REG_{n}") for n in names
            ], x86_const.UC_X86_REG_RAX
        for register, value in zip(registers, arguments):
            self.uc.reg_write(register, value & 0xFFFF_FFFF_FFFF_FFFF)
        try:
            self.uc.emu_start(function, RETURN, count=100_000_000)
        except unicorn.UcError as error:
            pc = self.uc.reg_read(arm64_const.UC_ARM64_REG_PC if self.arm else x86_const.UC_X86_REG_RIP)
            raise Failure(
                f"{error} at {pc:#x}; images at {[(hex(i.base), i.path) for i in self.images]}"
            ) from None
        if self.fault:
            raise Failure(self.fault)
        value = self.uc.reg_read(result) & 0xFFFF_FFFF
        return value - (value >> 31 << 32)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", choices=sorted(CPUS), default="arm64")
    parser.add_argument("--root")
    parser.add_argument("--executable")
    parser.add_argument("--no-init", action="store_true")
    parser.add_argument("file")
    parser.add_argument("function")
    parser.add_argument("arguments", nargs="*", type=int)
    options = parser.parse_args()
    loader = Loader(options)
    parent = None
    if options.executable:
        parent = Image(os.path.realpath(options.executable), loader.slice(options.executable), None)
    image = loader.load(os.path.realpath(options.file), parent)
    for one in loader.images:
        loader.fix(one)
    if not options.no_init:
        loader.initialize(image, set())
    function = loader.export(image, "_" + options.function)
    if function is None:
        raise Failure(f"{options.file} exports no {options.function}")
    result = loader.call(function, options.arguments)
    json.dump({"result": result, "images": [one.path for one in loader.images]}, sys.stdout)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"run_macho.py: {failure}")
