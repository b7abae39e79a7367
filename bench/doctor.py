#!/usr/bin/env python3
"""How fast does `heapwright doctor` explain a process of 265 MiB, and is its prediction of malloc_trim(0) true?

Usage: ./dev bench doctor [--share 0.1] [--rounds N]

Each row is one live program on glibc's malloc (tests/programs/doctor_victim.cpp): examined several times, then trimmed.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "tests/system"))
from measure import ROOT, Command, median, run_once, save, table, tool  # noqa: E402
from talking_program import TalkingProgram  # noqa: E402

TARGET_S = 0.5
TARGET_SHARE = 0.05
SLACK_BYTES = 64 << 10  # a page here and there is no error
# Threads and blocks a thread for about 265 MiB.
SHAPES = {"tiny": (1, 8_600_000), "kept": (4, 300_000), "pinned": (4, 300_000), "runs": (4, 300_000), "freed": (4, 300_000), "fast": (4, 820_000),
          "random": (3, 60_000), "mixed": (3, 4_400), "large": (2, 420)}


def build_victim(folder: Path) -> str:
    output = folder / "victim"
    subprocess.run(["g++", "-std=c++20", "-O1", "-fno-builtin", "-pthread", str(ROOT / "tests/programs/doctor_victim.cpp"), "-o", str(output)], check=True)
    return str(output)


def measure_shape(victim: str, name: str, threads: int, blocks: int, rounds: int) -> dict:
    running = TalkingProgram(victim, name, str(threads), str(blocks))
    words = [tool("heapwright"), "doctor", str(running.pid), "--json"]
    runs = [run_once(Command(words)) for _ in range(rounds)]
    if any(run.status for run in runs):
        sys.exit(f"heapwright: doctor failed on '{name}'")
    look = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    before = running.say("facts")
    given = before["rss"] - running.say("trim")["rss"]
    running.end()
    return {"shape": name, "threads": threads, "rss_mib": look["rss"] / 2**20, "live_mib": look["live"] / 2**20, "live_blocks": look["live_blocks"],
            "held_mib": before["held"] / 2**20, "predicted_mib": look["trimmable"] / 2**20, "given_back_mib": given / 2**20,
            "error_bytes": abs(look["trimmable"] - given), "wall_s": median([run.wall_s for run in runs]), "wall_max_s": max(run.wall_s for run in runs),
            "cpu_s": median([run.cpu_s for run in runs]), "peak_mib": max(run.peak_mib for run in runs), "verdict": look["verdict"]["kind"],
            "given_bytes": given}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--share", type=float, default=1.0, help="of the blocks, for a quick try")
    arguments.add_argument("--rounds", type=int, default=7)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as name:
        victim = build_victim(Path(name))
        rows = [measure_shape(victim, shape, threads, max(int(blocks * options.share), 10), options.rounds) for shape, (threads, blocks) in SHAPES.items()]
    print(table(rows, [("shape", "shape"), ("rss_mib", "RSS MiB"), ("live_mib", "live MiB"), ("held_mib", "held MiB"), ("predicted_mib", "predicted MiB"),
                       ("given_back_mib", "given back MiB"), ("wall_s", "wall s"), ("wall_max_s", "max"), ("cpu_s", "CPU s"), ("peak_mib", "peak MiB"),
                       ("verdict", "verdict")]))
    slowest = max(row["wall_s"] for row in rows)
    wrong = [row["shape"] for row in rows if row["error_bytes"] > max(TARGET_SHARE * row["given_bytes"], SLACK_BYTES)]
    print(f"targets: {TARGET_S} s {'met' if slowest < TARGET_S else 'MISSED'}, "
          f"trims within {TARGET_SHARE:.0%} {'met' if not wrong else 'MISSED by ' + ', '.join(wrong)}")
    if options.share == 1.0:
        saved = save("doctor", rows, target_s=TARGET_S, target_share=TARGET_SHARE)
        print(f"saved to {saved.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
