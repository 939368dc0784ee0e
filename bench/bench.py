"""Compares spokeshave with auditwheel and repairwheel; see bench/run."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
MB = 1e6

# The goals, by the beginning of the wheel's name; over all wheels for macOS the geometric mean.
FASTER = {"GDAL": 10, "pycurl": 20}
OVER_FLOOR = {"GDAL": 1.5}
FASTER_ON_MACOS = 15

# The published wheels that tests/macho_published.rs takes apart.
MACOS = ["numpy", "pillow", "psycopg2_binary", "pyzmq-27", "scipy", "shapely"]


def tool(name, out, wheel, jobs, root):
    if name == "spokeshave":
        sysroot = ["--sysroot", root] if root else []
        return [RELEASE / "spokeshave", "repair", *sysroot, "--jobs", str(jobs), "-w", out, wheel]
    program = pathlib.Path(sys.executable).parent / name
    if name == "repairwheel":
        return [program, "--no-sys-paths", "-l", root / "opt" / "lib", "-o", out, wheel]
    return [program, "repair", "-w", out, wheel]


def taken_apart(name, scratch):
    """A published wheel without its carried libraries, and the system root that has them."""
    tree, root = scratch / "tree", scratch / "root"
    shutil.copytree(pathlib.Path(os.environ["SPOKESHAVE_TEST_MACOS_WHEELS"]) / name, tree)
    wheel = scratch / f"{name}.whl"
    for tool_name, *arguments in (("macho_carry_out.py", tree, root), ("wheeltool.py", "pack", tree, wheel)):
        command = [sys.executable, ROOT / "tests" / "tools" / tool_name, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return wheel, root


def finished(process):
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{process.args}: exit {process.returncode}\n{process.stdout.read().decode()}")
    return usage


def start(command, out):
    shutil.rmtree(out, ignore_errors=True)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def timed(command, out):
    """Wall time and CPU time (children included), in seconds."""
    began = time.perf_counter()
    usage = finished(start(command, out))
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def children(pid):
    try:
        found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in found for below in children(child))]


def memory(command, out):
    """Peak of VmHWM and of RssAnon over the processes of the tree, in bytes, looked at every 2 ms."""
    process = start(command, out)
    peak = {"VmHWM": 0, "RssAnon": 0}
    over = threading.Event()

    def watch():
        while not over.wait(0.002):
            for pid in children(str(process.pid)):
                try:
                    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                except OSError:
                    continue
                for line in lines:
                    key, _, value = line.partition(":")
                    if key in peak:
                        peak[key] = max(peak[key], int(value.split()[0]) * 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        finished(process)
    finally:
        over.set()
        watcher.join()
    return peak["VmHWM"], peak["RssAnon"]


def changed_members(before, after, into):
    """Unpacks the members of `after` that `before` has not, or not with these bytes; their paths."""
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        known = {info.filename: (info.CRC, info.file_size) for info in old.infolist()}
        infos = [i for i in new.infolist() if not i.is_dir() and known.get(i.filename) != (i.CRC, i.file_size)]
        return [new.extract(info, into) for info in infos]


def goal(met):
    return "" if met is None else "   goal met" if met else "   GOAL MISSED"


def compare(wheel, rounds, jobs, scratch, root=None):
    """Measures both programs turn by turn; how many times as long the other one takes."""
    name = wheel.name.split("-")[0]
    ours, theirs = "spokeshave", "repairwheel" if root else "auditwheel"
    out = {tool_name: scratch / tool_name for tool_name in (ours, theirs)}
    command = {n: tool(n, out[n], wheel, jobs, root) for n in out}
    for n in out:
        timed(command[n], out[n])
    result = {n: next(out[n].glob("*.whl")) for n in out}
    changed = changed_members(wheel, result["spokeshave"], scratch / "changed")
    sizes = sorted((os.path.getsize(path) for path in changed), reverse=True)
    floor_command = [RELEASE / "examples" / "floor", str(jobs), *changed]

    wall, cpu, floor = ({n: [] for n in out} for _ in range(3))
    for _ in range(rounds):
        for n in out:
            seconds, busy = timed(command[n], out[n])
            wall[n].append(seconds)
            cpu[n].append(busy)
        said = subprocess.run(floor_command, check=True, stdout=subprocess.PIPE, text=True).stdout
        floor["spokeshave"].append(float(said.split()[0]))
    peaks = {n: [max(values) for values in zip(*(memory(command[n], out[n]) for _ in range(3)))] for n in out}

    median = statistics.median
    print(f"\n{wheel.name}: {len(sizes)} members change, {sum(sizes) / MB:.1f} MB; {jobs} jobs, {rounds} rounds")
    print(f"{'':24}{ours:>12}{theirs:>12}{'ratio':>9}")

    def row(label, a, b, unit, met=None):
        print(f"{label:24}{a:12.3f}{b:12.3f}{b / a:9.2f}  {unit}{goal(met)}")

    a, b = median(wall[ours]), median(wall[theirs])
    ratio = b / a
    row("wall time, median", a, b, "s", b / a >= FASTER[name] if name in FASTER else None)
    print(f"{'  least … most':24}{min(wall[ours]):.3f} … {max(wall[ours]):.3f} | {min(wall[theirs]):.3f} … {max(wall[theirs]):.3f}  s")
    row("CPU time, median", median(cpu[ours]), median(cpu[theirs]), "s")
    row("peak memory (VmHWM)", peaks[ours][0] / MB, peaks[theirs][0] / MB, "MB")
    bound = 3 * sum(sizes[:jobs]) + 32 * 1024 * 1024
    row("peak anonymous memory", peaks[ours][1] / MB, peaks[theirs][1] / MB, f"MB (bound {bound / MB:.1f})", peaks[ours][1] < bound)
    a, b = (result[n].stat().st_size for n in (ours, theirs))
    row("output", a / MB, b / MB, "MB", a <= b)
    a, b = median(wall[ours]), median(floor[ours])
    met = a / b <= OVER_FLOOR[name] if name in OVER_FLOOR else None
    print(f"{'libdeflate 6 alone':24}{b:12.3f}{'':12}{a / b:9.2f}  s; we need that many times as long{goal(met)}")
    if result[ours].name != result[theirs].name:
        print(f"names differ: {result[ours].name}\n              {result[theirs].name}")
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--macos", action="store_true", help="only the published wheels for macOS")
    parser.add_argument("wheels", nargs="*", type=pathlib.Path)
    given = parser.parse_args()
    wheels, macos = given.wheels, []
    if not wheels:
        built = pathlib.Path(os.environ["SPOKESHAVE_TEST_WHEELS"]).glob("*.whl")
        wheels = sorted(built, key=lambda wheel: wheel.name.lower())
        published = pathlib.Path(os.environ["SPOKESHAVE_TEST_MACOS_WHEELS"]).glob("*.whl")
        macos = sorted(wheel.stem for wheel in published if wheel.name.startswith(tuple(MACOS)))
        wheels = [] if given.macos else wheels
    for wheel in wheels:
        with tempfile.TemporaryDirectory(prefix="spokeshave-bench-") as scratch:
            compare(wheel, given.rounds, given.jobs, pathlib.Path(scratch))
            sys.stdout.flush()
    ratios = {}
    for name in macos:
        with tempfile.TemporaryDirectory(prefix="spokeshave-bench-") as scratch:
            scratch = pathlib.Path(scratch)
            wheel, root = taken_apart(name, scratch)
            ratios[name] = compare(wheel, given.rounds, given.jobs, scratch, root)
            sys.stdout.flush()
    if ratios:
        mean = statistics.geometric_mean(ratios.values())
        print(f"\nmacOS, {len(ratios)} wheels: times as fast as repairwheel")
        for name, ratio in ratios.items():
            print(f"{ratio:9.2f}  {name}")
        print(f"{mean:9.2f}  geometric mean{goal(mean >= FASTER_ON_MACOS)}")


main()
