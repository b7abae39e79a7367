"""Counts the instructions of a hot malloc and free through the preload, exactly: callgrind's total of a long loop less that of a short one."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_runs import OWN, TOOLS, Allocator, clean_environment  # noqa: E402
from measure import table  # noqa: E402

SIZES = (16, 64, 256, 1000, 5000, 65536, 1 << 20)
FEW, MANY = 2000, 12000
TARGET = 30
HOT_SIZES = (16, 64, 256, 1000)
COLLECTED = re.compile(r"Collected : (\d+)")


def total(size: int, count: int, library: Path | None, *more: str) -> int:
    environment = clean_environment() | ({"LD_PRELOAD": str(library)} if library else {})
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(TOOLS / "pair"), str(size), str(count), *more]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300, check=False)
    found = COLLECTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}")
    return int(found[1])


def per_turn(size: int, library: Path | None, *more: str) -> float:
    return (total(size, MANY, library, *more) - total(size, FEW, library, *more)) / (MANY - FEW)


def count_instructions(allocators: list[Allocator]) -> list[dict]:
    """Prints the table and the mark; returns one row for each allocator."""
    loop = per_turn(64, None, "empty")
    rows = []
    for allocator in allocators:
        row: dict = {"allocator": allocator.name}
        for size in SIZES:
            print(f"\r\033[K  callgrind: {allocator.name}, {size} bytes", end="", file=sys.stderr, flush=True)
            try:
                row[str(size)] = round(per_turn(size, allocator.library) - loop, 2)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                row[str(size)] = None
                print(f"\r\033[K{allocator.name}, {size} bytes: {problem}", file=sys.stderr)
        rows.append(row)
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(f"instructions of a hot pair of malloc and free, its calls included, the loop around it ({loop:g}) taken off:\n")
    print(table([{key: f"{value:g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows],
                [("allocator", "allocator")] + [(str(size), f"{size} B") for size in SIZES]))
    for row in rows:
        if row["allocator"] == OWN:
            counts = [row[str(size)] for size in HOT_SIZES]
            reached = None not in counts and max(counts) <= TARGET
            print(f"\ntarget: at most {TARGET} up to {HOT_SIZES[-1]} bytes: {'reached' if reached else 'NOT reached'}")
    return rows
