#!/usr/bin/env python3
"""How fast is collected memory, how much of it is taken and how long does it pause, beside collectors, malloc, counts and arenas?

Usage: ./dev bench gc [--rounds N] [--only WORDS] [--quick]
"""
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import ROOT, interleaved, median, save, table  # noqa: E402

HERE = ROOT / "bench" / "gc"
FLAGS = ["-std=c++23", "-O3", "-DNDEBUG", "-pthread", f"-I{ROOT}", f"-I{ROOT / 'src'}"]
OWN = [*(ROOT / "src/heapwright/base").glob("*.cpp"), *(ROOT / "src/heapwright/os").glob("*.cpp"), *(ROOT / "src/heapwright/own/gc").glob("*.cpp")]
OWN_FLAGS = ["-fno-exceptions", "-fno-rtti", "-fno-stack-protector", "-fvisibility=hidden", "-ftls-model=initial-exec"]
SIZES = {"gcbench": 20, "binary-trees": 18, "cache": 200_000, "map": 1_000_000, "graph": 300_000, "threads": 18, "marking": 20, "live": 22}
QUICK = {"gcbench": 12, "binary-trees": 10, "cache": 5_000, "map": 20_000, "graph": 10_000, "threads": 12, "marking": 14, "live": 14}
MIMALLOC = ["/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0", "/usr/lib/x86_64-linux-gnu/libmimalloc.so"]
NAME = "heapwright gc::Heap"
SHORT = "heapwright, short pauses"
ONE = "heapwright, one marker"


