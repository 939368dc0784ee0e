#!/usr/bin/env python3
"""Compares an edited PE file with the one it was made from, as pefile and LIEF read them.

usage: pe_judge.py < jobs

Each line of `jobs` is a JSON object: {"old": path, "new": path, "renamed": {"a.dll": "b.dll", …}}, or, to compare what was
read of a file with what pefile reads, {"file": path, "facts": {…}}. What does not hold is printed, one line each, and the
exit code is 1 then.

pefile is the judge of what changed: apart from the names of imports, the fields that lead to them, what vouches for the
old ones, and file offsets, every byte of every section, the overlay, the symbols and the debug data must be the same.
LIEF has to read the same imports, and to lay the new file out without complaint.
"""

import json
import struct
import sys

import lief
import pefile

IMPORT, SECURITY, DEBUG, LOAD_CONFIG, BOUND, DELAY = 1, 4, 6, 10, 11, 13
FORCE_INTEGRITY = 0x80
lief.logging.disable()


def tables(pe):
    """The imports and delay imports: table, name, functions by name or ordinal."""
    for table in "DIRECTORY_ENTRY_IMPORT", "DIRECTORY_ENTRY_DELAY_IMPORT":
        for entry in getattr(pe, table, []):
            # pefile gives ordinals of some DLLs invented names, by DLL name: compare ordinals.
            takes = [symbol.ordinal if symbol.import_by_ordinal else symbol.name for symbol in entry.imports]
            yield table, entry.dll.decode(), takes


def lief_tables(path):
    binary = lief.PE.parse(path)
    if binary is None:
        return None
    for table in binary.imports, binary.delay_imports:
        for entry in table:
            takes = [symbol.ordinal if symbol.is_ordinal else symbol.name for symbol in entry.entries]
            yield entry.name, takes


def contents_end(pe):
    ends = [section.PointerToRawData + section.SizeOfRawData for section in pe.sections if section.PointerToRawData]
    return max(ends + [pe.OPTIONAL_HEADER.SizeOfHeaders])


def overlay(pe):
    """What stands behind the sections, without the certificate table."""
    data, start = bytes(pe.__data__), contents_end(pe)
    directory = pe.OPTIONAL_HEADER.DATA_DIRECTORY[SECURITY]
    if directory.VirtualAddress >= start:
        end = directory.VirtualAddress + directory.Size
        return data[start:directory.VirtualAddress] + data[end:]
    return data[start:]


def fields(pe):
    """The file ranges that may change."""
    for entry in getattr(pe, "DIRECTORY_ENTRY_IMPORT", []):
        at = entry.struct.get_file_offset()
        yield at + 4, at + 16
        name = pe.get_offset_from_rva(entry.struct.Name)
        yield name, name + len(entry.dll)
    for entry in getattr(pe, "DIRECTORY_ENTRY_DELAY_IMPORT", []):
        at = entry.struct.get_file_offset()
        yield at + 4, at + 8
        yield at + 28, at + 32
        name = pe.get_offset_from_rva(entry.struct.szName)
        yield name, name + len(entry.dll)
    for entry in getattr(pe, "DIRECTORY_ENTRY_DEBUG", []):
        at = entry.struct.get_file_offset()
        yield at + 24, at + 28
    if pe.OPTIONAL_HEADER.DATA_DIRECTORY[LOAD_CONFIG].VirtualAddress:
        at = pe.get_offset_from_rva(pe.OPTIONAL_HEADER.DATA_DIRECTORY[LOAD_CONFIG].VirtualAddress)
        at += 54 if pe.PE_TYPE == pefile.OPTIONAL_HEADER_MAGIC_PE else 78
        yield at, at + 2


def debug_data(pe):
    for entry in getattr(pe, "DIRECTORY_ENTRY_DEBUG", []):
        at = entry.struct.PointerToRawData
        yield at != 0, bytes(pe.__data__[at : at + entry.struct.SizeOfData]) if at else b""


def symbols(pe):
    at = pe.FILE_HEADER.PointerToSymbolTable
    if not at:
        return None
    end = at + 18 * pe.FILE_HEADER.NumberOfSymbols
    (size,) = struct.unpack("<I", pe.__data__[end : end + 4])
    return bytes(pe.__data__[at : end + size])


def read(path):
    pe = pefile.PE(path, fast_load=True)
    pe.parse_data_directories([IMPORT, DEBUG, DELAY])
    return pe


