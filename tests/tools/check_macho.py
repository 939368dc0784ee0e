"""check_macho.py FILE...: reads Mach-O files as a loader would and says what is wrong with them.

Prints a JSON list, one object a file: `path`, `fat`, `errors`, and `slices` with arch, names, rpaths, digests of every
section and of the load commands that no repair may change, the signature, and how many bytes follow `__LINKEDIT`.
`errors` is empty when all is right: the layout; the signature (page hashes, special slots, code limit, sizes), computed
here with hashlib; and the same names and rpaths read by macholib, LIEF and llvm-objdump.
"""

import hashlib
import json
import struct
import sys

from macho_readers import by_lief, by_llvm, by_macholib

LC = {
    0x2: "SYMTAB",
    0xB: "DYSYMTAB",
    0xC: "LOAD_DYLIB",
    0xD: "ID_DYLIB",
    0x18: "LOAD_WEAK_DYLIB",
    0x19: "SEGMENT_64",
    0x1: "SEGMENT",
    0x1B: "UUID",
    0x1C: "RPATH",
    0x1D: "CODE_SIGNATURE",
    0x1E: "SEGMENT_SPLIT_INFO",
    0x1F: "REEXPORT_DYLIB",
    0x20: "LAZY_LOAD_DYLIB",
    0x22: "DYLD_INFO",
    0x23: "LOAD_UPWARD_DYLIB",
    0x24: "VERSION_MIN_MACOSX",
    0x26: "FUNCTION_STARTS",
    0x29: "DATA_IN_CODE",
    0x2B: "DYLIB_CODE_SIGN_DRS",
    0x2E: "LINKER_OPTIMIZATION_HINT",
    0x32: "BUILD_VERSION",
    0x33: "DYLD_EXPORTS_TRIE",
    0x34: "DYLD_CHAINED_FIXUPS",
}
DYLIBS = ("LOAD_DYLIB", "LOAD_WEAK_DYLIB", "REEXPORT_DYLIB", "LAZY_LOAD_DYLIB", "LOAD_UPWARD_DYLIB")
LINKEDIT_DATA = (
    "SEGMENT_SPLIT_INFO",
    "FUNCTION_STARTS",
    "DATA_IN_CODE",
    "DYLIB_CODE_SIGN_DRS",
    "LINKER_OPTIMIZATION_HINT",
    "DYLD_EXPORTS_TRIE",
    "DYLD_CHAINED_FIXUPS",
)
ARCHES = {
    0x7: "i386",
    0x0100_0007: "x86_64",
    0xC: "arm",
    0x0100_000C: "arm64",
    0x12: "ppc",
    0x0100_0012: "ppc64",
}
CPU_ARM64 = 0x0100_000C
ZEROFILL = (0x1, 0xC, 0x12)
HASHES = {1: ("sha1", 20), 2: ("sha256", 32)}
CS_ADHOC, CS_LINKER_SIGNED = 0x2, 0x20000
SPECIAL = {1: "info", 2: "requirements", 3: "resources", 5: "entitlements", 7: "entitlements_der"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def arch_name(cpu, sub):
    sub &= 0xFFFFFF
    if cpu == CPU_ARM64 and sub == 2:
        return "arm64e"
    if cpu == 0x0100_0007 and sub == 8:
        return "x86_64h"
    return ARCHES.get(cpu, hex(cpu))


def version(v):
    return f"{v >> 16}.{v >> 8 & 255}.{v & 255}"


class Slice:
    """One slice: what it says, and what is wrong with it."""

    def __init__(self, data, offset):
        self.data, self.offset, self.errors = data, offset, []
        self.kinds, self.dylibs, self.rpaths, self.segments, self.kept = [], [], [], {}, []
        self.id = self.uuid = self.signature_at = self.signature = None
        self.min_os, self.linkedit_tables = [], []
        self.read()
        self.layout()
        if self.signature_at:
            self.check_signature()
        elif self.cpu == CPU_ARM64 and self.filetype in (2, 6, 8):
            self.bad("an arm64 slice without signature")

    def bad(self, text):
        self.errors.append(f"{self.arch}: {text}")

    def unpack(self, fmt, at):
        return struct.unpack_from(self.order + fmt, self.data, at)

    def read(self):
        magic = self.data[:4]
        self.order = "<" if magic[1:] == b"\xfa\xed\xfe" else ">"
        self.is64 = 0xCF in (magic[0], magic[3])
        self.cpu, self.sub, self.filetype, count, size, self.flags = self.unpack("6I", 4)
        self.arch = arch_name(self.cpu, self.sub)
        at = start = 32 if self.is64 else 28
        for _ in range(count):
            cmd, length = self.unpack("II", at)
            self.kinds.append(LC.get(cmd & 0x7FFFFFFF, hex(cmd)))
            if length < 8 or length % (8 if self.is64 else 4) or at + length > start + size:
                self.bad(f"load command {self.kinds[-1]} at {at:#x} has {length} bytes")
                break
            self.command(self.kinds[-1], at, length)
            at += length
        if at != start + size:
            self.bad(f"load commands end at {at:#x}, sizeofcmds says {start + size:#x}")
        self.commands_end = start + size

    def string(self, at, length, field):
        (offset,) = self.unpack("I", at + field)
        raw = self.data[at + offset : at + length]
        text, end, padding = raw.partition(b"\0")
        if not end or padding.strip(b"\0") or offset % 4:
            self.bad(f"the string of the load command at {at:#x} is not terminated or padded with zeros")
        return text.decode()

    def command(self, kind, at, length):
        raw = self.data[at : at + length]
        if kind in DYLIBS or kind == "ID_DYLIB":
            current, compatible = self.unpack("II", at + 16)
            entry = [kind, self.string(at, length, 8), version(current), version(compatible)]
            if kind == "ID_DYLIB":
                if self.id:
                    self.bad("two LC_ID_DYLIB")
                self.id = entry[1:]
            else:
                self.dylibs.append(entry)
            return
        if kind == "RPATH":
            self.rpaths.append(self.string(at, length, 8))
            return
        if kind == "CODE_SIGNATURE":
            if self.signature_at:
                self.bad("two LC_CODE_SIGNATURE")
            self.signature_at = self.unpack("II", at + 8)
            return
        if kind in ("SEGMENT", "SEGMENT_64"):
            raw = self.segment(at, raw)
        elif kind == "UUID":
            self.uuid = raw[8:24].hex()
        elif kind == "BUILD_VERSION":
            platform, low = self.unpack("II", at + 8)
            self.min_os.append([platform, version(low)])
        elif kind == "VERSION_MIN_MACOSX":
            self.min_os.append([1, version(self.unpack("I", at + 8)[0])])
        elif kind == "SYMTAB":
            symbols, count, strings, size = self.unpack("4I", at + 8)
            self.linkedit_tables += [
                (kind, symbols, count * (16 if self.is64 else 12)),
                ("strings", strings, size),
            ]
        elif kind == "DYLD_INFO":
            tables = self.unpack("10I", at + 8)
            self.linkedit_tables += [(kind, tables[i], tables[i + 1]) for i in range(0, 10, 2)]
        elif kind in LINKEDIT_DATA:
            self.linkedit_tables.append((kind, *self.unpack("II", at + 8)))
        self.kept.append([kind, sha256(raw)])

    def segment(self, at, raw):
        name = raw[8:24].rstrip(b"\0").decode()
        fmt, size, each = ("4Q4I", 72, 80) if self.is64 else ("4I4I", 56, 68)
        addr, vmsize, offset, filesize, _, _, sections, _ = self.unpack(fmt, at + 24)
        found = []
        for n in range(sections):
            s = at + size + n * each
            own, of = (self.data[s + i : s + i + 16].rstrip(b"\0").decode() for i in (0, 16))
            place = self.unpack("QQI" if self.is64 else "III", s + 32)
            (flags,) = self.unpack("I", s + (64 if self.is64 else 56))
            found.append(
                {
                    "name": f"{of},{own}",
                    "addr": place[0],
                    "size": place[1],
                    "offset": place[2],
                    "zero": flags & 255 in ZEROFILL,
                }
            )
        self.segments[name] = {
            "addr": addr,
            "vmsize": vmsize,
            "offset": offset,
            "filesize": filesize,
            "sections": found,
        }
        if name == "__LINKEDIT":  # its sizes follow the signature's
            width = 8 if self.is64 else 4
            raw = (
                raw[: 24 + width]
                + bytes(width)
                + raw[24 + 2 * width : 24 + 3 * width]
                + bytes(width)
                + raw[24 + 4 * width :]
            )
        return raw

    def layout(self):
        end = 0
        for name, segment in sorted(self.segments.items(), key=lambda item: item[1]["offset"]):
            offset, filesize = segment["offset"], segment["filesize"]
            if offset + filesize > len(self.data):
                self.bad(f"{name} ends past the end of the slice")
            if filesize and offset < end:
                self.bad(f"{name} overlaps what is before it")
            end = max(end, offset + filesize)
            if filesize > segment["vmsize"]:
                self.bad(f"{name} has more bytes in the file than in memory")
            for section in segment["sections"]:
                if section["zero"] or not section["size"]:
                    continue
                if section["offset"] < self.commands_end:
                    self.bad(
                        f"{section['name']} begins at {section['offset']:#x}, before {self.commands_end:#x}, "
                        "the end of the load commands"
                    )
                if (
                    not offset
                    <= section["offset"]
                    <= section["offset"] + section["size"]
                    <= offset + filesize
                ):
                    self.bad(f"{section['name']} lies outside of its segment")
        linkedit = self.segments.get("__LINKEDIT")
        self.after = len(self.data) - (linkedit["offset"] + linkedit["filesize"]) if linkedit else 0
        if not linkedit:
            if self.filetype in (2, 6, 8):
                self.bad("no __LINKEDIT")
            return
        limit = self.signature_at[0] if self.signature_at else linkedit["offset"] + linkedit["filesize"]
        for name, at, size in self.linkedit_tables:
            if size and not linkedit["offset"] <= at <= at + size <= limit:
                self.bad(f"{name} lies outside of __LINKEDIT or in the signature")
        self.linkedit = sha256(self.data[linkedit["offset"] : limit])

    def check_signature(self):
        at, size = self.signature_at
        linkedit = self.segments["__LINKEDIT"]
        if at % 16:
            self.bad(f"the signature begins at {at:#x}, no multiple of 16")
        if at + size != linkedit["offset"] + linkedit["filesize"]:
            self.bad("the signature does not end where __LINKEDIT ends")
        blob = self.data[at : at + size]
        magic, length, count = struct.unpack_from(">3I", blob)
        if magic != 0xFADE0CC0 or length > size:
            self.bad(f"superblob {magic:#x} of {length} bytes in {size}")
            return
        blobs, end = {}, 12 + 8 * count
        for n in range(count):
            slot, offset = struct.unpack_from(">II", blob, 12 + 8 * n)
            own = blob[offset : offset + struct.unpack_from(">I", blob, offset + 4)[0]]
            if offset < end or slot in blobs:
                self.bad(f"blob of slot {slot:#x} overlaps another or comes twice")
            blobs[slot], end = own, offset + len(own)
        if end != length:
            self.bad(f"blobs end at {end}, the superblob at {length}")
        directories = [blobs[slot] for slot in (0, *range(0x1000, 0x1005)) if slot in blobs]
        if 0 not in blobs:
            self.bad("no code directory in slot 0")
            return
        read = [self.code_directory(directory, blobs) for directory in directories]
        cms = len(blobs.get(0x10000, b"12345678")) - 8
        self.signature = {
            **read[-1],
            "hashes": [directory["hash"] for directory in read],
            "directories": [sha256(directory) for directory in directories],
            "cms": cms,
            "length": length,
            "room": size,
            "slots": sorted(blobs),
            "requirements": blobs.get(2, b"").hex(),
            "entitlements": blobs.get(5, b"")[8:].decode(),
            "entitlements_der": blobs.get(7, b"")[8:].hex(),
        }
        if read[-1]["flags"] & CS_ADHOC and cms:
            self.bad("an ad-hoc signature with a CMS signature")

    def code_directory(self, blob, blobs):
        (
            magic,
            _,
            release,
            flags,
            hashes,
            identifier,
            specials,
            pages,
            limit,
            size,
            kind,
            platform,
            shift,
        ) = struct.unpack_from(">9I4B", blob)
        team = struct.unpack_from(">I", blob, 48)[0] if release >= 0x20200 else 0
        name, width = HASHES[kind]
        if magic != 0xFADE0C02 or size != width or shift not in (12, 14):
            self.bad(f"code directory {magic:#x}, hashes of {size} bytes, page 2^{shift}")
        code = self.data[: self.signature_at[0]]
        if limit != len(code):
            self.bad(f"codeLimit is {limit:#x}, the signature begins at {len(code):#x}")
        page = 1 << shift
        own = [hashlib.new(name, code[n : n + page]).digest() for n in range(0, len(code), page)]
        said = [blob[hashes + n * size : hashes + (n + 1) * size] for n in range(pages)]
        wrong = [n for n, pair in enumerate(zip(own, said)) if pair[0] != pair[1]]
        if len(own) != pages or wrong:
            self.bad(f"{name}: {pages} pages for {len(own)}; wrong hashes of pages {wrong[:20]}")
        if hashes + pages * size != len(blob):
            self.bad("the code directory does not end with the hashes")
        special = {n: blob[hashes - n * size :][:size] for n in range(1, specials + 1)}
        contents = {slot: data for slot, data in blobs.items() if 0 < slot < 0x1000}
        plist = [s for s in self.segments["__TEXT"]["sections"] if s["name"] == "__TEXT,__info_plist"]
        if plist:
            contents[1] = self.data[plist[0]["offset"] :][: plist[0]["size"]]
        for slot in sorted(contents):
            if special.get(slot, bytes(size)) != hashlib.new(name, contents[slot]).digest():
                if slot != 1 or not flags & CS_LINKER_SIGNED:
                    self.bad(f"wrong hash of special slot {slot}")
        for slot in sorted(special):
            if slot not in contents and slot not in (1, 3) and any(special[slot]):
                self.bad(f"a hash of special slot {slot}, which is not there")
        segment = list(struct.unpack_from(">3Q", blob, 64)) if release >= 0x20400 else None
        text = self.segments["__TEXT"]
        if segment and not flags & CS_LINKER_SIGNED:
            if segment[:2] != [text["offset"], text["filesize"]] or segment[2] & 1 != (self.filetype == 2):
                self.bad(
                    f"executable segment {segment} for __TEXT {text['offset']:#x}, {text['filesize']:#x}"
                )
        text_at = lambda at: blob[at:].partition(b"\0")[0].decode() if at else None
        return {
            "identifier": text_at(identifier),
            "team": text_at(team),
            "flags": flags,
            "version": release,
            "page": page,
            "hash": name,
            "platform": platform,
            "special": {SPECIAL.get(n, str(n)): h.hex() for n, h in sorted(special.items()) if any(h)},
        }

    def json(self):
        sections = [s for segment in self.segments.values() for s in segment["sections"] if not s["zero"]]
        return {
            "arch": self.arch,
            "offset": self.offset,
            "size": len(self.data),
            "filetype": self.filetype,
            "flags": self.flags,
            "id": self.id,
            "dylibs": self.dylibs,
            "rpaths": self.rpaths,
            "uuid": self.uuid,
            "min_os": self.min_os,
            "commands": self.kinds,
            "kept_commands": self.kept,
            "sections": {s["name"]: sha256(self.data[s["offset"] :][: s["size"]]) for s in sections},
            "linkedit": getattr(self, "linkedit", None),
            "after_linkedit": self.after,
            "signature": self.signature,
            "sha256": sha256(self.data),
        }


def places(data, errors):
    """Offset and bytes of each slice, and whether the file is fat."""
    (magic,) = struct.unpack_from(">I", data)
    if magic not in (0xCAFEBABE, 0xCAFEBABF):
        return False, [(0, data)]
    (count,) = struct.unpack_from(">I", data, 4)
    fmt, each = (">5I", 20) if magic == 0xCAFEBABE else (">IIQQII", 32)
    end = 8 + count * each
    arches = [struct.unpack_from(fmt, data, 8 + n * each)[:5] for n in range(count)]
    for cpu, sub, offset, size, align in sorted(arches, key=lambda arch: arch[2]):
        if offset % (1 << align):
            errors.append(f"{arch_name(cpu, sub)}: slice at {offset:#x}, alignment 2^{align}")
        if offset < end or offset + size > len(data):
            errors.append(f"{arch_name(cpu, sub)}: slice overlaps another or ends past the end")
        if struct.unpack_from("<II", data, offset + 4) != (cpu, sub):
            errors.append(f"{arch_name(cpu, sub)}: the fat header names another processor than the slice")
        end = offset + size
    if len({arch[:2] for arch in arches}) != count:
        errors.append("two slices for one processor")
    return True, [(offset, data[offset : offset + size]) for _, _, offset, size, _ in arches]


def check(path):
    with open(path, "rb") as file:
        data = file.read()
    errors, slices = [], []
    fat, parts = places(data, errors)
    for offset, part in parts:
        one = Slice(part, offset)
        errors += one.errors
        slices.append(one)
    ours = [(one.id and one.id[0], [dylib[1] for dylib in one.dylibs], one.rpaths) for one in slices]
    for reader in (by_macholib, by_lief, by_llvm):
        try:
            theirs = list(reader(path))
        except Exception as error:  # what a reader cannot read is what this program looks for
            errors.append(f"{reader.__name__[3:]}: {error!r}")
            continue
        if theirs != ours:
            errors.append(f"{reader.__name__[3:]} reads {theirs}, not {ours}")
    return {"path": path, "fat": fat, "errors": errors, "slices": [one.json() for one in slices]}


if __name__ == "__main__":
    json.dump([check(path) for path in sys.argv[1:]], sys.stdout, indent=1)
