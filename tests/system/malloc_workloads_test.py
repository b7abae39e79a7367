"""The workloads of bench/malloc at a tiny scale: each checks its own data, and its checksum depends on nothing but the work."""
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

import malloc  # noqa: E402
from malloc_probes import PROBES  # noqa: E402
from malloc_runs import TOOLS, WORKLOADS, Allocator, Result, exact_peak_kib, libc  # noqa: E402

SCALE = "0.003"


def said(program: Path, *words: str, **environment: str) -> dict[str, str]:
    done = subprocess.run([str(program), *words], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, f"{program.name}: exit status {done.returncode}: {done.stderr}"
    return dict(line.split() for line in done.stdout.splitlines())


class Workloads(unittest.TestCase):
    def test_there_are_at_least_twenty_and_each_is_built(self) -> None:
        names = malloc.workload_names()
        self.assertGreaterEqual(len(names), 20)
        for name in names:
            self.assertTrue((WORKLOADS / name).exists(), f"{name} is not in bench/malloc/CMakeLists.txt")

    def test_each_keeps_its_data_whatever_fresh_and_freed_memory_holds(self) -> None:
        for name in malloc.workload_names():
            with self.subTest(name):
                plain = said(WORKLOADS / name, SCALE)
                filled = said(WORKLOADS / name, SCALE, MALLOC_PERTURB_="165", MALLOC_ARENA_MAX="1")
                self.assertRegex(plain["checksum"], "^[0-9a-f]{16}$")
                self.assertEqual(plain["checksum"], filled["checksum"])
                self.assertGreater(int(plain["peak_kib"]), 500)

    def test_more_work_has_another_checksum(self) -> None:
        for name in ("trees", "server", "documents"):
            self.assertNotEqual(said(WORKLOADS / name, "0.003")["checksum"], said(WORKLOADS / name, "0.006")["checksum"])

    def test_a_scale_of_nothing_is_refused(self) -> None:
        done = subprocess.run([str(WORKLOADS / "trees"), "0"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("heapwright: the workload failed: the scale is not above 0", done.stderr)

    def test_probes_print_what_the_tables_show(self) -> None:
        for name, figure in (("base", "rss="), ("prodcons", "end="), ("aligned", "rss=")):  # the others wait for a second or two
            self.assertIn(name, PROBES)
            done = subprocess.run([str(TOOLS / "probes"), name, SCALE], capture_output=True, text=True, timeout=60, check=True)
            self.assertIn(figure, done.stdout)


class Script(unittest.TestCase):
    def test_a_tiny_run_prints_the_table_and_writes_the_figures(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, str(ROOT / "bench" / "malloc.py"), "--no-build", "--rounds", "1", "--scale", SCALE, "--only", "trees,burst",
                                   "--allocators", f"glibc,{libc()}", "--json", f"{folder}/figures.json"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("peak RSS of the largest process", done.stdout)
            self.assertIn('"summary"', Path(folder, "figures.json").read_text(encoding="utf-8"))

    def test_an_allocator_that_is_missing_is_one_sentence(self) -> None:
        done = subprocess.run([sys.executable, str(ROOT / "bench" / "malloc.py"), "--no-build", "--allocators", "/no/such.so"], capture_output=True,
                              text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("heapwright: no allocator '/no/such.so'", done.stderr)

    def test_ratios_are_to_the_best_and_another_checksum_is_a_failure(self) -> None:
        def runs(wall: float, proof: str) -> list[Result]:
            return [Result(wall, wall, 10 * wall, proof), Result(wall * 3, wall, 10 * wall, proof), Result(wall, wall, 10 * wall, proof)]

        row = malloc.row_for("one", "workload", {"a": runs(2.0, "x"), "heapwright": runs(3.0, "x"), "c": runs(1.0, "y")})
        self.assertEqual(malloc.ratios(row["wall_s"]), {"a": 1.0, "heapwright": 1.5})
        self.assertEqual(list(row["failures"]), ["c"])
        lines = malloc.summary_of([row], ["a", "heapwright", "c"], "wall_s")
        self.assertEqual([mark["reached"] for mark in malloc.verdicts(lines[1])], ["NO", "NO", "NO", "yes"])
        self.assertEqual([mark["reached"] for mark in malloc.verdicts(lines[0])], ["yes"] * 4)

    def test_the_peak_of_a_small_program_is_its_own(self) -> None:
        peak = exact_peak_kib(["true"], Allocator("glibc", libc()))
        self.assertGreater(peak, 500)
        self.assertLess(peak, 4000)  # the script that asks is several times larger


if __name__ == "__main__":
    unittest.main()
