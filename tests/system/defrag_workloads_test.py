"""The workloads of bench/defrag at a tiny scale, before libheapwright.so and before the C library's malloc, and the script around them."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["HEAPWRIGHT_BUILD"])
os.environ["HEAPWRIGHT_BENCH_BUILD"] = str(BUILD)
sys.path.insert(0, str(ROOT / "bench"))
sys.dont_write_bytecode = True

import defrag  # noqa: E402

LIBRARY = BUILD / "lib" / "libheapwright.so"
SCALE = "0.01"


def stages(name: str, scale: str, preload: str = "") -> dict[str, dict[str, int]]:
    done = subprocess.run([str(defrag.WORKLOADS / name), scale, "10"], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "LD_PRELOAD": preload})
    assert done.returncode == 0, f"{name}: exit status {done.returncode}: {done.stderr}"
    return defrag.stages_of(done.stdout)


class Workloads(unittest.TestCase):
    def test_there_are_six_and_each_keeps_its_data(self) -> None:
        names = defrag.workload_names()
        self.assertGreaterEqual(len(names), 6)
        for name in names:
            with self.subTest(name):
                ours, plain = stages(name, SCALE, str(LIBRARY)), stages(name, SCALE)
                self.assertEqual(list(ours), list(plain))
                self.assertEqual(ours["freed"]["live_kib"], 0)
                for stage in ours:
                    self.assertEqual(ours[stage]["live_kib"], plain[stage]["live_kib"], stage)

    def test_after_a_trim_little_more_is_in_memory_than_the_pages_of_live_objects(self) -> None:
        for name in ("growing_arrays", "sessions", "random_survivors"):
            for stage, figures in stages(name, "0.1", str(LIBRARY)).items():
                # Active spans and the heap's own are what may be above.
                self.assertLess(figures["trimmed_kib"], figures["page_floor_kib"] * 1.05 + 1500, f"{name} {stage}: {figures}")

    def test_blocks_of_other_sizes_find_room_where_the_earlier_ones_died(self) -> None:
        for name, stage, most in (("sessions", "other_mix", 1.2), ("regular_survivors", "larger_came", 2.0), ("lru_cache", "larger_values", 1.65)):
            figures = stages(name, "0.1", str(LIBRARY))[stage]
            self.assertLess(figures["trimmed_kib"], figures["live_kib"] * most, f"{name} {stage}: {figures}")

    def test_meshed_they_keep_their_data_and_need_less_than_the_pages_of_live_objects(self) -> None:
        os.environ["HEAPWRIGHT_CONF"] = "compaction:mesh"
        self.addCleanup(os.environ.pop, "HEAPWRIGHT_CONF")
        asked = subprocess.run(["/bin/true"], capture_output=True, text=True, check=True, env={**os.environ, "LD_PRELOAD": str(LIBRARY)})
        for name in defrag.workload_names():
            for stage, figures in stages(name, "0.1", str(LIBRARY)).items():
                if stage == "freed":
                    self.assertLess(figures["trimmed_kib"], 8192, f"{name}: {figures}")
                if (name, stage) == ("regular_survivors", "thinned") and not asked.stderr:  # else a line says that the kernel does not allow it
                    self.assertLess(figures["trimmed_kib"], figures["page_floor_kib"] // 4, figures)

    def test_a_program_compacts_when_it_wants(self) -> None:
        code = """
import ctypes
c = ctypes.CDLL(None)
c.malloc.restype = c.heapwright_compact.restype = ctypes.c_size_t
c.malloc.argtypes = c.free.argtypes = [ctypes.c_size_t]
blocks = [c.malloc(256) for _ in range(60000)]
for i, block in enumerate(blocks):
    if i % 16:
        c.free(block)
