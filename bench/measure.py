"""Runs commands in turn, measures whole process trees, and keeps the numbers: the ground that every bench stands on."""
from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("HEAPWRIGHT_BENCH_BUILD", ROOT / "build" / "release"))
RESULTS = ROOT / "bench" / "results"


@dataclass
class Usage:
    """What one run of a command, with all its children, used."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    status: int


@dataclass
class Command:
    """A command line with its environment and input."""

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stdin: Path | None = None


def tool(name: str) -> str:
    """The path of one of our built programs; ends the bench with a sentence when it is missing."""
    path = BUILD / "bin" / name
    if not path.exists():
        sys.exit(f"heapwright: no program '{path}'; run './dev build' first")
    return str(path)


def run_once(command: Command) -> Usage:
    """Runs one command to its end. CPU counts every descendant that was waited for."""
    with open(command.stdin or os.devnull, "rb") as source:
        begin = time.perf_counter()
        child = subprocess.Popen(command.words, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env={**os.environ, **command.environment})
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
    child.returncode = status
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def interleaved(runs: dict[str, callable], rounds: int) -> dict[str, list]:
    """Calls every entry once a round, so that a slow minute of the machine hits all of them alike."""
    results: dict[str, list] = {name: [] for name in runs}
    for number in range(rounds):
        for name, action in runs.items():
            print(f"\r\033[K  round {number + 1} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
            results[name].append(action())
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results


def median(values) -> float:
    return statistics.median(values)


def paired_ratio(values: list[float], base: list[float]) -> float:
    """The median of the ratios within each round."""
    return statistics.median(value / reference for value, reference in zip(values, base) if reference > 0)


def machine() -> dict[str, str]:
    """What a reader has to know to trust a number."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[:1]
    return {"cpu": model, "cores": str(os.cpu_count()), "kernel": platform.release(), "libc": " ".join(platform.libc_ver()),
            "compiler": compiler[0] if compiler else "", "commit": commit.stdout.strip()}


def save(name: str, rows: list[dict], **more) -> Path:
    """Writes bench/results/NAME.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **more, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return path


def table(rows: list[dict], columns: list[tuple[str, str]]) -> str:
    """An aligned text table; `columns` are (key, heading)."""
    def cell(value) -> str:
        return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)

    lines = [[heading for _, heading in columns]] + [[cell(row.get(key)) for key, _ in columns] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(line, widths))) for line in lines)
