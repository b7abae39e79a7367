"""What run_test.py, config_test.py and monitor_test.py share: the tool, a folder, a memory.toml."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(os.environ["HEAPWRIGHT_BIN"])
LIB = Path(os.environ["HEAPWRIGHT_LIB"])
HEAPWRIGHT = str(BIN / "heapwright")
PYTHON = "/usr/bin/python3"


def environment(**more) -> dict:
    kept = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "HEAPWRIGHT_CONF", "HEAPWRIGHT_CONFIG")}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds: float = 60):
    """The first true answer of condition(); it is asked until then."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class RunTest(unittest.TestCase):
    """Each test has a folder of its own, removed afterwards."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="heapwright-run-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def config(self, text: str, name: str = "memory.toml") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def tool(self, *words: str, more: dict | None = None, **options) -> subprocess.CompletedProcess:
        return subprocess.run([HEAPWRIGHT, *words], env=environment(**(more or {})), capture_output=True, check=False, timeout=120,
                              stdin=options.pop("stdin", subprocess.DEVNULL), **options)

    def plain(self, *words: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(words, env=environment(), capture_output=True, check=False, timeout=120,
                              stdin=options.pop("stdin", subprocess.DEVNULL), **options)

    def begin(self, *words: str, more: dict | None = None, **options) -> subprocess.Popen:
        program = subprocess.Popen(words, env=environment(**(more or {})), **options)
        self.addCleanup(self.end, program)
        return program

    @staticmethod
    def end(program: subprocess.Popen) -> None:
        if program.poll() is None:
            program.kill()
        program.wait(timeout=60)
        for stream in (program.stdout, program.stderr, program.stdin):
            if stream:
                stream.close()
