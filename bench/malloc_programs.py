"""Real programs for bench/malloc.py: what each of them is given to do, and the load for a redis server."""
from __future__ import annotations

import functools
import hashlib
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from malloc_runs import Allocator, Launched, Result, run_command  # noqa: E402
from measure import Command  # noqa: E402

SHARED = Path(__file__).resolve().parent / "programs"
SCRIPTS = Path(__file__).resolve().parent / "malloc" / "scripts"
PYTHON = "/usr/bin/python3"


def git_repository(folder: Path, commits: int) -> Path:
    """Always the same history: three hundred files, some lines of a few of them changed in every commit."""
    picks = random.Random(1)
    files = [[f"line {line} of file {number}" for line in range(60)] for number in range(300)]
    stream = []
    for commit in range(commits):
        message = f"Change number {commit}\n"
        stream.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1600000000 + commit * 60} +0000\ndata {len(message)}\n{message}")
        for number in range(len(files)) if commit == 0 else picks.sample(range(len(files)), 4):
            for _ in range(5):
                files[number][picks.randrange(60)] = f"said in commit {commit}: {picks.getrandbits(60):x}"
            text = "\n".join(files[number]) + "\n"
            stream.append(f"M 100644 inline d{number % 17}/f{number}.txt\ndata {len(text)}\n{text}")
    repository = folder / "repository"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    subprocess.run(["git", "-C", str(repository), "fast-import", "--quiet"], input="\n".join(stream) + "\n", text=True, check=True)
    return repository


def git_words(repository: Path) -> list[str]:
    git = f"git -C '{repository}'"
    return ["sh", "-c", f"{git} log -p --stat main | cksum && {git} blame main -- d1/f1.txt d1/f1.txt | cksum; {git} rev-list --objects --all"
                        f" | {git} pack-objects --stdout --threads=1 --window=30 --no-reuse-delta -q | wc -c"]


def json_document(folder: Path, records: int) -> Path:
    path = folder / "records.json"
    picks = random.Random(2)
    path.write_text(json.dumps([{"id": i, "name": f"user{picks.randrange(records)}", "tags": [f"t{picks.randrange(50)}" for _ in range(4)],
                                 "place": {"x": picks.randrange(1000), "y": picks.random()}} for i in range(records)]), encoding="utf-8")
    return path


def redis_commands(number: int) -> bytes:
    """What the server is asked, in the bytes of its protocol; answers do not depend on the order of its tables."""
    picks = random.Random(3)
    parts: list[bytes] = []
    for i in range(number):
        key = picks.randrange(40_000)
        words = ((b"SET", b"key:%d" % key, b"v" * picks.randrange(10, 400)), (b"GET", b"key:%d" % picks.randrange(40_000)),
                 (b"LPUSH", b"list:%d" % (key % 300), b"i" * picks.randrange(5, 120)), (b"RPOP", b"list:%d" % (key % 300)),
                 (b"HSET", b"hash:%d" % (key % 3000), b"field%d" % (i % 97), b"h" * picks.randrange(5, 90)),
                 (b"ZADD", b"sorted:%d" % (key % 200), b"%d" % (i % 1000), b"member%d" % key), (b"SADD", b"set:%d" % (key % 900), b"m%d" % i),
                 (b"APPEND", b"text:%d" % (key % 2000), b"a" * picks.randrange(1, 60)), (b"DEL", b"key:%d" % key))[i % 9]
        parts.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    parts.append(b"*2\r\n$4\r\nECHO\r\n$7\r\nthe end\r\n")
    return b"".join(parts)


def connect(path: Path) -> socket.socket:
    for _ in range(400):
        try:
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            return client
        except OSError:
            client.close()
            time.sleep(0.02)
    raise TimeoutError("the server did not answer")


def run_redis(commands: bytes, folder: Path, allocator: Allocator) -> Result:
    """The wall time is that of the load alone; CPU and peak RSS are the server's."""
    place = folder / "redis.socket"
    place.unlink(missing_ok=True)
    server = Launched(Command(["redis-server", "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", str(folder)]),
                      allocator)
    answers = hashlib.sha256()
    wall = 0.0
    try:
        with connect(place) as client:
            client.settimeout(60)
            begin = time.perf_counter()
            sender = threading.Thread(target=client.sendall, args=(commands,), daemon=True)
            sender.start()
            tail = b""
            while not tail.endswith(b"$7\r\nthe end\r\n"):
                piece = client.recv(1 << 20)
                if not piece:
                    break
                answers.update(piece)
                tail = (tail + piece)[-32:]
            wall = time.perf_counter() - begin
    except OSError:
        pass  # a server that crashed says so by its status
    except BaseException:
        server.kill()
        raise
    server.child.terminate()
    result, _ = server.finish()
    result.wall_s, result.proof = wall, answers.hexdigest()[:16]
    return result


def real_programs(folder: Path, scale: float, wanted) -> dict:
    """Name to what runs it with an allocator. One that is not installed, or not wanted, is not prepared."""
    programs = {}

    def add(name: str, needs: str, prepare) -> None:
        if not wanted(name):
            return
        if shutil.which(needs) is None:
            print(f"not measured: {name} (no program '{needs}' here)", file=sys.stderr)
            return
        programs[name] = prepare()

    def plain(*words: str, product: Path | None = None, stdin: Path | None = None, **environment: str):
        return functools.partial(run_command, Command(list(words), environment, stdin), product=product)

    def sqlite():
        sql = folder / "statements.sql"
        sql.write_bytes(subprocess.run([PYTHON, str(SHARED / "sqlite.py"), str(int(150_000 * scale))], check=True, capture_output=True).stdout)
        return plain("sqlite3", ":memory:", stdin=sql)

    def compiler(words: list[str]):
        product = folder / f"{words[0]}.o"
        return plain(*words, "-c", str(SHARED / "templates.cpp"), "-o", str(product), product=product)

    add("redis", "redis-server", lambda: functools.partial(run_redis, redis_commands(int(600_000 * scale)), folder))
    add("sqlite3", "sqlite3", sqlite)
    add("python3", PYTHON, lambda: plain(PYTHON, str(SHARED / "objects.py"), str(int(120_000 * scale)), PYTHONMALLOC="malloc", PYTHONHASHSEED="0"))
    add("perl", "perl", lambda: plain("perl", str(SCRIPTS / "words.pl"), str(int(60_000 * scale)), PERL_HASH_SEED="0"))
    add("lua", "lua", lambda: plain("lua", str(SCRIPTS / "particles.lua"), str(int(32_000 * scale))))
    add("g++", "g++", lambda: compiler(["g++", "-std=c++23", "-O0"]))
    add("clang", "clang++-19", lambda: compiler(["clang++-19", "-std=c++20", "-O0"]))
    add("git", "git", lambda: plain(*git_words(git_repository(folder, max(20, int(1200 * scale)))), HOME=str(folder), GIT_CONFIG_NOSYSTEM="1"))
    add("jq", "jq", lambda: plain("jq", "-c", "group_by(.tags[0]) | map({tag: .[0].tags[0], n: length, names: (map(.name) | unique | length)})",
                                  str(json_document(folder, int(60_000 * scale)))))
    add("tcl", "tclsh", lambda: plain("tclsh", str(SCRIPTS / "tables.tcl"), str(int(150_000 * scale))))
    return programs
