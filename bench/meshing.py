#!/usr/bin/env python3
"""How many pages could share memory, how many does the search of the paper on Mesh find, and how many does ours? On paper, by chance.

Usage: ./dev bench meshing [--pieces N] [--quick]
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import ROOT, save, table  # noqa: E402

FLAGS = ["-std=c++23", "-O3", "-DNDEBUG", "-pthread", f"-I{ROOT}", f"-I{ROOT / 'src'}"]
LIBRARIES = [str(ROOT / "build/release/lib" / f"libheapwright_{name}.a") for name in ("alloc_heap", "config", "os", "base")]
COLUMNS = [("live_of_16", "live of 16"), ("q", "chance q"), ("pieces", "pages before"), ("bound_pages", "at most, by the bound"),
           ("split_mesher_pages", "the paper's search"), ("ours_pages", "ours"), ("fewest_pages", "no fewer than"), ("ours_ms", "ours, ms")]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pieces", type=int, default=8192)
    options.add_argument("--quick", action="store_true", help="few pieces: whether it runs")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "mesh_bound")
        subprocess.run(["g++", *FLAGS, str(ROOT / "bench/mesh_bound.cpp"), *LIBRARIES, "-o", program], check=True)
        done = subprocess.run([program, "512" if chosen.quick else str(chosen.pieces)], check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    print(table(rows, COLUMNS))
    # It is proved for at least 2 k / q pieces, with k of 1 here; where so few fit over each other that there are not as many, it says nothing.
    found = [{"target": f"{row['live_of_16']} of 16 live: pages, beside the bound", "wanted": row["bound_pages"], "got": row["ours_pages"],
              "reached": "yes" if row["ours_pages"] <= row["bound_pages"] else "NO"} for row in rows if row["pieces"] * row["q"] >= 2]
    print(table(found, [("target", "target"), ("wanted", "at most"), ("got", "got"), ("reached", "reached")]))
    if not chosen.quick:
        print(f"\nwritten: {save('meshing', rows, targets=found)}")


if __name__ == "__main__":
    main()
