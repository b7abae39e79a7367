"""What the doctor_*_test.py scripts share: running the tool, programs that answer questions, and sums that must hold."""
import json
import os
import subprocess
import unittest
from pathlib import Path

from talking_program import TalkingProgram

HEAPWRIGHT = str(Path(os.environ["HEAPWRIGHT_BIN"]) / "heapwright")
VICTIM = str(Path(os.environ["HEAPWRIGHT_BUILD"]) / "tests" / "doctor_victim")
LIB = Path(os.environ["HEAPWRIGHT_LIB"])
DEBIAN = Path("/usr/lib/x86_64-linux-gnu")
PARTS = ("live", "thread_cached", "trimmable", "kept_free", "pinned_free", "metadata", "uncertain", "stacks", "files", "shared", "lazy_free",
         "other_anonymous", "other")
KIB, MIB = 1 << 10, 1 << 20
NOBODY = 65534


def doctor(*words, **more) -> subprocess.CompletedProcess:
    return subprocess.run([HEAPWRIGHT, "doctor", *map(str, words)], capture_output=True, text=True, timeout=120, check=False, **more)


class Victim(TalkingProgram):
    """A living program that ends with its test."""

    def __init__(self, test: unittest.TestCase, *words: str, command=(VICTIM,), preload: str = "", **environment) -> None:
        settings = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | environment
        if preload:
            settings["LD_PRELOAD"] = preload
        super().__init__(*command, *words, environment=settings)
        test.addCleanup(self.end)


class DoctorTest(unittest.TestCase):
    def look(self, pid: int, *words: str) -> dict:
        done = doctor(pid, "--json", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        look = json.loads(done.stdout)
        self.check_sums(look)
        return look

    def check_sums(self, look: dict) -> None:
        self.assertEqual(sum(look[part] or 0 for part in PARTS), look["rss"])
        self.assertEqual(look["estimate"], look["live"] is None)

    def check_near(self, value: int, expected: int, share: float, slack: int, what: str) -> None:
        self.assertLessEqual(abs(value - expected), max(share * expected, slack), f"{what}: {value} for {expected}")
