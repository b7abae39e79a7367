"""`heapwright tune` from end to end: what it leaves, what it says of programs that fail, vary, wait, serve or go into the background."""
import json
import os
import signal
import subprocess
import unittest
from pathlib import Path

from run_support import HEAPWRIGHT, PYTHON, RunTest, wait_for

SORT = ("sort", "/etc/passwd")
WORDS = (PYTHON, "-S", "-c", "print(len([str(i) for i in range(5000)]))")


class Tune(RunTest):
    def tune(self, *words: str, options: tuple = (), more: dict | None = None) -> subprocess.CompletedProcess:
        return self.tool("--no-progress", "tune", "--runs", "1", "-o", str(self.folder / "out"), *options, "--", *words, more=more)

    def outcome(self) -> dict:
        return json.loads((self.folder / "out" / "tune.json").read_text(encoding="utf-8"))

    def written(self) -> str:
        return str(self.folder / "out" / "memory.toml")

    def test_it_ends_with_a_memory_toml_that_run_applies(self) -> None:
        done = self.tune(*SORT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"before and after", done.stdout)
        check = self.tool("config", "check", self.written())
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertEqual(self.tool("run", "--config", self.written(), "--", *SORT).stdout, self.plain(*SORT).stdout)
        outcome = self.outcome()
        self.assertEqual([row["label"] for row in outcome["finals"]], ["plain", "tuned"])
        self.assertEqual(outcome["finals"][1]["output"], "same")
        self.assertIn("heapwright", [row["label"] for row in outcome["runs"]])
        if outcome["best"] is None:  # which one run each may or may not show
            self.assertIn("enable_custom_allocator = false", Path(self.written()).read_text(encoding="utf-8"))

    def test_a_program_that_allocates_enough_is_replayed(self) -> None:
        done = self.tune(*WORDS, more={"PYTHONMALLOC": "malloc"})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        outcome = self.outcome()
        self.assertIn("glibc", outcome["replay"])
        self.assertEqual(outcome["finals"][1]["output"], "same")

    def test_a_program_that_says_something_else_under_a_change_is_left_as_it_is(self) -> None:
        done = self.tune("sh", "-c", 'echo "before me: $LD_PRELOAD"; sort /etc/passwd')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"the program's output is another one under", done.stdout)
        self.assertIsNone(self.outcome()["best"])
        self.assertIn("enable_custom_allocator = false", Path(self.written()).read_text(encoding="utf-8"))

    def test_a_program_whose_output_varies_by_itself_is_recognised(self) -> None:
        done = self.tool("--no-progress", "tune", "--runs", "2", "-o", str(self.folder / "out"), "--", "sh", "-c",
                         "tr -dc a-z < /dev/urandom | head -c 40; sort /etc/passwd > /dev/null")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"differs from run to run by itself", done.stdout)
        self.assertEqual(self.outcome()["finals"][1]["output"], "varies by itself")

    def test_a_program_that_fails_is_told_with_its_status(self) -> None:
        done = self.tune("sh", "-c", "echo words >&2; exit 7")
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"ended with exit status 7 by itself", done.stderr)
        self.assertIn("words", (self.folder / "out" / "errors").read_text(encoding="utf-8"))

    def test_a_server_under_a_load_is_asked_what_is_resident_when_it_idles(self) -> None:
        done = self.tune(PYTHON, "-S", "-c", "import time; kept = [bytes(100) for _ in range(20000)]; time.sleep(600)",
                         options=("--load", "sleep 0.1", "--idle", "0.1"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"RSS after idling", done.stdout)
        idle = self.outcome()["finals"][0]["idle_resident_bytes"]
        self.assertGreater(idle[0], 2 << 20)

    def test_ctrl_c_ends_all_of_it_and_leaves_no_memory_toml(self) -> None:
        mark = f"7{os.getpid()}"
        (self.folder / "out").mkdir()
        Path(self.written()).write_text("# of an earlier tune\n", encoding="utf-8")
        tune = self.begin(HEAPWRIGHT, "--no-progress", "tune", "-o", str(self.folder / "out"), "--", "sleep", mark, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a shell's background jobs ignore it, and so would all of these
        wait_for("the program", lambda: self.running(f"sleep\0{mark}\0"))
        os.killpg(tune.pid, signal.SIGINT)
        _, said = tune.communicate(timeout=60)
        self.assertEqual(tune.returncode, -signal.SIGINT, said)
        self.assertIn(b"interrupted: nothing was decided", said)
        self.assertEqual(self.running(f"sleep\0{mark}\0"), [])
        self.assertFalse(Path(self.written()).exists())

    def test_what_a_load_says_is_kept_and_named_when_it_fails(self) -> None:
        done = self.tune("sleep", "600", options=("--load", "seq 3; seq 7 9 >&2; exit 9"))
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assertIn(b"a load that failed with status 9", done.stderr)
        self.assertNotIn(b"7\n8", done.stderr)
        self.assertEqual((self.folder / "out" / "load").read_text(encoding="utf-8"), "1\n2\n3\n7\n8\n9\n")

    def test_a_program_without_an_end_is_ended_by_the_duration(self) -> None:
        for duration in ("0.3", "0.001"):  # the second ends before the program has loaded what is put before it
            with self.subTest(duration=duration):
                done = self.tune("sleep", "600", options=("--duration", duration))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertLess(max(self.outcome()["finals"][0]["wall_s"]), 300)
                self.assertGreater(min(self.outcome()["finals"][0]["cpu_s"]), 0, "the launcher's report is lost")

    def test_a_program_that_goes_into_the_background_is_told_and_leaves_nobody(self) -> None:
        mark = f"6{os.getpid()}"
        done = self.tune("sh", "-c", f"setsid sleep {mark} > /dev/null 2>&1 & sort /etc/passwd")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"in the background, which tune ended", done.stderr)
        self.assertEqual(self.running(f"sleep\0{mark}\0"), [])

    def running(self, command: str) -> list[Path]:
        return [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if self.reads(entry) == command.encode()]

    @staticmethod
    def reads(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""


class Replay(RunTest):
    def test_a_replay_that_cannot_be_made_is_told_once(self) -> None:
        done = self.tool("--no-progress", "tune", "--runs", "1", "-o", str(self.folder / "out"), "--", *WORDS,
                         more={"TMPDIR": str(self.folder / "nowhere"), "PYTHONMALLOC": "malloc"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count(b"cannot replay"), 1, done.stderr)

    def test_a_replay_that_is_killed_leaves_nothing_behind(self) -> None:
        trace, temporary = self.folder / "a.hwtrace", self.folder / "tmp"
        temporary.mkdir()
        recorded = self.tool("record", "-q", "-o", str(trace), "--", PYTHON, "-c", "print(sum(len([i]) for i in range(300000)))",
                             more={"PYTHONMALLOC": "malloc"})
        self.assertEqual(recorded.returncode, 0, recorded.stderr)
        replay = self.begin(HEAPWRIGHT, "replay", str(trace), "--runs", "50", more={"TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        worker = wait_for("a worker", lambda: self.children(replay.pid))[0]
        os.kill(replay.pid, signal.SIGKILL)
        replay.wait()
        wait_for("the worker's end", lambda: not Path(f"/proc/{worker}").exists() or "Z" in self.state(worker))
        self.assertEqual(list(temporary.iterdir()), [])

    @staticmethod
    def children(process: int) -> list[int]:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]

    @staticmethod
    def state(process: int) -> str:
        try:
            return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return "Z"


if __name__ == "__main__":
    unittest.main()
