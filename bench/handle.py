#!/usr/bin/env python3
"""How close to what is alive does memory come that may move, at what cost, and what does following a handle or a box cost?

Usage: ./dev bench handle [--rounds N] [--only WORDS] [--quick]
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import ROOT, interleaved, median, save, table  # noqa: E402

FLAGS = ["-std=c++23", "-O3", "-DNDEBUG", "-pthread", f"-I{ROOT}", f"-I{ROOT / 'src'}"]
OWN = [path for module in ("base", "os", "own/handle") for path in (ROOT / "src/heapwright" / module).glob("*.cpp")]
OWN_FLAGS = ["-fno-exceptions", "-fno-rtti", "-fno-stack-protector", "-fvisibility=hidden", "-ftls-model=initial-exec"]
MEMORY = ["stride", "random", "lru", "doubling", "arrays", "server"]
OWNERS = ["box", "handle"]


def build(folder: Path) -> str:
    objects = []
    for source in OWN:
        objects.append(str(folder / f"{source.parent.name}_{source.stem}.o"))
        subprocess.run(["g++", *FLAGS, *OWN_FLAGS, "-c", str(source), "-o", objects[-1]], check=True)
    program = str(folder / "handles")
    subprocess.run(["g++", *FLAGS, str(ROOT / "bench/defrag/handles.cpp"), *objects, "-o", program], check=True)
    return program


def run(program: str, *words: str) -> dict:
    """One run in a fresh process; it verifies every byte and ends with an error where one is damaged."""
    done = subprocess.run([program, *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"heapwright: '{' '.join(words)}' of bench/defrag/handles.cpp failed: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def middle(samples: list[dict]) -> dict:
    """The median of every figure; of what is called longest, the longest."""
    kept = {key: value for key, value in samples[0].items() if isinstance(value, str)}
    for key in samples[0]:
        if key not in kept:
            values = [sample[key] for sample in samples if key in sample]
            kept[key] = max(values) if "longest" in key else median(values)
    return kept


def verdicts(rows: list[dict]) -> list[dict]:
    def value(workload: str, owner: str, key: str) -> float | None:
        return next((row.get(key) for row in rows if row["workload"] == workload and row["owner"] == owner), None)

    def line(target: str, wanted: float, got: float | None, least: bool = False) -> dict:
        reached = None if got is None else (got >= wanted if least else got <= wanted)
        return {"target": target, "wanted": wanted, "got": got, "reached": {True: "yes", False: "NO", None: "not measured"}[reached]}

    found = []
    for owner in OWNERS:
        after = "compacted" if owner == "box" else "renamed"
        for workload, most in (("stride", 1.06), ("random", 1.06), ("lru", 1.12)):
            found.append(line(f"{workload}, {owner}: memory / live, {after}", most, value(workload, owner, after)))
            found.append(line(f"{workload}, {owner}: memory / live, two seconds of background", 1.15, value(workload, owner, "background")))
            found.append(line(f"{workload}, {owner}: CPU of the background, percent", 5.0, value(workload, owner, "background_cpu_percent")))
            found.append(line(f"{workload}, {owner}: step, p99.9, ms", 0.5, value(workload + " alone", owner, "step_p999_ms")))
        for size, least in ((64, 0.6), (256, 2.0)):
            found.append(line(f"moving {size} B, {owner}: GB/s", least, value("moving", owner, f"moved_gb_s_{size}"), least=True))
    for owner, most in (("box", 0.1), ("handle", 1.5)):
        own, pointer = value("following", "handle", f"hot_{owner}_ns"), value("following", "handle", "hot_pointer_ns")
        found.append(line(f"following, {owner}, hot: ns more than a pointer", most, own - pointer if own and pointer else None))
    pinned, raw = value("following", "handle", "pinned_ns"), value("following", "handle", "raw_ns")
    found.append(line("following inside a pin: ns more than a pointer", 0.1, pinned - raw if pinned and raw else None))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--only", default="", help="only workloads whose name contains these words")
    options.add_argument("--quick", action="store_true", help="one round of small sizes: whether it runs, not how fast")
    chosen = options.parse_args()
    share = "0.02" if chosen.quick else "1"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        cases = {(name, owner): [name, owner, share] for name in [*MEMORY, "moving"] for owner in OWNERS}
        cases |= {(f"{name} alone", owner): [name, owner, share, "alone"] for name in MEMORY for owner in OWNERS}
        cases[("following", "handle")] = ["following", "handle", share]
        wanted = {case: words for case, words in cases.items() if chosen.only in case[0]}
        runs = {case: (lambda words=words: run(program, *words)) for case, words in wanted.items()}
        for (name, _), samples in interleaved(runs, 1 if chosen.quick else chosen.rounds).items():
            rows.append({**middle(samples), "workload": name})
    memory = [row for row in rows if "live_mib" in row]
    print(table(memory, [("workload", "workload"), ("owner", "owner"), ("live_mib", "live MiB"), ("before", "before"), ("background", "background"),
                         ("background_cpu_percent", "CPU %"), ("compacted", "compacted"), ("renamed", "renamed"), ("compact_ms", "ms"),
                         ("step_p999_ms", "step p99.9 ms"), ("freed_mib", "freed, MiB")]))
    for row in rows:
        if "live_mib" not in row:
            print(json.dumps(row))
    found = verdicts(rows)
    print(table(found, [("target", "target"), ("wanted", "wanted"), ("got", "got"), ("reached", "reached")]))
    if not chosen.quick and not chosen.only:
        print(f"\nwritten: {save('handle', rows, rounds=chosen.rounds, targets=found)}")


if __name__ == "__main__":
    main()
