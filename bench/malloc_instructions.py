"""Counts the instructions of a hot malloc and free through the preload, exactly: callgrind's figures of a long loop less those of a short one.

Two counts: within malloc and free, which is what an allocator decides; and the whole pair with what is in front of them in the
program, the same for all: calls, their arguments, the linker's stubs.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_runs import OWN, TOOLS, Allocator, clean_environment  # noqa: E402
from measure import table  # noqa: E402

SIZES = (16, 64, 256, 1000, 5000, 65536, 1 << 20)
FEW, MANY = 2000, 12000
TARGET = 30
HOT_SIZES = (16, 64, 256, 1000)
COLLECTED = re.compile(r"Collected : (\d+)")
OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?$")
FUNCTION = re.compile(r"(c?)fn=\((\d+)\)(?: (.*))?$")
START = "(below main)"  # which calls libc, which calls main


def called_from(program: str, profile: str) -> int:
    """Instructions of all that the program's own code calls in other files, out of what callgrind wrote."""
    names: dict[str, str] = {}
    functions: dict[str, str] = {}
    caller = callee = function = ""
    is_cost_of_call = False
    total_cost = 0
    for line in profile.splitlines():
        if found := OBJECT.match(line):
            if found[3]:
                names[found[2]] = found[3]  # a name is written once, then its number
            if found[1]:
                callee = names[found[2]]
            else:
                caller = names[found[2]]
        elif found := FUNCTION.match(line):
            if found[3]:
                functions[found[2]] = found[3]
            if not found[1]:
                function = functions.get(found[2], "")
        elif line.startswith("calls="):
            is_cost_of_call = True
        elif is_cost_of_call:
            counts = caller == program and callee not in ("", program) and function != START
            total_cost += int(line.rsplit(" ", 1)[1]) if counts else 0
            is_cost_of_call, callee = False, ""
    return total_cost


def totals(size: int, count: int, library: Path | None, *more: str) -> tuple[int, int]:
    """Instructions of a whole run, and of what its program calls elsewhere."""
    environment = clean_environment() | ({"LD_PRELOAD": str(library)} if library else {})
    program = str(TOOLS / "pair")
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile"
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", program, str(size), str(count), *more]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300, check=False)
        found = COLLECTED.search(done.stderr)
        if done.returncode != 0 or found is None:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}")
        return int(found[1]), called_from(program, profile.read_text(encoding="utf-8"))


def per_turn(size: int, library: Path | None, *more: str) -> tuple[float, float]:
    """Of one turn of the loop: all, and within malloc and free."""
    many, few = totals(size, MANY, library, *more), totals(size, FEW, library, *more)
    return (many[0] - few[0]) / (MANY - FEW), (many[1] - few[1]) / (MANY - FEW)


def print_table(title: str, rows: list[dict], part: str) -> None:
    shown = [{"allocator": row["allocator"]} | {str(size): "" if row[str(size)] is None else f"{row[str(size)][part]:g}" for size in SIZES} for row in rows]
    print(f"{title}:\n\n{table(shown, [('allocator', 'allocator')] + [(str(size), f'{size} B') for size in SIZES])}\n")


def count_instructions(allocators: list[Allocator]) -> list[dict]:
    """Prints the tables and the mark; returns one row for each allocator."""
    loop = per_turn(64, None, "empty")[0]
    rows = []
    for allocator in allocators:
        row: dict = {"allocator": allocator.name}
        for size in SIZES:
            print(f"\r\033[K  callgrind: {allocator.name}, {size} bytes", end="", file=sys.stderr, flush=True)
            try:
                whole, within = per_turn(size, allocator.library)
                row[str(size)] = {"within": round(within, 2), "pair": round(whole - loop, 2)}
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                row[str(size)] = None
                print(f"\r\033[K{allocator.name}, {size} bytes: {problem}", file=sys.stderr)
        rows.append(row)
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    print_table("instructions within malloc and free of a hot pair", rows, "within")
    print_table(f"instructions of the whole pair, with the program's calls and the linker's stubs, without the loop ({loop:g})", rows, "pair")
    for row in rows:
        if row["allocator"] == OWN:
            counts = [row[str(size)] for size in HOT_SIZES]
            for part, meaning in (("within", "within malloc and free"), ("pair", "with calls and stubs")):
                most = None if None in counts else max(count[part] for count in counts)
                reached = most is not None and most <= TARGET
                print(f"target: at most {TARGET} up to {HOT_SIZES[-1]} bytes, {meaning}: {'?' if most is None else f'{most:g}'}, {'reached' if reached else 'NOT reached'}")
    return rows
