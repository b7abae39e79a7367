#!/usr/bin/env python3
"""Does a replay tell the truth? Replays real programs through their own allocator and compares the peak with the recorded one.

Usage: ./dev bench replay [--runs N] [--only NAME,...]

recorded   the kernel's high-water mark of the recorded process
predicted  highest sum of the replayed heap and of what was resident in the recording outside of it
The target: predicted within 5 % of recorded, for the program's own allocator.
"""
from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import save, table, tool  # noqa: E402

PROGRAMS = Path(__file__).resolve().parent / "programs"
PYTHON = "/usr/bin/python3"
TARGET = 0.05
OTHERS = {name: f"/usr/lib/x86_64-linux-gnu/{file}" for name, file in
          (("jemalloc", "libjemalloc.so.2"), ("mimalloc", "libmimalloc.so.2"), ("tcmalloc", "libtcmalloc_minimal.so.4"), ("tbbmalloc", "libtbbmalloc_proxy.so.2"))}
PERL = "my %h; for my $i (1..120000) { $h{$i} = 'value ' . ($i * 7) } my @s = sort { $h{$a} cmp $h{$b} } keys %h; delete @h{@s[0..60000]}; print scalar(@s), qq(\\n);"
LUA = "local t = {} for i = 1, 300000 do t[i] = {name = 'n' .. i, value = i * 2} end local s = 0 for i, v in ipairs(t) do s = s + v.value end print(s, #t)"


def record(words: list[str], folder: Path, environment: dict[str, str] | None = None, stdin: Path | None = None) -> Path:
    """The largest trace of the process tree: a compiler driver's own is of no interest."""
    folder.mkdir()
    with open(stdin or os.devnull, "rb") as source:
        subprocess.run([tool("heapwright"), "--no-progress", "record", "-q", "-o", str(folder / "%p.hwtrace"), "--", *words], check=True,
                       stdin=source, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    return max(folder.glob("*.hwtrace"), key=lambda path: path.stat().st_size)


def record_redis(folder: Path) -> Path:
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([tool("heapwright"), "--no-progress", "record", "-q", "-o", str(folder / "%p.hwtrace"), "--", "redis-server", "--port",
                               str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL)
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            time.sleep(0.05)
    client = ["redis-cli", "-h", "127.0.0.1", "-p", str(port)]
    subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-q", "-n", "100000", "-r", "100000", "-d", "300", "-t", "set,get,lpush,hset"],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*client, "shutdown", "nosave"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server.wait(60)
    return max(folder.glob("*.hwtrace"), key=lambda path: path.stat().st_size)


def recordings(folder: Path, only: list[str]):
    """(name, trace, trial) one after the other; a program that is not installed is left out with a word."""
    sql = folder / "statements.sql"
    sql.write_bytes(subprocess.run([PYTHON, str(PROGRAMS / "sqlite.py"), "60000"], check=True, capture_output=True).stdout)
    plain = {
        "sqlite3": (["sqlite3", ":memory:"], {}, sql),
        "python3": ([PYTHON, str(PROGRAMS / "objects.py"), "30000"], {"PYTHONMALLOC": "malloc"}, None),
        "perl": (["perl", "-e", PERL], {}, None),
        "lua": (["lua", "-e", LUA], {}, None),
        "g++": (["g++", "-std=c++23", "-O1", "-c", str(PROGRAMS / "templates.cpp"), "-o", str(folder / "templates.o")], {}, None),
    }
    for name, (words, environment, stdin) in plain.items():
        if not only or name in only:
            yield name, record(words, folder / name, environment, stdin), "glibc"
    for name, library in OTHERS.items():
        if (not only or f"sqlite3 on {name}" in only) and Path(library).exists():
            yield f"sqlite3 on {name}", record(["sqlite3", ":memory:"], folder / name, {"LD_PRELOAD": library}, sql), name
    if not only or "redis" in only:
        yield "redis", record_redis(folder / "redis"), "jemalloc"


def answer(*words: str) -> dict:
    done = subprocess.run([tool("heapwright"), "--no-progress", *words, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def compare(name: str, trace: Path, trial: str, runs: int) -> dict:
    begin = time.perf_counter()
    replayed = answer("replay", str(trace), "--with", trial, "--runs", str(runs))
    seconds = time.perf_counter() - begin
    recorded = replayed["recorded_peak_rss_bytes"]
    heap = replayed["trials"][0]["metrics"]["peak RSS"]
    predicted = replayed["trials"][0]["predicted_peak_rss_bytes"]
    other = predicted - heap["median"]
    return {"program": name, "allocator": trial, "events": replayed["events"], "recorded_mib": recorded / 2**20, "heap_mib": heap["median"] / 2**20,
            "other_mib": other / 2**20, "predicted_mib": predicted / 2**20, "error_percent": 100 * (predicted / recorded - 1),
            "spread_percent": 100 * (heap["most"] - heap["least"]) / max(heap["median"], 1), "seconds": seconds}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--only", default="")
    options = arguments.parse_args()
    only = [name for name in options.only.split(",") if name]
    rows = []
    with tempfile.TemporaryDirectory(prefix="heapwright-bench-") as name:
        for program, trace, trial in recordings(Path(name), only):
            print(f"\r\033[K  {program}: replaying", end="", file=sys.stderr, flush=True)
            rows.append(compare(program, trace, trial, options.runs))
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(table(rows, [("program", "program"), ("allocator", "allocator"), ("events", "events"), ("recorded_mib", "recorded MiB"), ("heap_mib", "heap MiB"),
                       ("other_mib", "other MiB"), ("predicted_mib", "predicted MiB"), ("error_percent", "error %"), ("spread_percent", "spread %"),
                       ("seconds", "seconds")]))
    missed = [row["program"] for row in rows if abs(row["error_percent"]) > 100 * TARGET]
    print(f"target: within {100 * TARGET:.0f} %: {'met by all' if not missed else 'MISSED by ' + ', '.join(missed)}")
    if not only:
        print(f"saved to {save('replay', rows, runs=options.runs).name} in bench/results")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
