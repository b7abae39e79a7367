"""heapwright bench: every allocator runs the same thing, figures are of those runs, and what cannot be measured is told."""
import json
import os
import signal
import subprocess
import unittest

from run_support import HEAPWRIGHT, LIB, PYTHON, RunTest, environment, wait_for

OURS = str(LIB / "libheapwright.so")
MIB = 1 << 20
# Fills 48 MiB in blocks and says how many they are.
PROGRAM = "b = [bytes(3000) for _ in range(16000)]; print(len(b))"


class Bench(RunTest):
    def rows(self, *words: str, status: int = 0, **options) -> dict:
        done = self.tool("bench", "--json", *words, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        return {row["label"]: row for row in json.loads(done.stdout)["allocators"]}

    def test_a_program_under_two_allocators(self) -> None:
        rows = self.rows("--with", f"glibc,heapwright,{OURS}", "--rounds", "2", "--", PYTHON, "-c", PROGRAM)
        self.assertEqual(list(rows), ["glibc", "heapwright", OURS])
        for row in rows.values():
            self.assertEqual({name: len(figure["runs"]) for name, figure in row["figures"].items()}, {"wall_ns": 2, "cpu_ns": 2, "peak_rss_bytes": 2})
            for peak in row["figures"]["peak_rss_bytes"]["runs"]:
                self.assertTrue(48 * MIB < peak < 100 * MIB, peak)
        self.assertFalse(rows["heapwright"]["figures"]["wall_ns"]["shown"], "two rounds cannot show anything")

    def test_a_use_case_in_numbers(self) -> None:
        words = ("--with", "glibc,heapwright", "--rounds", "2", "--idle", "0.1", "--threads", "2", "--sizes", "32..2KiB", "--live", "16MiB",
                 "--operations", "200000")
        for order in ("random", "oldest", "newest"):
            for handed_over in ("0", "100"):
                rows = self.rows(*words, "--order", order, "--handed-over", handed_over, "--brief", "30")
                for label, row in rows.items():
                    with self.subTest(order=order, handed_over=handed_over, allocator=label):
                        for ratio in row["figures"]["resident_over_live"]["runs"]:
                            self.assertTrue(0.9 < ratio < 4, ratio)  # all that is live is resident
                        self.assertGreater(min(row["figures"]["cpu_ns_per_allocation"]["runs"]), 5)
                        self.assertGreaterEqual(row["figures"]["longest_ns"]["median"], row["figures"]["p999_ns"]["median"])

    def test_each_named_use_case_runs(self) -> None:
        for name in ("server", "cache", "queue", "documents", "frames"):
            with self.subTest(like=name):
                rows = self.rows("--with", "heapwright", "--rounds", "1", "--like", name, "--operations", "50000", "--live", "8MiB", "--idle", "0")
                self.assertIn("figures", rows["heapwright"])

    def test_the_table_names_the_baseline_and_the_rule(self) -> None:
        done = self.tool("bench", "--with", "glibc,heapwright", "--rounds", "1", "--", "/bin/true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"change from glibc", done.stdout)
        self.assertIn(b"with 1 round nothing can be shown: it takes 8", done.stdout)

    def test_every_run_reads_the_same_input(self) -> None:
        text = self.folder / "input"
        text.write_text("select 6 * 7;\n" * 100)
        with text.open("rb") as stream:
            rows = self.rows("--with", "glibc,heapwright", "--rounds", "2", "--", "sqlite3", ":memory:", stdin=stream)
        self.assertTrue(all("figures" in row for row in rows.values()), rows)

    def test_another_output_takes_the_figures_away(self) -> None:
        script = 'case "$LD_PRELOAD" in *heapwright*) echo other;; *) echo same;; esac'
        rows = self.rows("--with", "glibc,heapwright", "--rounds", "1", "--", "/bin/sh", "-c", script)
        self.assertIn("output is another one than under glibc", rows["heapwright"]["failure"])

    def test_a_failure_under_one_allocator_is_its_own(self) -> None:
        script = 'case "$LD_PRELOAD" in *heapwright*) echo no room >&2; exit 7;; esac'
        rows = self.rows("--with", "glibc,heapwright", "--rounds", "2", "--", "/bin/sh", "-c", script)
        self.assertIn("figures", rows["glibc"])
        self.assertEqual(rows["heapwright"]["failure"], "it ended with exit status 7: no room")

    def test_a_server_under_load_is_measured_while_idle(self) -> None:
        server = "import time; b = [bytes(3000) for _ in range(8000)]; print(flush=True); time.sleep(600)"
        rows = self.rows("--with", "glibc", "--rounds", "1", "--idle", "0.1", "--load", "sleep 0.5", "--", PYTHON, "-c", server)
        self.assertGreater(rows["glibc"]["figures"]["idle_rss_bytes"]["median"], 5 * MIB)

    def test_bad_input_gets_a_sentence(self) -> None:
        cases = [(["--like", "nothing"], 2, "there is no use case 'nothing'; choose one of server"),
                 (["--sizes", "9..3"], 2, "'9..3' are no sizes"),
                 (["--live", "900TiB"], 2, "more than a third of this machine's memory"),
                 (["--order", "sorted"], 2, "'sorted' is no order"),
                 (["--threads", "0"], 2, "--threads can be 1 to 1024"),
                 (["--with", "nomalloc"], 2, "nomalloc"),
                 (["--with", "glibc", "--", "no-such-program"], 2, "no-such-program"),
                 (["--with", "glibc", "--rounds", "1", "--", "/bin/false"], 3, "exit status 1")]
        for words, status, sentence in cases:
            with self.subTest(words=words):
                done = self.tool("bench", *words)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertTrue(done.stderr.startswith(b"heapwright: "), done.stderr)
                self.assertIn(sentence, done.stderr.decode())

    def test_an_interrupt_ends_it_and_leaves_nothing(self) -> None:
        bench = self.begin(HEAPWRIGHT, "bench", "--with", "glibc", "--", "/bin/sleep", "600", more={"TMPDIR": str(self.folder)},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        wait_for("the program", lambda: subprocess.run(["pgrep", "-s", str(bench.pid), "sleep"], capture_output=True, check=False).returncode == 0)
        os.killpg(bench.pid, signal.SIGINT)
        bench.wait(timeout=60)
        self.assertNotEqual(bench.returncode, 0)
        self.assertEqual(list(self.folder.iterdir()), [], "the scratch folder is still there")
        self.assertEqual(subprocess.run(["pgrep", "-s", str(bench.pid)], capture_output=True, check=False, env=environment()).returncode, 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
