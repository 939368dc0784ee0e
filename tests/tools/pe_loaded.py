"""For Windows CPython: runs code with a directory to import from, then prints what it loaded that Windows does not have.

usage: pe_loaded.py DIRECTORY CODE
"""

import ctypes
import sys
from ctypes import wintypes
from pathlib import PureWindowsPath

sys.path.insert(0, sys.argv[1])
exec(sys.argv[2])

kernel32 = ctypes.WinDLL("kernel32")
kernel32.GetCurrentProcess.restype = wintypes.HANDLE
kernel32.K32EnumProcessModules.argtypes = [wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD, ctypes.c_void_p]
kernel32.GetModuleFileNameW.argtypes = [wintypes.HMODULE, wintypes.LPWSTR, wintypes.DWORD]
modules, size = (wintypes.HMODULE * 4096)(), wintypes.DWORD()
assert kernel32.K32EnumProcessModules(
    kernel32.GetCurrentProcess(), modules, ctypes.sizeof(modules), ctypes.byref(size)
)
name = ctypes.create_unicode_buffer(4096)
for module in modules[: size.value // ctypes.sizeof(wintypes.HMODULE)]:
    kernel32.GetModuleFileNameW(module, name, len(name))
    path = PureWindowsPath(name.value)
    if path.parts[1].lower() != "windows":
        print("loaded", path.as_posix())
