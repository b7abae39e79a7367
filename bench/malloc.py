#!/usr/bin/env python3
"""How near is the general-purpose heap to the best malloc, row by row? Workloads and real programs before each allocator of this machine.

Usage: ./dev bench malloc [--rounds N] [--only NAME,...] [--scale X] [--allocators NAME|PATH,...] [--time wall|cpu] [--quick]
       ./dev bench malloc --instructions      exact counts of a hot pair of malloc and free
       ./dev bench malloc --probes            what is kept: small programs, bursts, fragmentation, idle threads

Figures are ratios to the best allocator on their row: 1.00 is the best. `--only workloads` and `--only programs` are the two halves.
HEAPWRIGHT_PEERS=a.so:b.so adds allocators; the environment variables of allocators are taken away, HEAPWRIGHT_CONF stays.
"""
from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_instructions import count_instructions  # noqa: E402
from malloc_probes import run_probes  # noqa: E402
from malloc_programs import real_programs  # noqa: E402
from malloc_runs import OWN, Allocator, Result, build_programs, chosen_allocators, run_workload  # noqa: E402
from measure import interleaved, machine, median, save, table  # noqa: E402

SOURCES = Path(__file__).resolve().parent / "malloc"
NO_WORKLOADS = ("pair", "probes")
TIME_TARGET, WORST_TARGET, RSS_TARGET = 1.06, 1.25, 1.15


def workload_names() -> list[str]:
    return sorted(path.stem for path in SOURCES.glob("*.cpp") if path.stem not in NO_WORKLOADS)


def row_for(name: str, kind: str, results: dict[str, list[Result]]) -> dict:
    """Medians of every allocator that did the work, the same as the others."""
    failures = {}
    for allocator, runs in results.items():
        failure = next((run.failure for run in runs if run.failure), "")
        if failure:
            failures[allocator] = failure
    good = {allocator: runs for allocator, runs in results.items() if allocator not in failures}
    proofs = {allocator: sorted({run.proof for run in runs}) for allocator, runs in good.items()}
    expected = next(iter(proofs.values()), [])
    for allocator, proof in proofs.items():
        if proof != expected or len(proof) != 1:
            failures[allocator] = f"its result {'/'.join(proof)} is not {'/'.join(expected)}"
    row = {"name": name, "kind": kind, "failures": failures}
    for key, value in (("wall_s", lambda run: run.wall_s), ("cpu_s", lambda run: run.cpu_s), ("peak_mib", lambda run: run.peak_mib)):
        row[key] = {allocator: round(median(value(run) for run in runs), 5) for allocator, runs in good.items() if allocator not in failures}
    row["runs_s"] = {allocator: [[round(run.wall_s, 4), round(run.cpu_s, 4)] for run in runs] for allocator, runs in good.items()}
    if any(run.idle_mib is not None for runs in good.values() for run in runs):
        row["idle_mib"] = {allocator: median(run.idle_mib for run in runs) for allocator, runs in good.items() if allocator not in failures}
    return row


def ratios(values: dict[str, float]) -> dict[str, float]:
    """To the best on the row. What is too small to be measured is no row."""
    best = min(values.values(), default=0)
    return {name: value / best for name, value in values.items()} if best > 0 else {}


def geometric_mean(values: list[float]) -> float | None:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def summary_of(rows: list[dict], names: list[str], time_key: str) -> list[dict]:
    lines = []
    for name in names:
        line: dict = {"allocator": name}
        for key, title in ((time_key, "time"), ("cpu_s", "CPU"), ("peak_mib", "peak RSS")):
            found = {row["name"]: ratios(row[key])[name] for row in rows if name in ratios(row[key])}
            worst = max(found, key=found.get, default=None)
            line[title] = geometric_mean(list(found.values()))
            line[f"worst {title}"] = None if worst is None else f"{found[worst]:.2f} {worst}"
            line[f"worst {title} ratio"] = None if worst is None else found[worst]
        line["failed"] = sum(name in row["failures"] for row in rows)
        lines.append(line)
    return lines


def verdicts(line: dict) -> list[dict]:
    marks = [("time, geometric mean over the best", TIME_TARGET, line["time"]), ("time, worst row", WORST_TARGET, line["worst time ratio"]),
             ("peak RSS, geometric mean over the best", RSS_TARGET, line["peak RSS"]), ("rows that failed", 0, line["failed"])]
    return [{"target": text, "wanted": wanted, "got": got, "reached": "yes" if got is not None and got <= wanted else "NO"} for text, wanted, got in marks]


def cells(row: dict, key: str, names: list[str], unit: str) -> dict:
    """A row of a table of ratios."""
    found = ratios(row[key])
    best = min(row[key], key=row[key].get, default=None)
    return {"row": row["name"], "best": best, "value": f"{row[key][best]:.3f} {unit}" if best else None,
            **{name: f"{found[name]:.2f}" if name in found else "failed" if name in row["failures"] else "-" for name in names}}