def judge(job):
    old, new = read(job["old"]), read(job["new"])
    renamed = {name.lower(): value for name, value in job["renamed"].items()}
    become = lambda name: renamed.get(name.lower(), name)

    wanted = [(table, become(name), takes) for table, name, takes in tables(old)]
    if list(tables(new)) != wanted:
        yield f"pefile: imports are {[name for _, name, _ in tables(new)]}"
    wanted = [(become(name), takes) for name, takes in lief_tables(job["old"]) or []]
    if list(lief_tables(job["new"]) or []) != wanted:
        yield f"LIEF: imports are {[name for name, _ in lief_tables(job['new']) or []]}"
    layout = lief.PE.check_layout(lief.PE.parse(job["new"]))
    if not layout[0] and lief.PE.check_layout(lief.PE.parse(job["old"]))[0]:
        yield f"LIEF: {layout[1]}"
    for warning in set(new.get_warnings()) - set(old.get_warnings()):
        # It counts zeros and gives the figure.
        if not warning.startswith("Byte 0x"):
            yield f"pefile: {warning}"

    for index, directory in enumerate(old.OPTIONAL_HEADER.DATA_DIRECTORY):
        counterpart = new.OPTIONAL_HEADER.DATA_DIRECTORY[index]
        wanted = (0, 0) if index in (SECURITY, BOUND) else (directory.VirtualAddress, directory.Size)
        if (counterpart.VirtualAddress, counterpart.Size) != wanted:
            yield f"directory {index} changed"
    changing = {"SizeOfImage", "SizeOfHeaders", "SizeOfInitializedData", "CheckSum", "DllCharacteristics"}
    for name in (key for line in old.OPTIONAL_HEADER.__keys__ for key in line):
        if name not in changing and getattr(old.OPTIONAL_HEADER, name) != getattr(new.OPTIONAL_HEADER, name):
            yield f"{name} changed"
    if new.OPTIONAL_HEADER.DllCharacteristics != old.OPTIONAL_HEADER.DllCharacteristics & ~FORCE_INTEGRITY:
        yield "DllCharacteristics changed"
    if old.OPTIONAL_HEADER.CheckSum and not new.verify_checksum():
        yield "the checksum is wrong"
    if not old.OPTIONAL_HEADER.CheckSum and new.OPTIONAL_HEADER.CheckSum:
        yield "there is a checksum now"

    may_change = list(fields(old))
    for before, after in zip(old.sections, new.sections):
        name = before.Name.rstrip(b"\0").decode()
        kept = "VirtualAddress", "SizeOfRawData", "Characteristics", "NumberOfRelocations", "NumberOfLinenumbers"
        if any(getattr(before, key) != getattr(after, key) for key in kept):
            yield f"the header of {name} changed"
        was = bytearray(old.__data__[before.PointerToRawData :][: before.SizeOfRawData])
        now = bytearray(new.__data__[after.PointerToRawData :][: after.SizeOfRawData])
        grown = (before.PointerToRawData + before.Misc_VirtualSize, before.PointerToRawData + after.Misc_VirtualSize)
        for start, end in may_change + [grown]:
            start, end = max(0, start - before.PointerToRawData), min(len(was), end - before.PointerToRawData)
            if start < end:
                was[start:end] = now[start:end] = bytes(end - start)
        if was != now:
            at = next(index for index, (left, right) in enumerate(zip(was, now)) if left != right)
            yield f"{name} changed at {before.PointerToRawData + at:#x}"
    added = new.sections[len(old.sections) :]
    if len(added) > 1:
        yield f"{len(added)} sections more"
    for section in added:
        alignment = new.OPTIONAL_HEADER.SectionAlignment
        up = lambda value: -(-value // alignment) * alignment
        last = old.sections[-1]
        if section.VirtualAddress != up(last.VirtualAddress + (last.Misc_VirtualSize or last.SizeOfRawData)):
            yield "the new section does not follow the last one"
        if new.OPTIONAL_HEADER.SizeOfImage != up(section.VirtualAddress + section.Misc_VirtualSize):
            yield "SizeOfImage is wrong"
        if section.PointerToRawData % new.OPTIONAL_HEADER.FileAlignment:
            yield "the new section is not aligned in the file"
        if section.Characteristics != 0x40000040:
            yield f"the new section has {section.Characteristics:#x}"
    first = min(section.VirtualAddress for section in new.sections)
    if new.OPTIONAL_HEADER.SizeOfHeaders > first:
        yield "the headers reach into the first section"
    if overlay(old) != overlay(new):
        yield "the overlay changed"
    if symbols(old) != symbols(new):
        yield "the COFF symbols changed"
    if list(debug_data(old)) != list(debug_data(new)):
        yield "the debug data changed"


def strings(pe):
    """The strings of the version resource."""
    for info in (info for infos in getattr(pe, "FileInfo", []) for info in infos):
        for table in getattr(info, "StringTable", []):
            return {key.decode(): value.decode().strip() for key, value in table.entries.items()}
    return {}


def judge_facts(job):
    pe = pefile.PE(job["file"])
    directories = pe.OPTIONAL_HEADER.DATA_DIRECTORY
    imports = []
    for table, name, takes in tables(pe):
        ordinals = sum(isinstance(take, int) for take in takes)
        imports.append([name, table == "DIRECTORY_ENTRY_DELAY_IMPORT", len(takes) - ordinals, ordinals])
    exports = getattr(pe, "DIRECTORY_ENTRY_EXPORT", None)
    symbols = exports.symbols if exports else []
    read = {
        "imports": imports,
        "machine": pe.FILE_HEADER.Machine,
        "linker": [pe.OPTIONAL_HEADER.MajorLinkerVersion, pe.OPTIONAL_HEADER.MinorLinkerVersion],
        "signed": directories[SECURITY].VirtualAddress != 0,
        "has_checksum": pe.OPTIONAL_HEADER.CheckSum != 0,
        "overlay": len(overlay(pe)),
        "export_name": exports and exports.name and exports.name.decode(),
        "forwards": sorted({symbol.forwarder.decode().rpartition(".")[0] for symbol in symbols if symbol.forwarder}),
        "init_names": [symbol.name[7:].decode() for symbol in symbols if (symbol.name or b"").startswith(b"PyInit_")],
        "file_version": strings(pe).get("FileVersion") or None,
        "original_filename": strings(pe).get("OriginalFilename") or None,
    }
    for key, wanted in read.items():
        if job["facts"][key] != wanted:
            yield f"{key}: {job['facts'][key]}, pefile reads {wanted}"


def main():
    faults = 0
    for line in sys.stdin:
        job = json.loads(line)
        for fault in judge(job) if "new" in job else judge_facts(job):
            print(f"{job.get('new') or job['file']}: {fault}")
            faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
