"""What `run_macho.py` reads of one slice of a Mach-O file: commands, segments, exports; and LEB128 numbers."""

import struct

LOAD, WEAK, REEXPORT, LAZY, UPWARD = 0xC, 0x8000_0018, 0x8000_001F, 0x20, 0x8000_0023


class Failure(Exception):
    """What dyld would refuse, or the program did wrong."""


def uleb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def sleb(data, at):
    start = at
    value, at = uleb(data, at)
    bits = 7 * (at - start)
    return value - (1 << bits if data[at - 1] & 0x40 else 0), at


def text(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


class Image:
    """A loaded file."""

    def __init__(self, path, data, parent):
        self.path, self.data, self.parent = path, data, parent
        self.dylibs, self.rpaths, self.inits = [], [], []
        self.segments = []  # all, since opcodes name them by index; __PAGEZERO takes no room
        self.info = self.trie = self.chained = None
        self.needs = []  # Image or Stub by ordinal - 1
        (count,) = struct.unpack_from("<I", data, 16)
        at = 32
        for _ in range(count):
            cmd, size = struct.unpack_from("<II", data, at)
            self.command(cmd, at, size)
            at += size
        mapped = [(addr, addr + vmsize) for addr, vmsize, *_ in self.segments if vmsize]
        self.low = min(mapped)[0]
        self.span = max(end for _, end in mapped) - self.low
        self.base = 0

    def command(self, cmd, at, size):
        if cmd in (LOAD, WEAK, REEXPORT, LAZY, UPWARD):
            (offset,) = struct.unpack_from("<I", self.data, at + 8)
            self.dylibs.append((cmd, text(self.data, at + offset)[0]))
        elif cmd == 0x8000_001C:
            self.rpaths.append(text(self.data, at + struct.unpack_from("<I", self.data, at + 8)[0])[0])
        elif cmd & 0x7FFF_FFFF == 0x22:
            self.info = struct.unpack_from("<10I", self.data, at + 8)
        elif cmd in (0x8000_0033, 0x8000_0034):
            place = struct.unpack_from("<II", self.data, at + 8)
            if cmd == 0x8000_0033:
                self.trie = place
            else:
                self.chained = place
        elif cmd == 0x19:
            name = self.data[at + 8 : at + 24].rstrip(b"\0")
            addr, vmsize, offset, filesize, _, _, sections, _ = struct.unpack_from(
                "<4Q4I", self.data, at + 24
            )
            self.segments.append((addr, 0 if name == b"__PAGEZERO" else vmsize, offset, filesize))
            for n in range(sections):
                s = at + 72 + 80 * n
                addr, length = struct.unpack_from("<QQ", self.data, s + 32)
                kind = self.data[s + 64]
                if kind in (0x9, 0x16):
                    self.inits.append((kind, addr, length))

    def address(self, vmaddr):
        return self.base + vmaddr - self.low

    def exports(self):
        """Name -> (flags, rest) of the export trie."""
        offset, size = self.info[8:10] if self.info else self.trie or (0, 0)
        trie, found, todo = self.data[offset : offset + size], {}, [(0, "", 0)]
        while todo and size:
            at, prefix, depth = todo.pop()
            if depth > 500 or len(found) > 1_000_000:
                raise Failure(f"{self.path}: the export trie has no end")
            length, at = uleb(trie, at)
            if length:
                flags, after = uleb(trie, at)
                value, after = uleb(trie, after)
                found[prefix] = (flags, value, text(trie, after)[0] if flags & 8 else None)
            at += length
            children, at = trie[at], at + 1
            for _ in range(children):
                edge, at = text(trie, at)
                child, at = uleb(trie, at)
                todo.append((child, prefix + edge, depth + 1))
        return found
