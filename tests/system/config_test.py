"""heapwright config: check, print and explain, as a user meets them."""
import json
import os
import unittest
from pathlib import Path

from run_support import RunTest


class Config(RunTest):
    def test_a_sound_file_is_said_to_be_sound_and_is_not_touched(self) -> None:
        text = '# a comment\n[heap]\nlimit = "1GiB" # why\n\n[[site]]\nmodule = "00ff"\nreturns = [0x10]\nplace = "pool"\n'
        path = self.config(text)
        done = self.tool("config", "check", path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout.decode(), f"{path} is sound, with a plan of 1 site\n")
        self.assertEqual((self.folder / "memory.toml").read_text(), text)

    def test_every_mistake_is_a_line_with_its_place(self) -> None:
        path = self.config('[allocator]\narena_sise = "1MiB"\nstrategy = "jemaloc"\n[fragmentation]\nanalysis_interval = 10\n')
        done = self.tool("config", "check", path)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.decode().splitlines(), [
            f"heapwright: {path}:2:1: no key of [allocator] is called 'arena_sise'; did you mean 'arena_size'?",
            f"heapwright: {path}:3:12: strategy cannot be \"jemaloc\"; expected the name of an allocator, as in \"heapwright\"; did you mean 'jemalloc'?",
            f"heapwright: {path}:5:21: analysis_interval cannot be 10; expected a time, as in \"10s\" or \"250ms\", from \"10ms\" to \"24h\"",
        ])
        found = json.loads(self.tool("config", "check", "--json", path).stdout)
        self.assertEqual([(mistake["line"], mistake["column"]) for mistake in found["mistakes"]], [(2, 1), (3, 12), (5, 21)])

    def test_what_is_printed_is_sound_and_prints_the_same_again(self) -> None:
        defaults = self.tool("config", "print").stdout.decode()
        path = self.config(defaults)
        self.assertEqual(self.tool("config", "check", path).returncode, 0)
        self.assertEqual(self.tool("config", "print", path).stdout.decode(), defaults)
        self.assertIn('strategy = "heapwright"\n', defaults)

    def test_settings_without_an_effect_are_noted(self) -> None:
        path = self.config('[allocator]\nstrategy = "glibc"\n[heap]\nlimit = 5\n[monitor]\nhttp_port = 9\n[[site]]\nmodule = "00"\nreturns = [1]\n')
        done = self.tool("config", "check", path)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.decode().count("note: "), 3)
        path = self.config('[allocator]\nstrategy = "heapwright-secure"\n[[site]]\nmodule = "00"\nreturns = [1]\n')
        done = self.tool("config", "check", path)
        self.assertIn("note: the plan has no effect: the hardened heap does not look at call sites\n", done.stdout.decode())

    def test_explain_tells_every_key_with_and_without_a_file(self) -> None:
        text = self.tool("config", "explain").stdout.decode()
        for word in ("analysis_interval", "time between two measurements", "[[site]]", "read by heapwright run", "(the default)"):
            self.assertIn(word, text)
        path = self.config("[gc]\nthreshold = \"1GiB\"\n")
        self.assertIn('  threshold = "1GiB"  (default: ', self.tool("config", "explain", path).stdout.decode())

    def test_the_manual_has_every_key_with_its_default(self) -> None:
        page = (Path(os.environ["HEAPWRIGHT_SOURCE"]) / "docs/manual/memory-toml.md").read_text()
        section = ""
        for line in self.tool("config", "print").stdout.decode().splitlines():
            if line.startswith("["):
                section = page.split(f"\n## {line}\n")[1].split("\n## ")[0]
            elif line:
                key, value = line.split(" = ", 1)
                self.assertIn(f"| `{key}` | `{value}` |", section)

    def test_a_file_that_is_missing_or_no_text_is_told(self) -> None:
        done = self.tool("config", "check", str(self.folder / "none.toml"))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"there is no such file; begin one with 'heapwright config print'", done.stderr)
        (self.folder / "zeros").write_bytes(b"\0" * 1000)
        done = self.tool("config", "check", str(self.folder / "zeros"))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"this is no TOML", done.stderr)
        self.assertEqual(self.tool("config", "check", str(self.folder)).returncode, 2)
        self.assertEqual(self.tool("config").returncode, 2)


if __name__ == "__main__":
    unittest.main()
