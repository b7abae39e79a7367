"""What the analysis says a call site pins is what /proc/PID/pagemap says of the living process, within 2 %."""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

BIN = Path(os.environ["HEAPWRIGHT_BIN"])
VICTIM = Path(__file__).resolve().parent / "pinning_victim.c"
TOLERANCE = 0.02


class Pinning(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="heapwright-pinning-")
        self.addCleanup(self.folder.cleanup)
        self.victim = Path(self.folder.name) / "victim"
        subprocess.run(["gcc", "-O1", "-g", str(VICTIM), "-o", str(self.victim)], check=True)

    def findings(self, seed: int) -> tuple[dict, dict]:
        """What the process said of itself, and what the analysis says: {function: (pinned, free part)}."""
        trace = Path(self.folder.name) / f"{seed}.hwtrace"
        done = subprocess.run([str(BIN / "heapwright"), "--no-progress", "record", "-q", "-o", str(trace), "--", str(self.victim), str(seed)],
                              capture_output=True, text=True, check=False)
        if done.returncode == 77:
            self.skipTest("the kernel does not show processes their own pagemap")
        self.assertEqual(done.returncode, 0, done.stderr)
        truth = {name: (int(pinned), int(free)) for name, pinned, free in map(str.split, done.stdout.splitlines())}
        report = subprocess.run([str(BIN / "heapwright"), "--no-progress", "report", "--json", str(trace)], capture_output=True, check=True)
        document = json.loads(report.stdout)
        found = dict.fromkeys(truth, (0, 0))
        for site in document["sites"]:
            names = [document["frames"][frame]["function"] for frame in site["frames"]]
            for name in names:
                if name in found:
                    pinned, free = found[name]
                    found[name] = (pinned + site["pinned_bytes_at_end"], free + site["pinned_free_bytes_at_end"])
                    break
        return truth, found

    def check_near(self, what: str, found: int, truth: int, whole: int) -> None:
        # 2 % of the figure itself, or for tiny ones 0.1 % of all that is pinned.
        allowed = max(truth * TOLERANCE, whole * 0.001)
        self.assertLessEqual(abs(found - truth), allowed, f"{what}: {found} bytes found, {truth} bytes true")

    def test_pinned_bytes_are_those_of_the_page_map(self) -> None:
        for seed in (1, 2, 3):
            with self.subTest(seed=seed):
                truth, found = self.findings(seed)
                whole = sum(pinned for pinned, _ in truth.values())
                self.assertGreater(whole, 10 << 20)
                for name, (pinned, free) in truth.items():
                    self.check_near(f"{name} pins", found[name][0], pinned, whole)
                    self.check_near(f"{name} pins for nothing", found[name][1], free, whole)
                self.check_near("all sites pin", sum(pinned for pinned, _ in found.values()), whole, whole)


if __name__ == "__main__":
    unittest.main(verbosity=2)