def show(rows: list[dict], names: list[str], time_key: str) -> None:
    for key, unit, title in ((time_key, "s", f"{'wall' if time_key == 'wall_s' else 'CPU'} time"), ("peak_mib", "MiB", "peak RSS of the largest process")):
        columns = [("row", "row"), ("best", "best"), ("value", "it takes")] + [(name, name) for name in names]
        print(f"\n{title}, over the best on the row:\n\n{table([cells(row, key, names, unit) for row in rows], columns)}")
    for row in rows:
        if "idle_mib" in row:
            kept = ", ".join(f"{name} {value:.0f}" for name, value in row["idle_mib"].items())
            print(f"\nMiB resident a second after '{row['name']}' freed everything: {kept}")
    for row in rows:
        for name, failure in row["failures"].items():
            print(f"\nfailed: {row['name']} with {name}: {failure}")


def runners(folder: Path, scale: float, only: list[str]) -> dict[str, tuple[str, callable]]:
    """Name of the row to its kind and what runs it with an allocator."""
    def wanted(kind: str, name: str) -> bool:
        return not only or kind in only or name in only

    chosen = {name: ("workload", functools.partial(run_workload, name, scale)) for name in workload_names() if wanted("workloads", name)}
    programs = real_programs(folder, scale, lambda name: wanted("programs", name))
    return chosen | {name: ("program", run) for name, run in programs.items()}


def measure_rows(allocators: list[Allocator], rounds: int, scale: float, only: list[str], time_key: str) -> list[dict]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as folder:
        chosen = runners(Path(folder), scale, only)
        unknown = sorted(set(only) - {"workloads", "programs"} - set(chosen))
        if unknown or not chosen:
            known = [*workload_names(), *runners(Path(folder), scale, ["programs"])]
            sys.exit(f"heapwright: no row is called {' or '.join(unknown or only)}; rows are workloads, programs, {', '.join(known)}")
        for number, (name, (kind, run)) in enumerate(chosen.items()):
            results = interleaved({one.name: functools.partial(run, one) for one in allocators}, rounds)
            rows.append(row_for(name, kind, results))
            found = ratios(rows[-1][time_key])
            done = "  ".join(f"{one.name} {found[one.name]:.2f}" if one.name in found else f"{one.name} failed" for one in allocators)
            print(f"{number + 1:2d}/{len(chosen)} {name:18s} {done}", file=sys.stderr, flush=True)
    return rows


def options_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="rows, or `workloads` or `programs`; with --probes, names of probes")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual work")
    parser.add_argument("--allocators", default="", help="names or paths; all that this machine has unless given")
    parser.add_argument("--time", choices=("wall", "cpu"), default="wall", help="which time is compared")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work, one round: does it run at all?")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--probes", action="store_true")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    parser.add_argument("--no-build", action="store_true", help="the workloads are built already")
    return parser.parse_args(words)


def count_and_probe(options: argparse.Namespace, allocators: list[Allocator], scale: float, only: list[str], whole: bool) -> int:
    parts = {}
    if options.instructions:
        parts["instructions"] = count_instructions(allocators)
    if options.probes:
        parts["probes"] = [{"probe": name, **row} for name, rows in run_probes(allocators, scale, only).items() for row in rows]
    for name, rows in parts.items():
        if whole:
            print(f"\nwritten: {save(f'malloc_{name}', rows)}")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), **parts}, indent=1) + "\n", encoding="utf-8")
    return 0


def main() -> int:
    options = options_of(sys.argv[1:])
    scale, rounds = (0.05, 1) if options.quick else (options.scale, options.rounds)
    only = [word for word in options.only.split(",") if word]
    allocators = chosen_allocators(options.allocators)
    names = [one.name for one in allocators]
    if not options.no_build:
        build_programs()
    whole = not (options.quick or only or options.allocators) and scale == 1.0
    if options.instructions or options.probes:
        return count_and_probe(options, allocators, scale, only, whole)

    time_key = f"{options.time}_s"
    rows = measure_rows(allocators, rounds, scale, only, time_key)
    show(rows, names, time_key)
    lines = summary_of(rows, names, time_key)
    print(f"\n{len(rows)} rows, medians of {rounds} interleaved rounds; geometric means over the best:\n")
    print(table(lines, [(key, key) for key in ("allocator", "time", "worst time", "CPU", "peak RSS", "worst peak RSS", "failed")]))
    targets = next((verdicts(line) for line in lines if line["allocator"] == OWN), [])
    if targets:
        print(f"\n{table(targets, [(key, key) for key in ('target', 'wanted', 'got', 'reached')])}")
    more = {"rounds": rounds, "scale": scale, "time": options.time, "summary": lines, "targets": targets}
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), **more, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    if whole:
        print(f"\nwritten: {save('malloc', rows, **more)}")
    return 1 if any(row["failures"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
