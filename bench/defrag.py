#!/usr/bin/env python3
"""What stays in memory after fragmentation, beside what is live? Workloads before each malloc of this machine, under each one's own trim.

Usage: ./dev bench defrag [--rounds N] [--only NAME,...] [--scale X] [--allocators NAME|PATH,...] [--quick] [--json FILE]

Physical memory is Pss_Anon + Pss_Shmem less what the workload had before its first object. `settled`: after two seconds of light traffic;
`trimmed`: after malloc_trim, arena.ALL.purge, mi_collect or ReleaseFreeMemory. Each workload verifies every byte of every object.
`heapwright mesh`: with HEAPWRIGHT_CONF=compaction:mesh. Processor time is that of the whole process, the kernel's part, the clock and trims
included, but for finding out what is in memory. Names: the programs of bench/defrag, and redis.
"""
from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from defrag_redis import run_redis  # noqa: E402
from malloc_runs import OWN, Allocator, Launched, chosen_allocators  # noqa: E402
from measure import BUILD, Command, interleaved, machine, median, save, table  # noqa: E402

SOURCES = Path(__file__).resolve().parent / "defrag"
WORKLOADS = BUILD / "bench" / "defrag"
MESHING = f"{OWN} mesh"  # where the process may use userfaultfd; elsewhere it says so, and is the same as without
PEERS = ("glibc", "jemalloc", "mimalloc", "tcmalloc")
OTHER_PROGRAMS = ("handles",)  # measured beside these by ways of their own
SETTLE_MS = 2000
FREED_MIB, OTHER_MIX, MESHING_CPU, LONGEST_MS = 8.0, 1.10, 1.08, 1.0
LONGEST = ("longest_us", "longest_undisturbed_us", "longest_cpu_us")
FIGURES = ("live_kib", "page_floor_kib", "settled_kib", "trimmed_kib", *LONGEST, "trim_us", "work_cpu_ms", "cpu_ms", "measuring_cpu_ms")


def workload_names() -> list[str]:
    return sorted(path.stem for path in SOURCES.glob("*.cpp") if path.stem not in OTHER_PROGRAMS)


