"""Rebuilds crates/pe/src/system/windows.txt: the names of the DLLs that Windows itself has.

Needs delvewheel 1.13.2 from PyPI (`pip install delvewheel==1.13.2`), whose lists were taken from installation media of
Windows 7 SP1 to 11. Only the names are taken, which are facts. Each line holds a name and a sum: 1 for x86, 2 for x64,
4 for arm64.

    python tests/tools/pe_system_dlls.py > crates/pe/src/system/windows.txt
"""

from importlib.metadata import version

from delvewheel import _dll_list
from delvewheel._dll_list import MachineType

assert version("delvewheel") == "1.13.2", version("delvewheel")

BITS = {MachineType.I386: 1, MachineType.AMD64: 2, MachineType.ARM64: 4}
names = {}
for machine, listed in _dll_list.ignore_names.items():
    for name in listed:
        names[name] = names.get(name, 0) | BITS[machine]
names["combase.dll"] = 7  # Windows 8 and later; delvewheel has it apart
print("\n".join(f"{name} {bits}" for name, bits in sorted(names.items())))
