"""A meshed heap under what breaks others: system calls into its blocks, children, sudden death, limits. `whole`: as long as it takes to believe it."""
import os
import random
import signal
import subprocess
import sys
import time
import unittest

from malloc_support import MallocTest, environment, program, run

WHOLE = "whole" in sys.argv[1:]
MESH = {"HEAPWRIGHT_CONF": "compaction:mesh,reserve:4GiB"}
SEED = 20


def meshes() -> bool:
    """Whether this kernel allows it: else a line says what is missing."""
    return run("heapwright", "/bin/true", more=MESH).stderr == b""


class Proof(MallocTest):
    def play(self, *words: str, malloc: str = "heapwright", **options) -> str:
        done = run(malloc, program("meshed"), *words, more=MESH, timeout=3000, **options)
        said = [line for line in done.stderr.decode().splitlines() if "more recoverable with vm.max_map_count" not in line]
        self.assertEqual((done.returncode, said), (0, []), (words, done.stdout))
        return done.stdout.decode()

    def test_no_call_that_writes_into_blocks_fails(self) -> None:
        self.play("calls", "5000000" if WHOLE else "60000")

    def test_children_of_fork_and_exec(self) -> None:
        self.play("children", "2000" if WHOLE else "60")

    def test_children_live_on_when_their_parent_is_killed(self) -> None:
        chance = random.Random(SEED)
        for _ in range(60 if WHOLE else 3):
            with subprocess.Popen([program("meshed"), "killed"], env=environment("heapwright", **MESH), stdout=subprocess.PIPE) as process:
                first = process.stdout.read(1)
                time.sleep(chance.random() * 0.2)
                process.send_signal(signal.SIGKILL)
                said = first + process.stdout.read()
            self.assertEqual(process.returncode, -signal.SIGKILL)
            self.assertEqual(set(said), {ord(".")}, said)

    def test_where_addresses_end(self) -> None:
        self.play("limit", "addresses")

    def test_where_mappings_end(self) -> None:
        self.play("limit", "mappings")


@unittest.skipUnless(WHOLE, "figures and whole suites take long")
class Whole(MallocTest):
    def snapshot(self, malloc: str) -> dict[str, int]:
        done = run(malloc, program("meshed"), "snapshot", "1000000", more=MESH, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {name: int(value) for name, value in (word.split("=") for word in done.stdout.decode().split() if "=" in word)}

    def test_a_snapshot_adds_little_and_what_a_fork_costs(self) -> None:
        # In turns, and the least of each: what else runs makes some of them longer, and not all.
        rounds = [(self.snapshot("heapwright"), self.snapshot("glibc")) for _ in range(3)]
        ours, theirs = (min(pair[which]["fork_us"] for pair in rounds) for which in range(2))
        print(f"fork: {ours / theirs:.2f} times glibc's; {rounds}")
        self.assertLessEqual(max(pair[0]["added_kib"] for pair in rounds), 10240)
        # The kernel copies every mapping, and not the pages: 2.1 to 2.4 times glibc's fork.
        self.assertLessEqual(ours, 3 * theirs)

    def test_the_suites_of_the_heap_with_meshing_on(self) -> None:
        os.environ["HEAPWRIGHT_TEST_CONF"] = "compaction:mesh,purge_delay:50ms"
        self.addCleanup(os.environ.pop, "HEAPWRIGHT_TEST_CONF")
        for script in ("malloc_conformance_test.py", "malloc_moments_test.py", "malloc_programs_test.py"):
            with self.subTest(script):
                done = subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), script)], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr[-4000:])


if __name__ == "__main__":
    if not meshes():
        print("this machine does not allow meshing")
        sys.exit(77)
    unittest.main(argv=[word for word in sys.argv if word != "whole"])
