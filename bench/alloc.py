#!/usr/bin/env python3
"""How fast are the arenas, pools, heaps, slabs and adaptors, beside the peers that this machine has? Times, exact instructions, targets.

Usage: ./dev bench alloc [--rounds N] [--only WORDS] [--quick]
"""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "alloc" / "golden"))
from instructions_test import measure  # noqa: E402
from measure import ROOT, median, save, table  # noqa: E402

HERE = Path(__file__).resolve().parent / "alloc"
SOURCES = [*(ROOT / "src/heapwright/base").glob("*.cpp"), *(ROOT / "src/heapwright/os").glob("*.cpp"), *(ROOT / "src/heapwright/config").glob("*.cpp"),
           ROOT / "src/heapwright/alloc/pool/misuse.cpp", ROOT / "src/heapwright/alloc/tlsf/misuse.cpp",
           ROOT / "src/heapwright/alloc/adapt/foreign_sources.cpp", *(ROOT / "src/heapwright/alloc/heap").rglob("*.cpp")]
FLAGS = ["-std=c++23", "-O3", "-DNDEBUG", "-march=x86-64-v2", "-pthread", f"-I{ROOT}", f"-I{ROOT / 'src'}"]
# Peers that need headers: (macro, header to look for, flags). What is missing is said, not passed over.
PEERS = {
    "LLVM's bump allocator": ("BENCH_LLVM", "llvm/Support/Allocator.h", ["-I/usr/lib/llvm-14/include", "-L/usr/lib/llvm-14/lib", "-lLLVM-14"]),
    "Boost.Pool": ("BENCH_BOOST", "boost/pool/pool.hpp", []),
    "Boost.Container": ("BENCH_BOOST_CONTAINER", "boost/container/adaptive_pool.hpp", ["-lboost_container"]),
    "Boost.Interprocess": ("BENCH_BOOST_INTERPROCESS", "boost/interprocess/mem_algo/rbtree_best_fit.hpp", []),
    "protobuf's Arena": ("BENCH_PROTOBUF", "google/protobuf/arena.h", ["-lprotobuf"]),
    "foonathan/memory": ("BENCH_FOONATHAN", "foonathan/memory/memory_pool.hpp", ["-I/usr/include/foonathan_memory", "-lfoonathan_memory"]),
}
# Workload, allocator, nanoseconds an operation: what is to be reached on the machine that the peers were measured on.
TIME_TARGETS = [
    ("arena: 32 B x 1M, touched", "heapwright Arena", 1.0),
    ("arena: 100 mixed, then reset", "heapwright Arena", 0.80),
    ("arena: binary tree of depth 18, a node", "heapwright Arena", 2.1),
    ("arena: a vector of 1M pushes", "heapwright GrowingArray", 0.30),
    ("pool: hot pair", "heapwright Pool (checked)", 2.0),
    ("pool: burst of 100k, freed at random", "heapwright Pool (checked)", 14.0),
    ("pool: churn of 10k at random", "heapwright Pool (checked)", 3.7),
    ("pool: walk of 100k after scrambling", "heapwright Pool (checked)", 1.1),
    ("pool: visit the live half of 100k", "heapwright Pool (checked)", 1.15),
    ("pool: two threads, bursts of 32 (wall)", "heapwright SharedPool (checked)", 2.0),
    ("heap: 4 to 128 B, 4096 live", "heapwright Tlsf", 12.0),
    ("heap: 4 to 1024 B, 4096 live", "heapwright Tlsf", 13.0),
    ("heap: 4 to 16384 B, 4096 live", "heapwright Tlsf", 16.0),
    ("container: std::list of 1M, build and destroy", "heapwright arena, StandardAllocator", 3.0),
]
# Workload, allocator, percent of all memory in use at the first refusal: the best that a freestanding heap was measured to reach.
DENSITY_TARGETS = [("density: 16 MiB, 1 to 10000 B, no resizing", "heapwright Tlsf", 95.8)]
# Workload, allocator, beside which other, nanoseconds more at most.
DIFFERENCE_TARGETS = [
    ("slab: look up 10k at random", "heapwright Slab", "std::vector index (unchecked)", 1.0),
    ("tracking: hot pair", "heapwright Tracked<Pool>", "heapwright Pool", 2.0),
]
INSTRUCTION_TARGETS = [("arena.try_allocate_fixed<32, 8>", 7), ("arena.try_allocate({32, 8})", 10), ("tlsf pair", 180),
                       ("resource on an arena, allocate", 28), ("resource with a pool inside, pair", 45), ("resource on a pool, pair", 45)]


