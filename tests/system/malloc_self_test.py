"""heapwright on its own malloc: its own tests pass, and the compiler makes the same object files of its sources."""
import json
import os
import shlex
import subprocess
import unittest
from pathlib import Path

from malloc_support import MALLOCS, MallocTest, environment, run

BUILD = Path(os.environ["HEAPWRIGHT_BUILD"])
SOURCE = Path(os.environ["HEAPWRIGHT_SOURCE"])
FOLDERS = ("base", "os", "alloc/heap")
LEFT_OUT = {
    "alloc/heap_limits": "it sets limits of memory for one heap, and on its own malloc the program has two",
}


def unit_tests() -> dict[str, list[str]]:
    """The test programs of this build, by name."""
    listed = subprocess.run(["ctest", "--show-only=json-v1"], cwd=BUILD, capture_output=True, text=True, check=True)
    tests = {}
    for test in json.loads(listed.stdout)["tests"]:
        labels = [label for fact in test["properties"] if fact["name"] == "LABELS" for label in fact["value"]]
        if labels == ["unit"]:
            tests[test["name"]] = test["command"]
    return tests


def sources() -> list[dict]:
    """How this build compiles what the library is made of."""
    folders = tuple(f"{SOURCE}/src/heapwright/{folder}/" for folder in FOLDERS)
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    return [entry for entry in commands if entry["file"].startswith(folders) and "verify_interface" not in entry["command"]]


class Self(MallocTest):
    def setUp(self) -> None:
        super().setUp()
        self.check_served()

    def test_its_own_tests_pass(self) -> None:
        tests = {name: command for name, command in unit_tests().items() if name not in LEFT_OUT}
        self.assertLessEqual({"base", "alloc/heap", "trace/read", "study/report"}, tests.keys())
        for name, command in tests.items():
            with self.subTest(name):
                done = run("heapwright", *command, cwd=BUILD)
                self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode(errors="replace")[-3000:])

    def test_what_is_left_out_exists(self) -> None:
        self.assertLessEqual(LEFT_OUT.keys(), unit_tests().keys())

    def test_the_compiler_makes_the_same_of_its_sources(self) -> None:
        entries = sources()
        self.assertGreater(len(entries), 20)
        for entry in entries:
            words = shlex.split(entry["command"])
            words = words[1:] if "ccache" in words[0] else words
            at = words.index("-o") + 1
            made = {}
            # Both at once, to files of one name: a name can be part of what is compiled.
            compilers = {}
            for malloc in MALLOCS:
                folder = self.folder / malloc
                folder.mkdir(exist_ok=True)
                words[at] = str(folder / "made.o")
                compilers[malloc] = subprocess.Popen(words, cwd=entry["directory"], env=environment(malloc, CCACHE_DISABLE="1"),
                                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            for malloc, compiler in compilers.items():
                said, _ = compiler.communicate(timeout=200)
                self.assertEqual((compiler.returncode, said), (0, b""), f"{malloc}: {entry['file']}")
                made[malloc] = (self.folder / malloc / "made.o").read_bytes()
            self.check_equal(made["heapwright"], made["glibc"], entry["file"])


if __name__ == "__main__":
    unittest.main()
