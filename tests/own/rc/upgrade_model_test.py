"""Checks upgrade.pml with spin: the model of the counts holds in every order of steps, and each mutant of it does not."""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

MODEL = Path(__file__).resolve().parent / "upgrade.pml"
MUTANTS = {1: "an upgrade without compare-and-swap", 2: "uniqueness looked at in two steps",
           3: "no weak count for the strong handles", 4: "dropping and putting back"}


def check(mutant):
    """What the exhaustive search says: (errors, states)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["spin", f"-DMUTANT={mutant}", "-a", str(MODEL)], cwd=folder, check=True, capture_output=True, text=True)
        subprocess.run(["gcc", "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"], cwd=folder, check=True)
        said = subprocess.run(["./pan", "-m100000"], cwd=folder, check=True, capture_output=True, text=True).stdout
    if "max search depth too small" in said:
        raise AssertionError("the search was cut short")
    return int(re.search(r"errors: (\d+)", said).group(1)), int(re.search(r"(\d+) states, stored", said).group(1))


class UpgradeModel(unittest.TestCase):
    def setUp(self):
        self.assertIsNotNone(shutil.which("spin"), "spin is needed (Debian package spin)")

    def test_no_order_of_steps_breaks_the_counts(self):
        errors, states = check(0)
        self.assertEqual(errors, 0)
        self.assertGreater(states, 1000)
        print(f"{states} states")

    def test_each_mutant_is_caught(self):
        for mutant, what in MUTANTS.items():
            with self.subTest(what):
                self.assertGreater(check(mutant)[0], 0, f"spin does not notice {what}")


if __name__ == "__main__":
    sys.exit(unittest.main())