def has_header(header: str, flags: list[str]) -> bool:
    probe = subprocess.run(["g++", "-E", "-x", "c++", *flags, "-"], input=f"#include <{header}>\n", text=True, capture_output=True, check=False)
    return probe.returncode == 0


def peer_flags() -> list[str]:
    flags = []
    for name, (macro, header, needed) in PEERS.items():
        if has_header(header, [flag for flag in needed if flag.startswith("-I")]):
            flags += [f"-D{macro}", *needed]
        else:
            print(f"not measured: {name} (no <{header}> here)", file=sys.stderr)
    return flags


def build(name: str, folder: Path, more: list[str]) -> str:
    output = folder / Path(name).stem
    subprocess.run(["g++", *FLAGS, str(name), *map(str, SOURCES), "-o", str(output), *more, "-ldl"], check=True)
    return str(output)


def run(program: str, rounds: int, only: str) -> dict[tuple[str, str], list[float]]:
    samples: dict[tuple[str, str], list[float]] = {}
    result = subprocess.run([program, str(rounds), only], check=True, capture_output=True, text=True)
    for line in result.stdout.splitlines():
        workload, allocator, ns = line.split("\t")
        samples.setdefault((workload, allocator), []).append(float(ns))
    return samples


def verdicts(best: dict[tuple[str, str], float], counts: dict[str, float], density: dict[tuple[str, str], float]) -> list[dict]:
    rows = [{"target": f"{workload}: {allocator}", "wanted": wanted, "unit": "ns", "got": best[workload, allocator]}
            for workload, allocator, wanted in TIME_TARGETS if (workload, allocator) in best]
    rows += [{"target": name, "wanted": float(wanted), "unit": "instructions", "got": counts[name]}
             for name, wanted in INSTRUCTION_TARGETS if name in counts]
    rows += [{"target": f"{workload}: {allocator} over {other}", "wanted": wanted, "unit": "ns more",
              "got": best[workload, allocator] - best[workload, other]}
             for workload, allocator, other, wanted in DIFFERENCE_TARGETS if (workload, allocator) in best and (workload, other) in best]
    for row in rows:
        row["reached"] = "yes" if row["got"] <= row["wanted"] else "NO"
    for workload, allocator, wanted in DENSITY_TARGETS:
        if (workload, allocator) in density:
            got = density[workload, allocator]
            rows.append({"target": f"{workload}: {allocator}", "wanted": wanted, "unit": "percent", "got": got,
                         "reached": "yes" if got >= wanted else "NO"})
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=11)
    options.add_argument("--only", default="", help="only workloads that contain these words")
    options.add_argument("--quick", action="store_true", help="two rounds: whether it runs, not how fast")
    chosen = options.parse_args()
    rounds = 2 if chosen.quick else chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        peers = peer_flags()
        programs = [build(HERE / name, Path(folder), peers) for name in ("arenas.cpp", "pools.cpp", "heaps.cpp")]
        counts = measure(build(ROOT / "tests/alloc/golden/instructions.cpp", Path(folder), []))
        fullness = {row: values[0] for row, values in run(build(HERE / "density.cpp", Path(folder), peers), 1, "").items()}
        samples = {}
        for program in programs:
            samples |= run(program, rounds, chosen.only)
    rows = [{"workload": workload, "allocator": allocator, "min_ns": min(values), "median_ns": median(values),
             "worst_ns": max(values)} for (workload, allocator), values in samples.items()]
    rows.sort(key=lambda row: (row["workload"], row["min_ns"]))
    print(table(rows, [("workload", "workload"), ("allocator", "allocator"), ("min_ns", "min ns"), ("median_ns", "median ns")]))
    density = [{"workload": workload, "allocator": allocator, "percent": percent} for (workload, allocator), percent in sorted(fullness.items())]
    print("\n" + table(density, [("workload", "workload"), ("allocator", "allocator"), ("percent", "% in use")]))
    reached = verdicts({(row["workload"], row["allocator"]): row["min_ns"] for row in rows}, counts, fullness)
    print("\n" + table(reached, [("target", "target"), ("wanted", "wanted"), ("got", "got"), ("unit", "unit"), ("reached", "reached")]))
    if not chosen.quick and not chosen.only:
        print(f"\nwritten: {save('alloc', rows, rounds=rounds, instructions=counts, density=density, targets=reached)}")


if __name__ == "__main__":
    main()
