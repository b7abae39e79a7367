"""Builds small libraries with one symbol too many or too few and expects the complaint of the symbol rules."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
sys.dont_write_bytecode = True

import check_freestanding  # noqa: E402
import check_symbols  # noqa: E402

SOURCE = """
#include <string.h>
void* malloc(unsigned long size) { (void)size; return 0; }
void free(void* block) { memset(block, 0, 1); }
"""
MAP = "{ global: malloc; free; local: *; };\n"
ALLOWED = "# from libc\nmemset\n"


class Symbols(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def library(self, source=SOURCE, script=MAP):
        (self.root / "a.c").write_text(source)
        (self.root / "a.map").write_text(script)
        library = self.root / "a.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-nostartfiles", "-fno-builtin", "-o", library, self.root / "a.c",
                        f"-Wl,--version-script={self.root / 'a.map'}"], check=True)
        return str(library)

    def complaints(self, library, script=MAP, allowed=ALLOWED):
        (self.root / "b.map").write_text(script)
        (self.root / "allowed.txt").write_text(allowed)
        return list(check_symbols.complaints(library, str(self.root / "b.map"), str(self.root / "allowed.txt")))

    def test_a_library_as_its_lists_say(self):
        self.assertEqual(self.complaints(self.library()), [])

    def test_a_symbol_that_the_script_does_not_name(self):
        library = self.library(SOURCE + "void stray(void) {}\n", "{ global: *; };")
        self.assertEqual(len(self.complaints(library)), 1)
        self.assertIn("defines stray", self.complaints(library)[0])

    def test_a_symbol_that_is_missing(self):
        found = self.complaints(self.library(), MAP.replace("free;", "free; calloc;"))
        self.assertEqual(len(found), 1)
        self.assertIn("does not define calloc", found[0])

    def test_a_request_that_the_list_does_not_allow(self):
        library = self.library(SOURCE + "void abort(void);\nvoid* calloc(unsigned long n) { if (n) abort(); return 0; }\n",
                               MAP.replace("free;", "free; calloc;"))
        found = self.complaints(library, MAP.replace("free;", "free; calloc;"))
        self.assertEqual(len(found), 1)
        self.assertIn("asks for abort", found[0])

    def test_a_list_that_allows_too_much(self):
        found = self.complaints(self.library(), allowed=ALLOWED + "memcpy\n")
        self.assertEqual(len(found), 1)
        self.assertIn("allows memcpy", found[0])

    def archive(self, name, source):
        path = self.root / f"{name}.c"
        path.write_text(source)
        subprocess.run(["cc", "-c", "-O2", "-fno-builtin", "-o", path.with_suffix(".o"), path], check=True)
        archive = self.root / f"lib{name}.a"
        subprocess.run(["ar", "rc", archive, path.with_suffix(".o")], check=True)
        return str(archive)

    def test_freestanding_objects_ask_for_memory_functions_and_each_other_only(self):
        below = self.archive("below", "int below(void) { return 1; }\n")
        above = self.archive("above", "int below(void);\nint above(void) { return below(); }\n")
        self.assertEqual(list(check_freestanding.complaints([below, above])), [])
        self.assertIn("asks the host for below", list(check_freestanding.complaints([above]))[0])
        popcount = self.archive("popcount", "int __popcountdi2(long);\nint bits(long n) { return __popcountdi2(n); }\n")
        self.assertIn("__popcountdi2", list(check_freestanding.complaints([popcount]))[0])


if __name__ == "__main__":
    unittest.main()
