"""What each allocator keeps, at the moments that users complain of: small programs, after a burst, between live blocks, in idle threads."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_runs import OWN, TOOLS, Allocator, clean_environment, exact_peak_kib, run_command  # noqa: E402
from measure import Command, median, table  # noqa: E402

PROBES = {
    "base": "a program that does nothing: MiB resident, MiB of addresses, mappings",
    "burst": "300 MiB of small blocks in two threads, all freed; a second idle; a second of light activity",
    "frag": "nine of ten small blocks freed at random, then other sizes",
    "threxit": "1000 threads, one after the other, that leave some blocks behind",
    "idlethr": "64 threads that used 3 MiB each and now sleep; then they end",
    "prodcons": "a million blocks from one thread to another",
    "large": "blocks of 5 to 25 MiB, every OS page written",
    "realloc": "forty buffers that grow by half to 16 MiB",
    "aligned": "60 000 aligned blocks, 64 bytes to 4 KiB",
}
SMALL = {
    "true": ["true"],
    "sh": ["sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); x=\"$x$i\"; done; ls / | wc -l"],
    "bash": ["bash", "-c", "for i in {1..300}; do x+=$i; a[$i]=$x; done; ls / | wc -l"],
}
SMALL_TARGET = 1.1
BURST_TARGET = 0.10
SMALL_RUNS = 11


def probe(name: str, allocator: Allocator, scale: float) -> dict:
    done = subprocess.run([str(TOOLS / "probes"), name, str(scale)], capture_output=True, text=True, check=False, timeout=300,
                          env=clean_environment() | {"LD_PRELOAD": str(allocator.library)})
    values = dict(part.split("=") for part in done.stdout.split())
    if done.returncode != 0:
        values["failed"] = f"status {done.returncode}"
    return {"allocator": allocator.name, **values}


def small_programs(allocators: list[Allocator]) -> list[dict]:
    """Peak RSS and wall time of programs that hardly allocate, medians of turns."""
    rows: list[dict] = [{"allocator": allocator.name} for allocator in allocators]
    for name, words in SMALL.items():
        runs: list[list] = [[] for _ in allocators]
        for _ in range(SMALL_RUNS):
            for index, allocator in enumerate(allocators):
                runs[index].append((exact_peak_kib(words, allocator) / 1024, run_command(Command(words), allocator).wall_s * 1000))
        for row, results in zip(rows, runs):
            row[f"{name} MiB"] = median(peak for peak, _ in results)
            row[f"{name} ms"] = median(wall for _, wall in results)
    return rows


def columns_of(rows: list[dict]) -> list[tuple[str, str]]:
    names = dict.fromkeys(key for row in rows for key in row)
    return [(name, name) for name in names]


def marks(parts: dict[str, list[dict]]) -> list[str]:
    """The targets that a probe decides; only where ours and glibc stand in the table."""
    def row_of(name: str, allocator: str) -> dict | None:
        return next((row for row in parts.get(name, []) if row["allocator"] == allocator), None)

    lines = []
    ours, glibc = row_of("small programs", OWN), row_of("small programs", "glibc")
    if ours and glibc:
        for name in SMALL:
            ratio = ours[f"{name} MiB"] / glibc[f"{name} MiB"]
            lines.append(f"target: peak RSS of {name} within {SMALL_TARGET} of glibc: {ratio:.3f}, {'reached' if ratio <= SMALL_TARGET else 'NOT reached'}")
    burst, base = row_of("burst", OWN), row_of("base", OWN)
    if burst and base and "idle1s" in burst:
        floor = float(base["rss"])
        kept = (float(burst["idle1s"]) - floor) / (float(burst["peak"]) - floor)
        reached = kept <= BURST_TARGET
        lines.append(f"target: at most {BURST_TARGET:.0%} of a burst kept after an idle second: {kept:.1%}, {'reached' if reached else 'NOT reached'}")
        processor = float(burst["idle_cpu%"])
        lines.append(f"target: at most 2 % CPU while giving it back: {processor:.1f} %, {'reached' if processor <= 2 else 'NOT reached'}")
    return lines


def run_probes(allocators: list[Allocator], scale: float, only: list[str]) -> dict[str, list[dict]]:
    parts: dict[str, list[dict]] = {}
    if not only or "small" in only:
        parts["small programs"] = small_programs(allocators)
        print(f"== small programs: peak RSS and wall time, medians of {SMALL_RUNS}\n{table(parts['small programs'], columns_of(parts['small programs']))}\n", flush=True)
    for name, meaning in PROBES.items():
        if only and name not in only:
            continue
        parts[name] = [probe(name, allocator, scale) for allocator in allocators]
        print(f"== {name}: {meaning}; MiB unless said\n{table(parts[name], columns_of(parts[name]))}\n", flush=True)
    for line in marks(parts):
        print(line)
    return parts
