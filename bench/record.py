#!/usr/bin/env python3
"""How much does recording cost? CPU of the whole process tree against the plain run, beside heaptrack.

Usage: ./dev bench record [--rounds N] [--only NAME,...] [--quick]
"""
from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measure import BUILD, Command, Usage, interleaved, median, paired_ratio, run_once, save, table, tool  # noqa: E402

PROGRAMS = Path(__file__).resolve().parent / "programs"
PYTHON = "/usr/bin/python3"
TARGETS = {"sqlite3": 1.15, "redis": 1.15, "g++": 1.25, "python3": 1.25, "storm": 2.0, "loop": 4.0}


def compile_program(name: str, folder: Path) -> str:
    output = folder / name
    subprocess.run(["g++", "-std=c++23", "-O2", "-pthread", str(PROGRAMS / f"{name}.cpp"), "-o", str(output)], check=True)
    return str(output)


def workloads(folder: Path, scale: float) -> dict[str, Command]:
    sql = folder / "statements.sql"
    sql.write_bytes(subprocess.run([PYTHON, str(PROGRAMS / "sqlite.py"), str(int(200_000 * scale))], check=True, capture_output=True).stdout)
    return {
        "sqlite3": Command(["sqlite3", ":memory:"], stdin=sql),
        "python3": Command([PYTHON, str(PROGRAMS / "objects.py"), str(int(120_000 * scale))], {"PYTHONMALLOC": "malloc"}),
        "g++": Command(["g++", "-std=c++23", "-O1", "-c", str(PROGRAMS / "templates.cpp"), "-o", str(folder / "templates.o")]),
        "storm": Command([compile_program("storm", folder), str(int(5_000_000 * scale))]),
        "loop": Command([compile_program("loop", folder), str(int(20_000_000 * scale))]),
    }


def events_and_bytes(folder: Path) -> tuple[int, int]:
    """Sums a folder's traces by walking chunk headers, as docs/format.md describes them."""
    events = size = 0
    for path in folder.glob("*.hwtrace"):
        data = path.read_bytes()
        size += len(data)
        at = struct.unpack_from("<I", data, 12)[0]
        while at + 48 <= len(data):
            _, kind, _, _, stored, _, items = struct.unpack_from("<IBBHIII", data, at)
            events += items if kind == 4 else 0
            at += 48 + stored
    return events, size


def recorded(command: Command, mode: str, folder: Path) -> tuple[Usage, int, int]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    words = [tool("heapwright"), "--no-progress", "record", "-q", "--stack", mode, "-o", str(folder / "%p.hwtrace"), "--", *command.words]
    usage = run_once(Command(words, command.environment, command.stdin))
    return usage, *events_and_bytes(folder)


def heaptracked(command: Command, folder: Path) -> Usage:
    return run_once(Command(["heaptrack", "-o", str(folder / "heaptrack"), *command.words], command.environment, command.stdin))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def redis_run(wrapper: list[str], requests: int) -> Usage:
    """CPU of a real server (and of whatever wraps it) while redis-benchmark works on it over loopback."""
    port = free_port()
    server = subprocess.Popen([*wrapper, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin = time.perf_counter()
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            time.sleep(0.05)
    load = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-q", "-n", str(requests), "-r", "20000", "-d", "100",
            "-t", "set,get,lpush,rpop,sadd,hset,zadd"]
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _, status, used = os.wait4(server.pid, 0)
    except KeyboardInterrupt:
        server.send_signal(signal.SIGKILL)
        raise
    server.returncode = status
    return Usage(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def redis_recorded(mode: str, folder: Path, requests: int) -> tuple[Usage, int, int]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    usage = redis_run([tool("heapwright"), "record", "-q", "--stack", mode, "-o", str(folder / "%p.hwtrace"), "--"], requests)
    return usage, *events_and_bytes(folder)


def actions_for(name: str, command: Command | None, folder: Path, scale: float) -> dict[str, callable]:
    if name == "redis":
        requests = int(100_000 * scale)
        actions = {"plain": lambda: (redis_run([], requests), 0, 0),
                   "none": lambda: redis_recorded("none", folder / "t", requests),
                   "full": lambda: redis_recorded("full", folder / "t", requests)}
        wrapped = lambda: (redis_run(["heaptrack", "-o", str(folder / "h")], requests), 0, 0)  # noqa: E731
    else:
        actions = {"plain": lambda: (run_once(command), 0, 0),
                   "none": lambda: recorded(command, "none", folder / "t"),
                   "full": lambda: recorded(command, "full", folder / "t")}
        wrapped = lambda: (heaptracked(command, folder), 0, 0)  # noqa: E731
    if shutil.which("heaptrack"):
        actions["heaptrack"] = wrapped
    return actions


def row_for(name: str, results: dict[str, list]) -> dict:
    cpu = {mode: [usage.cpu_s for usage, _, _ in runs] for mode, runs in results.items()}
    _, events, size = results["full"][-1]
    statuses = {usage.status for runs in results.values() for usage, _, _ in runs}
    return {"program": name, "plain_cpu_s": median(cpu["plain"]), "events": events,
            "none_cpu_ratio": paired_ratio(cpu["none"], cpu["plain"]), "full_cpu_ratio": paired_ratio(cpu["full"], cpu["plain"]),
            "heaptrack_cpu_ratio": paired_ratio(cpu["heaptrack"], cpu["plain"]) if "heaptrack" in cpu else None,
            "full_wall_ratio": paired_ratio([u.wall_s for u, _, _ in results["full"]], [u.wall_s for u, _, _ in results["plain"]]),
            "bytes_per_event": size / events if events else None, "target_full": TARGETS[name],
            "statuses": sorted(statuses), "cpu_s": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one round: does it run at all?")
    options = parser.parse_args()
    scale, rounds = (0.1, 1) if options.quick else (1.0, options.rounds)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands: dict[str, Command | None] = {**workloads(folder, scale), "redis": None}
        chosen = [n for n in commands if not options.only or n in options.only.split(",")]
        for program in chosen:
            rows.append(row_for(program, interleaved(actions_for(program, commands[program], folder, scale), rounds)))
            print(table(rows[-1:], COLUMNS) if len(rows) == 1 else table(rows[-1:], COLUMNS).splitlines()[1], flush=True)
    print("\nCPU of the whole process tree over the plain run, medians of", rounds, "interleaved rounds:\n")
    print(table(rows, COLUMNS))
    if not options.quick and not options.only:
        print("\nkept in", save("record", rows, rounds=rounds, build=BUILD.name))


COLUMNS = [("program", "program"), ("plain_cpu_s", "plain s"), ("events", "events"), ("none_cpu_ratio", "no stacks"),
           ("full_cpu_ratio", "full stacks"), ("target_full", "target"), ("heaptrack_cpu_ratio", "heaptrack"),
           ("full_wall_ratio", "full, wall"), ("bytes_per_event", "B/event")]

if __name__ == "__main__":
    main()
