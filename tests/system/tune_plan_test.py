"""What `heapwright advise` writes as a placement plan: it keeps less in the replay and in the program, and can be applied."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from run_support import HEAPWRIGHT, RunTest, environment

ROOT = Path(__file__).resolve().parent.parent.parent
MIB = "24"


class Plan(RunTest):
    """Brief blocks and lasting ones of the same sizes, in turns: bench/tune/mix.cpp."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.built = tempfile.mkdtemp(prefix="heapwright-plan-")
        cls.addClassCleanup(shutil.rmtree, cls.built, ignore_errors=True)
        cls.mix, cls.trace = f"{cls.built}/mix", f"{cls.built}/mix.hwtrace"
        subprocess.run(["g++", "-std=c++20", "-O1", "-o", cls.mix, ROOT / "bench" / "tune" / "mix.cpp"], check=True)
        subprocess.run([HEAPWRIGHT, "record", "-q", "-o", cls.trace, "--", cls.mix, MIB], check=True, env=environment(), stdout=subprocess.DEVNULL)
        cls.written = f"{cls.built}/memory.toml"
        cls.advised = subprocess.run([HEAPWRIGHT, "advise", cls.trace, "--json", "--write", cls.written], check=True, env=environment(),
                                     capture_output=True).stdout

    def idle_bytes(self, config: str) -> int:
        said = self.tool("run", "--config", config, "--", self.mix, MIB)
        self.assertEqual(said.stderr, b"")
        return int(said.stdout.split()[5])

    def test_what_is_suggested_keeps_less_in_the_replay_and_in_the_program(self) -> None:
        plan = next(one for one in json.loads(self.advised) if one["rule"] == "plan")
        self.assertEqual(plan["experiment"], "placement plan")
        self.assertGreater(plan["measured_bytes"], 1 << 20, plan["proof"])
        planned = self.config("[allocator]\nstrategy = \"heapwright\"\n" + plan["plan"], "plan.toml")
        check = self.tool("config", "check", planned)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn(b"with a plan of", check.stdout)
        without = self.config("[allocator]\nstrategy = \"heapwright\"\n", "own.toml")
        self.assertLess(self.idle_bytes(planned), 0.8 * self.idle_bytes(without))

    def test_what_is_written_can_be_applied(self) -> None:
        self.assertEqual(self.tool("config", "check", self.written).returncode, 0)
        self.assertGreater(self.idle_bytes(self.written), 0)

    def test_what_cannot_be_written_is_told(self) -> None:
        refused = self.tool("advise", self.trace, "--write", str(self.folder / "nowhere" / "memory.toml"))
        self.assertEqual(refused.returncode, 2, refused.stderr)


if __name__ == "__main__":
    unittest.main()
