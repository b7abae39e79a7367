"""What the replay tests share: recording a program, and asking the tool about the trace."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BIN = Path(os.environ["HEAPWRIGHT_BIN"])
TESTS = Path(os.environ["HEAPWRIGHT_BUILD"]) / "tests"
HEAPWRIGHT = str(BIN / "heapwright")
FOLDER = Path("/usr/lib/x86_64-linux-gnu")
INSTALLED = {"mimalloc": "libmimalloc.so.2", "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4", "tbbmalloc": "libtbbmalloc_proxy.so.2"}


def run(*words: str, status: int | None = 0, **more) -> subprocess.CompletedProcess:
    done = subprocess.run([HEAPWRIGHT, "--no-progress", *words], capture_output=True, text=True, timeout=500, check=False, **more)
    if status is not None:
        assert done.returncode == status, f"{words}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def ask(*words: str) -> dict | list:
    return json.loads(run(*words, "--json").stdout)


class Recorded(unittest.TestCase):
    """A folder that is gone after the test, and recordings in it."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def record(self, *words: str, environment: dict | None = None, options: tuple = ()) -> str:
        """The largest trace of the process tree."""
        target = Path(tempfile.mkdtemp(dir=self.folder))
        subprocess.run([HEAPWRIGHT, "--no-progress", "record", "-q", *options, "-o", str(target / "%p.hwtrace"), "--", *words], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, env={**os.environ, **(environment or {})})
        return str(max(target.glob("*.hwtrace"), key=lambda path: path.stat().st_size))

    def plant(self, name: str, scale: int = 1, **more) -> str:
        return self.record(str(TESTS / "planted"), name, str(scale), **more)