def build_programs() -> None:
    done = subprocess.run(["cmake", "--build", str(BUILD), "--target", "heapwright_bench_defrag"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}{done.stderr}\nheapwright: the workloads do not build in '{BUILD}'; run './dev build' first")


def stages_of(text: str) -> dict[str, dict[str, int]]:
    """`NAME key=value ...` on each line."""
    stages = {}
    for line in text.splitlines():
        name, *figures = line.split()
        stages[name] = {key: int(value) for key, value in (figure.split("=") for figure in figures)}
    return stages


def run_workload(name: str, scale: float, settle_ms: int, allocator: Allocator) -> dict:
    """Stages by name; or `failure`, a sentence."""
    result, text = Launched(Command([str(WORKLOADS / name), str(scale), str(settle_ms)]), allocator).finish()
    stages = stages_of(text)
    if result.failure or not stages:
        return {"failure": result.failure or "printed no stage"}
    return {"stages": stages}


def rows_for(name: str, results: dict[str, list[dict]]) -> list[dict]:
    """A row a stage: medians of each figure, by allocator."""
    failures = {allocator: next(run["failure"] for run in runs if "failure" in run) for allocator, runs in results.items()
                if any("failure" in run for run in runs)}
    good = {allocator: [run["stages"] for run in runs] for allocator, runs in results.items() if allocator not in failures}
    rows = []
    for stage in next(iter(good.values()), [{}])[0]:
        row: dict = {"workload": name, "stage": stage, "failures": failures}
        for figure in FIGURES:
            row[figure] = {allocator: round(median(run[stage][figure] for run in runs)) for allocator, runs in good.items()
                           if all(figure in run.get(stage, {}) for run in runs)}
        rows.append(row)
    return rows or [{"workload": name, "stage": "-", "failures": failures, **{figure: {} for figure in FIGURES}}]


def cell(row: dict, figure: str, allocator: str) -> str:
    """MiB, and how many times what is live."""
    if allocator not in row[figure]:
        return "failed" if allocator in row["failures"] else "-"
    kib, live = row[figure][allocator], row["live_kib"].get(allocator, 0)
    return f"{kib / 1024:.1f}" + (f" ({kib / live:.2f}x)" if live else "")


def show(rows: list[dict], names: list[str]) -> None:
    for figure, title in (("settled_kib", "two seconds later"), ("trimmed_kib", "after each one's own trim")):
        lines = [{"row": f"{row['workload']} {row['stage']}", "live": f"{max(row['live_kib'].values(), default=0) / 1024:.1f}",
                  **{name: cell(row, figure, name) for name in names}} for row in rows]
        print(f"\nMiB in memory, and times what is live, {title}:\n\n{table(lines, [(key, key) for key in ('row', 'live', *names)])}")
    lines = [{"row": f"{row['workload']} {row['stage']}",
              **{name: " / ".join(f"{row[figure].get(name, 0) / 1000:.2f}" for figure in LONGEST) if name in row["longest_us"] else "-"
                 for name in names}} for row in rows]
    print("\nms of the longest malloc while it settled: of all / of those that were not preempted / of its processor time:"
          f"\n\n{table(lines, [(key, key) for key in ('row', *names)])}")
    lines = [{"row": f"{row['workload']} {row['stage']}",
              **{name: f"{row['trim_us'][name] / 1000:.1f}" if name in row["trim_us"] else "-" for name in names}} for row in rows]
    print(f"\nms of the trim:\n\n{table(lines, [(key, key) for key in ('row', *names)])}")
    totals = {workload: cpu_of(rows, workload) for workload in dict.fromkeys(row["workload"] for row in rows)}
    lines = [{"workload": workload, **{name: str(total[name]) if name in total else "-" for name in names}} for workload, total in totals.items()]
    print(f"\nms of processor time of the whole program, trims and the clock included:\n\n{table(lines, [(key, key) for key in ('workload', *names)])}")
    for row in rows:
        for name, failure in row["failures"].items():
            print(f"\nfailed: {row['workload']} with {name}: {failure}")


def cpu_of(rows: list[dict], workload: str) -> dict[str, int]:
    """Milliseconds of processor time of all stages, by allocator."""
    stages = [row["cpu_ms"] for row in rows if row["workload"] == workload]
    return {name: sum(stage[name] for stage in stages) for name in stages[0] if all(name in stage for stage in stages)}


def cpu_verdicts(rows: list[dict]) -> list[dict]:
    """What meshing takes of the processor, of each whole program."""
    lines = []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        total = cpu_of(rows, workload)
        if total.get(OWN) and total.get(MESHING):
            got = total[MESHING] / total[OWN]
            lines.append({"target": f"{workload}: processor time, over meshing off", "wanted": MESHING_CPU, "got": got,
                          "reached": "yes" if got <= MESHING_CPU else "NO"})
    return lines


def longest_verdicts(rows: list[dict]) -> list[dict]:
    """The longest malloc while the clock meshes, of each program; what the scheduler took of it is told apart."""
    lines = []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        stages = [row["longest_undisturbed_us"][MESHING] for row in rows if row["workload"] == workload and MESHING in row["longest_undisturbed_us"]]
        if stages:
            got = max(stages) / 1000
            lines.append({"target": f"{workload}: longest malloc while meshing, not preempted, ms", "wanted": LONGEST_MS, "got": got,
                          "reached": "yes" if got <= LONGEST_MS else "NO"})
    return lines


def verdicts(rows: list[dict]) -> list[dict]:
    """Ours against the best of the peers on each row, and against the fixed targets."""
    lines = cpu_verdicts(rows) + longest_verdicts(rows)
    for row in rows:
        ours = row["trimmed_kib"].get(OWN)
        peers = [row["trimmed_kib"][name] for name in PEERS if name in row["trimmed_kib"]]
        if ours is None:
            continue
        where = f"{row['workload']} {row['stage']}"
        if row["stage"] == "freed":
            got = row["settled_kib"][OWN] / 1024
            lines.append({"target": f"{where}: MiB, no call in between", "wanted": FREED_MIB, "got": got, "reached": "yes" if got <= FREED_MIB else "NO"})
        elif peers:
            got = ours / min(peers)
            lines.append({"target": f"{where}: over the best peer, trimmed", "wanted": 1.0, "got": got, "reached": "yes" if got <= 1.0 else "NO"})
        if row["stage"] == "other_mix":
            got = ours / row["live_kib"][OWN]
            lines.append({"target": f"{where}: over what is live", "wanted": OTHER_MIX, "got": got, "reached": "yes" if got <= OTHER_MIX else "NO"})
    return lines


def measure_rows(allocators: list[Allocator], rounds: int, scale: float, settle_ms: int, only: list[str]) -> list[dict]:
    runners = {name: functools.partial(run_workload, name, scale, settle_ms) for name in workload_names()}
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as folder:
        if shutil.which("redis-server"):
            runners["redis"] = functools.partial(run_redis, Path(folder), scale, settle_ms)
        else:
            print("not measured: redis (no redis-server here; package redis-server)", file=sys.stderr)
        unknown = sorted(set(only) - set(runners))
        if unknown:
            sys.exit(f"heapwright: no workload is called {' or '.join(unknown)}; there are {', '.join(runners)}")
        rows = []
        for name, run in runners.items():
            if not only or name in only:
                rows += rows_for(name, interleaved({one.name: functools.partial(run, one) for one in allocators}, rounds))
                print(f"{name} done", file=sys.stderr, flush=True)
    return rows


def options_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual work")
    parser.add_argument("--allocators", default="", help="names or paths; glibc, heapwright, jemalloc, mimalloc and tcmalloc unless given")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work, one round, no waiting: does it run at all?")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    parser.add_argument("--no-build", action="store_true", help="the workloads are built already")
    return parser.parse_args(words)


def main() -> int:
    options = options_of(sys.argv[1:])
    scale, rounds, settle_ms = (0.05, 1, 50) if options.quick else (options.scale, options.rounds, SETTLE_MS)
    only = [word for word in options.only.split(",") if word]
    allocators = [one for one in chosen_allocators(options.allocators) if options.allocators or one.name in (OWN, *PEERS)]
    own = next((one for one in allocators if one.name == OWN), None)
    if own is not None:
        allocators.append(Allocator(MESHING, own.library, (("HEAPWRIGHT_CONF", "compaction:mesh"),)))
    if not options.no_build:
        build_programs()
    rows = measure_rows(allocators, rounds, scale, settle_ms, only)
    show(rows, [one.name for one in allocators])
    targets = verdicts(rows)
    if targets:
        print(f"\n{table(targets, [(key, key) for key in ('target', 'wanted', 'got', 'reached')])}")
    more = {"rounds": rounds, "scale": scale, "settle_ms": settle_ms, "targets": targets}
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), **more, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    if not (options.quick or only or options.allocators) and scale == 1.0:
        print(f"\nwritten: {save('defrag', rows, **more)}")
    return 1 if any(row["failures"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
