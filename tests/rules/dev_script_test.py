"""The dev script: its help names every verb, a wrong verb is refused, and continuous integration calls it."""
import os
import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("HEAPWRIGHT_SOURCE", Path(__file__).resolve().parents[2]))
VERBS = ("build", "demo", "test", "bench", "check", "fuzz", "help")


def dev(*words):
    return subprocess.run([ROOT / "dev", *words], capture_output=True, text=True, cwd="/")


class DevScript(unittest.TestCase):
    def test_help_names_every_verb_and_every_verb_exists(self):
        shown = dev("help")
        self.assertEqual(shown.returncode, 0)
        text = (ROOT / "dev").read_text()
        for verb in VERBS:
            self.assertRegex(shown.stdout, rf"(?m)^\./dev {verb}\b")
            self.assertIn(f"verb_{verb}()", text)
        self.assertEqual(sorted(re.findall(r"(?m)^verb_(\w+)\(\)", text)), sorted(VERBS))

    def test_no_verb_is_help_and_a_wrong_one_is_refused(self):
        self.assertEqual(dev().stdout, dev("help").stdout)
        wrong = dev("frobnicate")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("heapwright: unknown verb 'frobnicate'", wrong.stderr)

    def test_an_unknown_benchmark_is_refused_before_anything_is_built(self):
        wrong = dev("bench", "no_such_bench")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("heapwright: no benchmark 'no_such_bench'", wrong.stderr)

    def test_lists_are_printed_without_a_name(self):
        self.assertEqual(dev("bench").returncode, 0)
        self.assertEqual(dev("fuzz").returncode, 0)

    def test_the_script_is_sound_bash(self):
        self.assertEqual(subprocess.run(["bash", "-n", ROOT / "dev"]).returncode, 0)

    def test_continuous_integration_calls_it(self):
        self.assertIn("./dev test", (ROOT / ".ci/run").read_text())
        self.assertTrue(os.access(ROOT / ".ci/run", os.X_OK))
        self.assertTrue(os.access(ROOT / "dev", os.X_OK))


if __name__ == "__main__":
    unittest.main()
