#!/usr/bin/env python3
"""How fast does `heapwright report` explain a trace, and in how much memory? Synthetic traces of any length, one core.

Usage: ./dev bench report [--events N] [--live N] [--threads N] [--rounds N] [--keep FILE]

Then the page is opened in a headless Chromium: milliseconds from the navigation to a page that answers.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "web"))
from browser import Browser, BrowserError  # noqa: E402
from measure import BUILD, ROOT, Command, median, run_once, save, table, tool  # noqa: E402

GENERATOR = Path(__file__).resolve().parent / "programs" / "report_trace.cpp"
TARGET_S = 25.0       # for 100 million events
TARGET_MIB = 300.0
TARGET_OPEN_MS = 1000.0


def build_generator(folder: Path) -> str:
    output = folder / "report_trace"
    libraries = [str(BUILD / "lib" / f"libheapwright_{name}.a") for name in ("trace", "base")]
    subprocess.run(["g++", "-std=c++23", "-O2", "-I", str(ROOT / "src"), str(GENERATOR), "-o", str(output), *libraries, "-lzstd"], check=True)
    return str(output)


def one_core(words: list[str]) -> Command:
    return Command(["taskset", "-c", "0", *words])


def measure_trace(trace: Path, events: int, rounds: int) -> list[dict]:
    """One row for each way of asking."""
    rows = []
    ways = {"text": [], "json": ["--json"], "html": ["--html", str(trace.with_suffix(".html"))]}
    for name, words in ways.items():
        runs = []
        for number in range(rounds):
            print(f"\r\033[K  {name}: round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            run = run_once(one_core([tool("heapwright"), "--no-progress", "report", str(trace), *words]))
            if run.status != 0:
                sys.exit(f"heapwright: report failed with status {run.status}")
            runs.append(run)
        print("\r\033[K", end="", file=sys.stderr, flush=True)
        cpu = median([run.cpu_s for run in runs])
        rows.append({"output": name, "events": events, "cpu_s": cpu, "cpu_min_s": min(run.cpu_s for run in runs),
                     "cpu_max_s": max(run.cpu_s for run in runs), "wall_s": median([run.wall_s for run in runs]),
                     "ns_per_event": cpu / events * 1e9, "peak_mib": max(run.peak_mib for run in runs)})
    return rows


def measure_page(page: Path, rounds: int) -> dict:
    """How large the page is and how fast it opens."""
    opened = []
    for _ in range(rounds):
        with Browser() as browser:
            browser.open(str(page))
            opened.append(float(browser.wait("document.getElementById('page').dataset.ready", 60)))
    return {"page_kib": page.stat().st_size / 1024, "opens_ms": median(opened)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=100_000_000)
    arguments.add_argument("--live", type=int, default=2_000_000, help="blocks that are live at the peak")
    arguments.add_argument("--threads", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--keep", help="keep the trace under this name")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as name:
        folder = Path(name)
        trace = Path(options.keep) if options.keep else folder / "synthetic.hwtrace"
        print(f"writing {options.events:,} events with {options.live:,} live blocks in {options.threads} threads")
        subprocess.run([build_generator(folder), str(trace), str(options.events), str(options.live), str(options.threads)], check=True)
        print(f"the trace has {trace.stat().st_size / 2**20:.0f} MiB, {trace.stat().st_size / options.events:.2f} bytes an event")
        rows = measure_trace(trace, options.events, options.rounds)
        try:
            page = measure_page(trace.with_suffix(".html"), options.rounds)
        except BrowserError as problem:
            sys.exit(f"heapwright: cannot open the page: {problem}")
    print(table(rows, [("output", "output"), ("cpu_s", "CPU s"), ("cpu_min_s", "min"), ("cpu_max_s", "max"), ("wall_s", "wall s"),
                       ("ns_per_event", "ns an event"), ("peak_mib", "peak MiB")]))
    allowed = TARGET_S * options.events / 100e6
    worst = max(row["cpu_s"] for row in rows)
    peak = max(row["peak_mib"] for row in rows)
    print(f"targets: {allowed:.1f} s {'met' if worst <= allowed else 'MISSED'}, {TARGET_MIB:.0f} MiB {'met' if peak <= TARGET_MIB else 'MISSED'}")
    print(f"the page has {page['page_kib']:.0f} KiB and opens in {page['opens_ms']:.0f} ms: "
          f"{TARGET_OPEN_MS:.0f} ms {'met' if page['opens_ms'] <= TARGET_OPEN_MS else 'MISSED'}")
    saved = save("report", rows, page=page, live_blocks=options.live, threads=options.threads, target_s=allowed, target_mib=TARGET_MIB)
    print(f"saved to {saved.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
