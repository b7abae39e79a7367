"""A real redis-server as a cache of 100 MB over loopback: values of 240 bytes, then of 492. For bench/defrag.py."""
from __future__ import annotations

import re
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_runs import Allocator, Launched  # noqa: E402
from measure import Command  # noqa: E402

LIMIT_BYTES = 100_000_000
PHASES = (("filled", 0, 700_000, 240), ("larger_values", 700_000, 170_000, 492))
BATCH = 1000


def value_of(key: int, value_bytes: int) -> bytes:
    return (b"%016d" % (key * 2_654_435_761 % 10**16)) * (value_bytes // 16) + b"v" * (value_bytes % 16)


def request(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Client:
    """Speaks the server's protocol; answers are read one by one."""

    def __init__(self, port: int) -> None:
        for _ in range(400):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                time.sleep(0.02)
        else:
            raise TimeoutError("the server did not answer")
        self.answers = self.socket.makefile("rb")

    def ask(self, *words: bytes) -> bytes | None:
        self.socket.sendall(request(*words))
        return self.answer()

    def answer(self) -> bytes | None:
        """A status, an error, or a value; nothing for a key that is not there."""
        line = self.answers.readline()
        if line[:1] == b"$":
            count = int(line[1:])
            return None if count < 0 else self.answers.read(count + 2)[:-2]
        return line[:-2]

    def fill(self, first: int, count: int, value_bytes: int) -> None:
        for begin in range(first, first + count, BATCH):
            keys = range(begin, min(begin + BATCH, first + count))
            self.socket.sendall(b"".join(request(b"SET", b"key:%08d" % key, value_of(key, value_bytes)) for key in keys))
            for _ in keys:
                if (said := self.answer()) != b"+OK":
                    raise ValueError(f"the server said {said!r}")

    def wrong_values(self, first: int, count: int, value_bytes: int) -> int:
        """Of every key that was ever set; what was evicted is not there."""
        wrong = 0
        for begin in range(first, first + count, BATCH):
            keys = range(begin, min(begin + BATCH, first + count))
            self.socket.sendall(b"".join(request(b"GET", b"key:%08d" % key) for key in keys))
            for key in keys:
                value = self.answer()
                wrong += value is not None and value != value_of(key, value_bytes)
        return wrong


def physical_kib(process: int) -> int:
    text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    return sum(int(size) for size in re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", text, re.M))


def cpu_ms(client: Client) -> int:
    """Of the whole server, the kernel's part included."""
    said = client.ask(b"INFO", b"cpu")
    return round(sum(float(re.search(rb"^used_cpu_%s:([0-9.]+)" % kind, said, re.M)[1]) for kind in (b"sys", b"user")) * 1000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_redis(folder: Path, scale: float, settle_ms: int, allocator: Allocator) -> dict:
    """Stages as the workloads have them. Where the server can ask its malloc to give back (MEMORY PURGE), it is asked."""
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder),
             "--maxmemory", str(int(LIMIT_BYTES * scale)), "--maxmemory-policy", "allkeys-lru"]
    server = Launched(Command(words), allocator)
    stages = {}
    try:
        client = Client(port)
        process = int(re.search(rb"process_id:(\d+)", client.ask(b"INFO", b"server"))[1])
        start, cpu = physical_kib(process), cpu_ms(client)
        for stage, first, count, value_bytes in PHASES:
            first, count = int(first * scale), int(count * scale)
            client.fill(first, count, value_bytes)
            wrong = client.wrong_values(first, count, value_bytes)
            if wrong:
                return {"failure": f"{wrong} values are not what was set"}
            time.sleep(settle_ms / 1000)
            settled = physical_kib(process)
            before = time.perf_counter()
            client.ask(b"MEMORY", b"PURGE")
            trim_us = int((time.perf_counter() - before) * 1e6)
            live = int(re.search(rb"used_memory:(\d+)", client.ask(b"INFO", b"memory"))[1])
            earlier, cpu = cpu, cpu_ms(client)
            stages[stage] = {"live_kib": live // 1024, "settled_kib": settled - start, "trimmed_kib": physical_kib(process) - start, "trim_us": trim_us,
                             "cpu_ms": cpu - earlier}
        client.socket.sendall(request(b"SHUTDOWN", b"NOSAVE"))
    except (OSError, ValueError, TypeError) as problem:
        server.kill()
        return {"failure": f"{problem}"}
    result, _ = server.finish()
    return {"failure": result.failure} if result.failure else {"stages": stages}