def build(folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name of a way to manage memory -> its command and environment. What is missing is said, not passed over."""
    objects = []
    for source in OWN:
        objects.append(folder / f"{source.parent.name}_{source.stem}.o")
        subprocess.run(["g++", *FLAGS, *OWN_FLAGS, "-c", str(source), "-o", str(objects[-1])], check=True)

    def program(macro: str, *more: str) -> list[str]:
        output = folder / macro.lower()
        subprocess.run(["g++", *FLAGS, f"-D{macro}", str(HERE / "programs.cpp"), *more, "-o", str(output)], check=True)
        return [str(output)]

    own = program("BENCH_HEAPWRIGHT", *map(str, objects))
    plain, shared = program("BENCH_NEW"), program("BENCH_SHARED")
    ways = {NAME: (own, {}), SHORT: (own, {"BENCH_GC_MODE": "short"}), ONE: (own, {"BENCH_GC_MODE": "one marker"}),
            "new/delete, glibc": (plain, {}), "std::shared_ptr, glibc": (shared, {}),
            "pmr monotonic, an arena each tree": (program("BENCH_MONOTONIC"), {})}
    mimalloc = next((path for path in MIMALLOC if Path(path).exists()), None)
    if mimalloc:
        ways["new/delete, mimalloc"] = (plain, {"LD_PRELOAD": mimalloc})
        ways["std::shared_ptr, mimalloc"] = (shared, {"LD_PRELOAD": mimalloc})
    else:
        print("not measured: mimalloc (no libmimalloc.so here; package libmimalloc2.0)", file=sys.stderr)
    if Path("/usr/include/gc.h").exists() or Path("/usr/include/gc/gc.h").exists():
        ways["bdwgc"] = (program("BENCH_BDWGC", "-lgc"), {})
        ways["bdwgc, incremental"] = (ways["bdwgc"][0], {"GC_ENABLE_INCREMENTAL": "1", "GC_PAUSE_TIME_TARGET": "5"})
    else:
        print("not measured: bdwgc (no <gc.h> here; package libgc-dev)", file=sys.stderr)
    if shutil.which("javac") and shutil.which("java"):
        subprocess.run(["javac", "-d", str(folder), str(HERE / "Trees.java")], check=True)
        for label, option in {"Java, Serial": "-XX:+UseSerialGC", "Java, G1": "-XX:+UseG1GC"}.items():
            ways[label] = (["java", option, "-Xmx256m", "-Xss64m", "-cp", str(folder), "Trees"], {})
    else:
        print("not measured: Java (no javac here; package default-jdk-headless)", file=sys.stderr)
    if shutil.which("node"):
        ways["Node"] = (["node", str(HERE / "trees.js")], {})
    else:
        print("not measured: Node (package nodejs)", file=sys.stderr)
    return ways


def run(command: list[str], environment: dict[str, str]) -> dict | None:
    """One run; None where the program cannot be written for this way to manage memory."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment})
    words = child.stdout.read().split()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode != 0 or len(words) != 6:
        return None
    wall, checksum, pauses, middle, late, longest = words
    return {"wall_s": float(wall), "checksum": checksum, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1000,
            "pauses": int(pauses), "median_ms": float(middle), "p99_ms": float(late), "longest_ms": float(longest)}


def verdicts(rows: list[dict]) -> list[dict]:
    def value(program: str, way: str, key: str) -> float | None:
        return next((row[key] for row in rows if row["program"] == program and row["way"] == way), None)

    def line(target: str, wanted: float | None, got: float | None, least: bool = False) -> dict:
        reached = None if got is None or wanted is None else (got >= wanted if least else got <= wanted)
        return {"target": target, "wanted": wanted, "got": got, "reached": {True: "yes", False: "NO", None: "not measured"}[reached]}

    found = []
    for program, peak in (("gcbench", 110.0), ("binary-trees", 90.0)):
        found.append(line(f"{program}: seconds", 0.60, value(program, NAME, "wall_s")))
        found.append(line(f"{program}: seconds of new/delete with mimalloc, or fewer", value(program, "new/delete, mimalloc", "wall_s"),
                          value(program, NAME, "wall_s")))
        bdwgc, own = value(program, "bdwgc", "wall_s"), value(program, NAME, "wall_s")
        found.append(line(f"{program}: times as fast as bdwgc", 3.0, bdwgc / own if bdwgc and own else None, least=True))
        found.append(line(f"{program}: peak MB", peak, value(program, NAME, "peak_mb")))
        found.append(line(f"{program}: longest pause, ms", 5.0, value(program, NAME, "longest_ms")))
        found.append(line(f"{program}: longest pause with short pauses, ms", 1.0, value(program, SHORT, "longest_ms")))
        usual, short = value(program, NAME, "cpu_s"), value(program, SHORT, "cpu_s")
        found.append(line(f"{program}: CPU of short pauses over the usual", 1.35, short / usual if usual and short else None))
    one, several = value("marking", ONE, "median_ms"), value("marking", NAME, "median_ms")
    found.append(line("marking: times as fast with two markers as with one", 1.8, one / several if one and several else None, least=True))
    found.append(line("live (256 MiB): longest pause, ms", 5.0, value("live", NAME, "longest_ms")))
    found.append(line("live (256 MiB): longest pause with short pauses, ms", 1.0, value("live", SHORT, "longest_ms")))
    usual, short = value("live", NAME, "cpu_s"), value("live", SHORT, "cpu_s")
    found.append(line("live (256 MiB): CPU of short pauses over the usual", 1.35, short / usual if usual and short else None))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--only", default="", help="only programs whose name contains these words")
    options.add_argument("--quick", action="store_true", help="one round of small sizes: whether it runs, not how fast")
    chosen = options.parse_args()
    sizes = QUICK if chosen.quick else SIZES
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ways = build(Path(folder))
        for program, size in sizes.items():
            if chosen.only not in program:
                continue
            runs = {name: (lambda command=command, environment=environment: run([*command, program, str(size)], environment))
                    for name, (command, environment) in ways.items()
                    if program in ("gcbench", "binary-trees") or not name.startswith(("Java", "Node"))}
            for way, samples in interleaved(runs, 1 if chosen.quick else chosen.rounds).items():
                if any(sample is None for sample in samples):
                    print(f"not measured: {program} with {way} (it has no such program, or failed)", file=sys.stderr)
                    continue
                row = {"program": program, "way": way}
                row |= {key: median([sample[key] for sample in samples]) for key in ("wall_s", "cpu_s", "peak_mb", "pauses", "median_ms", "p99_ms")}
                rows.append({**row, "longest_ms": max(sample["longest_ms"] for sample in samples)})
    rows.sort(key=lambda row: (row["program"], row["wall_s"]))
    print(table(rows, [("program", "program"), ("way", "memory"), ("wall_s", "s"), ("cpu_s", "CPU s"), ("peak_mb", "peak MB"), ("pauses", "pauses"),
                       ("median_ms", "median ms"), ("p99_ms", "p99 ms"), ("longest_ms", "longest ms")]))
    reached = verdicts(rows)
    print("\n" + table(reached, [("target", "target"), ("wanted", "wanted"), ("got", "got"), ("reached", "reached")]))
    if not chosen.quick and not chosen.only:
        print(f"\nwritten: {save('gc', rows, rounds=chosen.rounds, targets=reached)}")


if __name__ == "__main__":
    main()
