#!/usr/bin/env python3
"""What does it cost to know a call stack? Instructions a capture (callgrind: exact, whatever else the machine does).

Usage: ./dev bench stacks [--only NAME,...] [--quick]
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import ROOT, save, table  # noqa: E402

PROGRAMS = Path(__file__).resolve().parent / "programs"
CHECK = ROOT / "tests" / "trace" / "stack"
OURS = "heapwright::trace::stack::StackCapture::capture_at(*"
EVENTS, WALKS, NODES, PCS = 0, 5, 9, 10  # places in the check library's counts


def compile_all(folder: Path) -> Path:
    """The check library as users get the recorder: optimised, in one piece."""
    sources = [str(path) for part in ("base", "os", "trace/stack") for path in sorted((ROOT / "src" / "heapwright" / part).glob("*.cpp"))]
    library = folder / "libheapwright-stack-check.so"
    subprocess.run(["g++", "-std=c++23", "-O3", "-g1", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti",
                    "-fno-threadsafe-statics", f"-I{ROOT / 'src'}", *sources, str(CHECK / "check" / "stack_check_preload.cpp"),
                    "-o", str(library), "-ldl", "-lpthread"], check=True)
    subprocess.run(["g++", "-std=c++23", "-O2", str(PROGRAMS / "depth.cpp"), "-o", str(folder / "depth")], check=True)
    return library


def workloads(folder: Path, quick: bool) -> dict[str, tuple[list[str], Path | None, dict[str, str]]]:
    scale = 0.1 if quick else 1.0
    pairs = str(int(200_000 * scale))
    sql = folder / "statements.sql"
    sql.write_bytes(subprocess.run([sys.executable, str(PROGRAMS / "sqlite.py"), str(int(20_000 * scale))], check=True, capture_output=True).stdout)
    compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True, text=True, check=True).stdout.strip()
    found = {f"{frames} frames, {places} place{'s' if places > 1 else ''}": ([str(folder / "depth"), str(frames), str(places), pairs], None, {})
             for frames in (8, 16, 25) for places in (1, 8)}
    found["sqlite3"] = (["sqlite3", ":memory:"], sql, {})
    found["python3"] = (["/usr/bin/python3", str(PROGRAMS / "objects.py"), str(int(4000 * scale))], None, {"PYTHONMALLOC": "malloc"})
    found["cc1plus"] = ([compiler, "-quiet", "-std=c++23", "-O1", "-D_GNU_SOURCE", "-imultiarch", "x86_64-linux-gnu", *(["-fsyntax-only"] if quick else []),
                         str(PROGRAMS / "templates.cpp"), "-o", "/dev/null"], None, {})
    return {name: work for name, work in found.items() if shutil.which(work[0][0])}


def counted(folder: Path) -> list[int]:
    """The counts of the process that took the most stacks."""
    counts = [struct.unpack_from("13Q", path.read_bytes()) for path in folder.glob("*.count") if path.stat().st_size >= 104]
    return list(max(counts, default=[0] * 13))


def price(work: tuple[list[str], Path | None, dict[str, str]], library: Path, folder: Path, mode: str, function: str) -> tuple[float, list[int]]:
    """Instructions inside `function`, with all that it calls, for each stack taken."""
    words, stdin, more = work
    place = folder / mode
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    environment = {**os.environ, **more, "LD_PRELOAD": str(library), "HEAPWRIGHT_STACK_CHECK": str(place), "HEAPWRIGHT_STACK_MODE": mode}
    with open(stdin or os.devnull, "rb") as source:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no", f"--toggle-collect={function}", *words],
                              stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    counts = counted(place)
    if not found or not counts[EVENTS]:
        sys.exit(f"heapwright: callgrind gave no count for '{words[0]}': {done.stderr[-300:]}")
    return int(found.group(1)) / counts[EVENTS], counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="heapwright-stacks-") as name:
        folder = Path(name)
        library = compile_all(folder)
        for workload, work in workloads(folder, options.quick).items():
            if options.only and workload not in options.only.split(","):
                continue
            print(f"\r\033[K  {workload}", end="", file=sys.stderr, flush=True)
            ours, counts = price(work, library, folder, "price", OURS)
            row = {"workload": workload, "captures": counts[EVENTS], "instructions": round(ours, 1),
                   "walks_percent": round(100 * counts[WALKS] / counts[EVENTS], 2), "return_addresses": counts[PCS], "nodes": counts[NODES]}
            if "frames" in workload:  # too slow for whole programs
                row["libgcc"] = round(price(work, library, folder, "full", "_Unwind_Backtrace")[0], 1)
            rows.append(row)
    print("\r\033[K", end="", file=sys.stderr)
    print(table(rows, [("workload", "workload"), ("captures", "captures"), ("instructions", "instructions a capture"), ("walks_percent", "walked %"),
                       ("return_addresses", "return addresses"), ("nodes", "stack nodes"), ("libgcc", "libgcc's unwinder")]))
    if not options.only:
        print(f"kept in {save('stacks', rows, quick=options.quick)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