print(c.heapwright_compact())
"""
        done = {conf: subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                                     env={**os.environ, "LD_PRELOAD": str(LIBRARY), "HEAPWRIGHT_CONF": conf})
                for conf in ("give_back:no", "give_back:no,compaction:mesh")}
        plain, meshed = (int(run.stdout) for run in done.values())
        if not done["give_back:no,compaction:mesh"].stderr:
            self.assertGreater(meshed, plain + 8_000_000)

    def test_a_scale_of_nothing_is_refused(self) -> None:
        done = subprocess.run([str(defrag.WORKLOADS / "sessions"), "0"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("heapwright: the workload failed: the scale is not above 0", done.stderr)


class Script(unittest.TestCase):
    def test_a_tiny_run_prints_the_tables_and_writes_the_figures(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, str(ROOT / "bench" / "defrag.py"), "--no-build", "--quick", "--only", "sessions", "--allocators",
                                   "glibc,heapwright", "--json", f"{folder}/figures.json"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("after each one's own trim", done.stdout)
            rows = json.loads(Path(folder, "figures.json").read_text(encoding="utf-8"))["rows"]
            self.assertEqual([row["stage"] for row in rows], ["served", "expired", "other_mix", "freed"])

    def test_verdicts_are_against_the_best_peer_and_the_fixed_targets(self) -> None:
        def stage(settled: int, trimmed: int) -> dict:
            return {"live_kib": 1000, "page_floor_kib": 1200, "settled_kib": settled, "trimmed_kib": trimmed, "longest_us": 1, "trim_us": 1, "work_cpu_ms": 1,
                    "cpu_ms": 100, "measuring_cpu_ms": 1}

        runs = {"glibc": [{"stages": {"other_mix": stage(3000, 2000), "freed": stage(9000, 10)}}],
                "heapwright": [{"stages": {"other_mix": stage(3000, 1100), "freed": stage(9000, 20)}}], "jemalloc": [{"failure": "crashed"}]}
        rows = defrag.rows_for("sessions", runs)
        self.assertEqual(rows[0]["failures"], {"jemalloc": "crashed"})
        self.assertEqual([line["reached"] for line in defrag.verdicts(rows)], ["yes", "yes", "NO"])

    def test_what_meshing_takes_of_the_processor_is_that_of_all_stages(self) -> None:
        def stages(*cpu_ms: int) -> list[dict]:
            return [{"stages": {str(number): {"live_kib": 1, "cpu_ms": ms} for number, ms in enumerate(cpu_ms)}}]

        for second, reached in ((58, "yes"), (59, "NO")):
            rows = defrag.rows_for("sessions", {"heapwright": stages(40, 60), "heapwright mesh": stages(50, second)})
            self.assertEqual([line["reached"] for line in defrag.cpu_verdicts(rows)], [reached])
        self.assertEqual(defrag.cpu_verdicts(defrag.rows_for("sessions", {"heapwright": stages(40), "glibc": stages(40)})), [])

    def test_the_longest_malloc_counts_where_it_was_not_preempted(self) -> None:
        def stages(*undisturbed_us: int) -> list[dict]:
            return [{"stages": {str(number): {"live_kib": 1, "longest_us": 5000, "longest_undisturbed_us": us} for number, us in enumerate(undisturbed_us)}}]

        for second, reached in ((1000, "yes"), (1001, "NO")):
            rows = defrag.rows_for("sessions", {"heapwright mesh": stages(70, second)})
            self.assertEqual([line["reached"] for line in defrag.longest_verdicts(rows)], [reached])
        self.assertEqual(defrag.longest_verdicts(defrag.rows_for("redis", {"heapwright mesh": [{"stages": {"filled": {"live_kib": 1}}}]})), [])

    def test_an_unknown_workload_is_one_sentence(self) -> None:
        done = subprocess.run([sys.executable, str(ROOT / "bench" / "defrag.py"), "--no-build", "--only", "sesions", "--allocators", "glibc"],
                              capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("heapwright: no workload is called sesions", done.stderr)


if __name__ == "__main__":
    unittest.main()
