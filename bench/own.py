#!/usr/bin/env python3
"""How fast is what keeps objects: handles, cycles, offset pointers, frames, images, graphs? Beside their peers, with targets.

Usage: ./dev bench own [--rounds N] [--only WORDS] [--quick]

The programs are those of bench/own/CMakeLists.txt; each prints one JSON line a row, and may be run alone.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import BUILD, ROOT, interleaved, median, save, table  # noqa: E402

FOLDER = BUILD / "bench" / "own" / "bin"

# Group, row, who, and what it shall be at most, in the row's unit. A new program adds its lines here.
TARGETS = [
    ("handles", "copy and drop", "heapwright Rc", 0.85),
    ("handles", "copy and drop", "heapwright Arc", 3.5),
    ("handles", "copy and drop", "heapwright BiasedArc, its maker's thread", 1.0),
    ("handles", "make and drop", "heapwright Rc", 4.0),
    ("handles", "make and drop", "heapwright Arc", 4.0),
    ("handles", "upgrade a weak one, and drop", "heapwright Arc", 4.5),
    ("cycles", "rings of 2 made and collected, a node", "heapwright CycleCollector", 25.0),
    ("cycles", "rings of 10 made and collected, a node", "heapwright CycleCollector", 25.0),
    ("cycles", "rings of 1000 made and collected, a node", "heapwright CycleCollector", 25.0),
    ("cycles", "a doubly linked list of 1M, collected", "heapwright CycleCollector", 25.0),
    ("cycles", "a doubly linked list of 1M, collected by 10000 at a time", "heapwright CycleCollector", 50.0),
    ("cycles", "a doubly linked list of 1M, the longest call of 10000", "heapwright CycleCollector", 1.0),
    ("cycles", "a pass wasted on 1M living nodes, of 100", "heapwright CycleCollector", 2.0),
    ("graph", "bytes an edge, 1.6M random", "heapwright FrozenGraph", 4.5),
    ("graph", "bytes an edge, 1.6M random", "heapwright Graph", 8.0),
    ("graph", "breadth first, an edge of 1.6M random", "heapwright FrozenGraph", 10.0),
    ("offset pointers", "hop along a list of 4096", "heapwright SelfPtr, 32 bits", 2.2),
    ("offset pointers", "sum of a row of 4096 u32, an element", "heapwright SelfSpan", 0.25),
    ("coroutine frames", "ten tasks deep, a frame", "heapwright RecycledFrames", 11.0),
    ("images", "verify, a record", "heapwright Image", 6.0),
    ("images", "traverse, a record", "heapwright Image", 1.0),
]


def programs() -> list[Path]:
    """Builds the programs and finds them."""
    configured = subprocess.run(["cmake", "--build", str(BUILD), "--target", "heapwright_bench_own"], check=False)
    if configured.returncode != 0:
        sys.exit("heapwright: the programs of bench/own do not build; see above")
    found = sorted(FOLDER.iterdir()) if FOLDER.exists() else []
    if not found:
        sys.exit(f"heapwright: no program in '{FOLDER}'; does the release build know bench/own?")
    return found


def run(program: Path, inner_rounds: int, only: str) -> list[dict]:
    """One run of a program: its rows. A program without a chosen row says so by its status, and has none."""
    words = [str(program), str(inner_rounds)] + ([only] if only else [])
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    if said.returncode != 0 and not (only and not said.stdout):
        sys.exit(f"heapwright: '{' '.join(words)}' ended with status {said.returncode}: {said.stderr.strip()}")
    return [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]


def collect(runs: dict[str, list[list[dict]]]) -> list[dict]:
    """The rows of all runs, with the smallest and the median of their values, in the order of the programs."""
    values: dict[tuple[str, str, str, str], list[float]] = {}
    for rounds in runs.values():
        for rows in rounds:
            for row in rows:
                unit = "ns" if "ns" in row else row.get("unit", "")
                values.setdefault((row["group"], row["row"], row["who"], unit), []).append(float(row.get("ns", row.get("value"))))
    order = list(dict.fromkeys((group, name) for group, name, _, _ in values))
    rows = [{"group": group, "row": name, "who": who, "unit": unit, "min": min(all_of), "median": median(all_of), "worst": max(all_of)}
            for (group, name, who, unit), all_of in values.items()]
    return sorted(rows, key=lambda row: (order.index((row["group"], row["row"])), row["min"]))


def judge(rows: list[dict]) -> list[dict]:
    """Each row gets its target, where it has one, and whether it is met."""
    wanted = {(group, name, who): most for group, name, who, most in TARGETS}
    for row in rows:
        most = wanted.pop((row["group"], row["row"], row["who"]), None)
        row["target"] = most
        row["reached"] = None if most is None else "yes" if row["min"] <= most else "NO"
    return [{"group": group, "row": name, "who": who, "target": most} for (group, name, who), most in wanted.items()]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="runs of each program, in turn; each runs its rows three times in turn")
    options.add_argument("--only", default="", help="only rows whose group, row or contender contains these words")
    options.add_argument("--quick", action="store_true", help="one short run: whether it runs, not how fast")
    chosen = options.parse_args()
    rounds, inner = (1, 1) if chosen.quick else (chosen.rounds, 3)
    runs = interleaved({path.name: lambda path=path: run(path, inner, chosen.only) for path in programs()}, rounds)
    rows = collect(runs)
    missing = judge(rows)
    print(table(rows, [("group", "group"), ("row", "row"), ("who", "who"), ("min", "min"), ("median", "median"), ("unit", "unit"),
                       ("target", "target"), ("reached", "reached")]))
    if missing and not chosen.only:
        print("\nnot measured, though it has a target:")
        print(table(missing, [("group", "group"), ("row", "row"), ("who", "who"), ("target", "target")]))
    if not chosen.quick and not chosen.only:
        print(f"\nwritten: {save('own', rows, rounds=rounds).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
