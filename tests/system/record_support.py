"""Runs programs with and without the recorder and reads what the traces hold, for the record_*_test.py scripts."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

LIB = Path(os.environ["HEAPWRIGHT_LIB"])
PROGRAMS = Path(os.environ["HEAPWRIGHT_BUILD"]) / "tests"
RECORDER = LIB / "libheapwright-record.so"


def program(name: str) -> str:
    return str(PROGRAMS / name)


class Summary(dict):
    """The lines of trace_summary: counts as numbers, texts as they are."""

    def __init__(self, trace: Path) -> None:
        super().__init__()
        self.path = trace
        done = subprocess.run([program("trace_summary"), str(trace)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{trace} is not readable: {done.stderr}")
        for line in done.stdout.splitlines():
            key, _, value = line.partition(" ")
            self[key] = int(value) if value.isdigit() else value

    def count(self, key: str) -> int:
        return self.get(key, 0)


class RecordTest(unittest.TestCase):
    """Each test has a folder of its own, removed afterwards."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="heapwright-record-"))
        self.folder.chmod(0o777)

    def tearDown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **options) -> dict:
        settings = {"out": str(self.folder / "t.%p.hwtrace"), **options}
        text = ",".join(f"{key}={value}" for key, value in settings.items())
        return {**os.environ, "LD_PRELOAD": str(RECORDER), "HEAPWRIGHT_RECORD": text}

    def run_recorded(self, command: list, stdin: bytes = b"", more: dict | None = None, **options) -> subprocess.CompletedProcess:
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=250, cwd=self.folder,
                              env={**self.environment(**options), **(more or {})})

    def run_plain(self, command: list, stdin: bytes = b"", more: dict | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=250, cwd=self.folder,
                              env={**os.environ, **(more or {})})

    def traces(self) -> list:
        return [Summary(path) for path in sorted(self.folder.glob("*.hwtrace"))]

    def check_sound(self, summary: Summary, killed: bool = False) -> None:
        """What holds for every trace, whatever the program did."""
        where = f"{summary.path}: {dict(summary)}"
        # A kill may come in the middle of a write: the last chunk is cut then, which the reader says; all before it is whole.
        for key in ("broken_chunks", "watermark_violations", "stack_violations", "live_twice", *(() if killed else ("damaged",))):
            self.assertEqual(summary[key], 0, f"{key} in {where}")
        self.assertIn("info.program", summary, where)
        if not killed:
            self.assertIn("end.reason", summary, where)
            self.assertEqual(summary["end.dropped_events"], 0, where)
            self.assertEqual(summary["end.events"], summary["events"], where)

    def check_same_behaviour(self, command: list, stdin: bytes = b"", more: dict | None = None, **options) -> Summary:
        """Output and exit status are what they are without the recorder. Returns the program's own trace."""
        plain = self.run_plain(command, stdin, more)
        recorded = self.run_recorded(command, stdin, more, **options)
        self.assertEqual(recorded.stdout, plain.stdout)
        self.assertEqual(recorded.stderr, plain.stderr)
        self.assertEqual(recorded.returncode, plain.returncode)
        found = self.traces()
        self.assertTrue(found, f"no trace of {command}")
        for summary in found:
            self.check_sound(summary)
        return max(found, key=lambda summary: summary["events"])
