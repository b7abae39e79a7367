"""Plants a violation of each tree rule in a small tree and expects the complaint; the tree without it is clean."""
import os
import sys
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
sys.dont_write_bytecode = True

import check_discipline  # noqa: E402
import check_files  # noqa: E402
import check_invariants  # noqa: E402
import check_layers  # noqa: E402
import check_tested  # noqa: E402
import check_words  # noqa: E402

RULES = (check_discipline, check_files, check_invariants, check_layers, check_tested, check_words)

README = """# {0}
A module of the small tree.

Stands on: what its CMake call says.   Discipline: see there.

Files: bits.hpp bits.cpp pool.hpp table.hpp detail
Invariants: P1.
Read first: the header.
"""

POOL = """// Blocks of one size, handed out and taken back.
#pragma once

#include <heapwright/base/bits.hpp>

///   P1  the free list holds free slots only
inline const char* broken_invariant() { return "P1: a used slot is on the free list"; }
"""

TREE = {
    "src/heapwright/CMakeLists.txt": "heapwright_add_folders(.\n  base\n  alloc/pool)\nheapwright_add_folders(.\n  study/table)\n",
    "src/heapwright/base/CMakeLists.txt": "heapwright_module(base DISCIPLINE freestanding HEADERS bits.hpp detail/table.hpp SOURCES bits.cpp)\n",
    "src/heapwright/base/README.md": README.format("base"),
    "src/heapwright/base/bits.hpp": "// Powers of two and their friends.\n#pragma once\n",
    "src/heapwright/base/detail/table.hpp": "// The private room of bits.\n#pragma once\n",
    "src/heapwright/base/bits.cpp": "// The slow half of bits.\n#include <heapwright/base/detail/table.hpp>\n",
    "src/heapwright/alloc/pool/CMakeLists.txt":
        "heapwright_module(alloc/pool\n  DISCIPLINE freestanding  # no libc\n  HEADERS pool.hpp\n  DEPENDS base)\n",
    "src/heapwright/alloc/pool/README.md": README.format("alloc/pool"),
    "src/heapwright/alloc/pool/pool.hpp": POOL,
    "src/heapwright/study/table/CMakeLists.txt": "heapwright_module(study/table DISCIPLINE hosted HEADERS table.hpp DEPENDS base)\n",
    "src/heapwright/study/table/README.md": README.format("study/table"),
    "src/heapwright/study/table/table.hpp": "// Rows and columns of numbers.\n#pragma once\n\n#include <string>\n",
    "tests/base/bits_test.cpp": "// Bits, and their private room.\n#include <heapwright/base/detail/table.hpp>\n",
    "tests/alloc/pool/pool_test.cpp": "// The pool keeps [pool/P1] and [alloc/pool/P1].\n",
    "tests/study/table/table_test.cpp": "// Tables of numbers.\n",
}


class SmallTree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        for name, text in TREE.items():
            self.write(name, text)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, name, text):
        self.write(name, (self.root / name).read_text() + text)

    def expect(self, rule, *words):
        """The rule complains once, in these words; no other complaint is made by it."""
        found = list(rule.rule(self.root))
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_clean_tree_is_clean(self):
        for rule in RULES:
            self.assertEqual(list(rule.rule(self.root)), [], rule.__name__)


class Layers(SmallTree):
    def test_an_include_that_depends_does_not_cover(self):
        self.add("src/heapwright/base/bits.cpp", "#include <heapwright/alloc/pool/pool.hpp>\n")
        self.expect(check_layers, "bits.cpp:3", "belongs to alloc/pool")

    def test_a_dependency_upwards(self):
        self.write("src/heapwright/alloc/pool/CMakeLists.txt",
                   "heapwright_module(alloc/pool DISCIPLINE hosted HEADERS pool.hpp DEPENDS base study/table)")
        self.expect(check_layers, "alloc/pool may not depend on study/table")

    def test_the_private_room_of_another_module(self):
        self.add("src/heapwright/alloc/pool/pool.hpp", "#include <heapwright/base/detail/table.hpp>\n")
        self.expect(check_layers, "private room of base")

    def test_a_front_door_inside_the_library(self):
        self.write("src/heapwright/pool.hpp", "// The front door of the pool.\n#pragma once\n")
        self.add("src/heapwright/study/table/table.hpp", "#include <heapwright/pool.hpp>\n")
        self.expect(check_layers, "front door")

    def test_a_quoted_include(self):
        self.add("src/heapwright/base/bits.cpp", '#include "bits.hpp"\n')
        self.expect(check_layers, "quoted include")

    def test_a_file_that_no_call_lists(self):
        self.write("src/heapwright/base/stray.hpp", "// A header nobody knows.\n#pragma once\n")
        self.expect(check_layers, "stray.hpp", "no CMake call lists")

    def test_a_listed_file_that_is_missing(self):
        os.remove(self.root / "src/heapwright/base/bits.cpp")
        self.expect(check_layers, "bits.cpp", "not there")

    def test_a_module_that_the_floor_order_does_not_know(self):
        self.write("src/heapwright/CMakeLists.txt", "heapwright_add_folders(.\n base\n alloc/pool)\n")
        self.expect(check_layers, "study/table is not in the floor order")

    def test_a_test_header_in_the_library(self):
        self.add("src/heapwright/study/table/table.hpp", "#include <tests/support/random.hpp>\n")
        self.expect(check_layers, "nobody's business")


class Files(SmallTree):
    def test_a_long_file(self):
        self.add("src/heapwright/base/bits.hpp", "// more\n" * 400)
        self.expect(check_files, "402 lines, more than 400")

    def test_a_header_without_pragma_once(self):
        self.write("src/heapwright/base/bits.hpp", "// Powers of two and their friends.\n")
        self.expect(check_files, "no #pragma once")

    def test_a_file_that_does_not_say_what_it_is_for(self):
        self.write("src/heapwright/base/detail/table.hpp", "#pragma once\n// The private room of bits.\n")
        self.expect(check_files, "table.hpp:1")

    def test_blanks_and_tabs(self):
        self.add("src/heapwright/base/bits.hpp", "int a; \n")
        self.expect(check_files, "bits.hpp:3", "blanks at the end")
        self.write("src/heapwright/base/bits.hpp", "// Powers of two and friends.\n#pragma once\n\tint a;\n")
        self.expect(check_files, "a tab")

    def test_a_module_without_readme(self):
        os.remove(self.root / "src/heapwright/base/README.md")
        self.expect(check_files, "no README.md")

    def test_a_readme_that_forgets_a_header(self):
        self.write("src/heapwright/alloc/pool/README.md", README.format("p").replace("pool.hpp", ""))
        self.expect(check_files, "does not mention pool.hpp")

    def test_a_long_tool(self):
        self.write("tools/check_all.py", '"""Checks everything."""\n' + "pass\n" * 120)
        self.expect(check_files, "121 lines, more than 120")

    def test_a_script_without_a_sentence(self):
        self.write("bench/record.py", "import os\n")
        self.expect(check_files, "record.py:1")


class Discipline(SmallTree):
    def test_a_header_that_locks_or_allocates(self):
        for header in ("mutex", "string", "vector", "iostream", "thread", "functional", "cstdlib"):
            with self.subTest(header):
                self.write("src/heapwright/base/bits.cpp", f"// The slow half.\n#include <{header}>\n")
                self.expect(check_discipline, f"<{header}> is not for freestanding code")

    def test_the_operating_system_in_a_freestanding_module(self):
        self.add("src/heapwright/base/bits.cpp", "#include <sys/mman.h>\n")
        self.expect(check_discipline, "<sys/mman.h>")

    def test_the_same_is_fine_in_process_and_everything_in_hosted_code(self):
        self.add("src/heapwright/base/bits.cpp", "#include <sys/mman.h>\n")
        self.write("src/heapwright/base/CMakeLists.txt",
                   "heapwright_module(base DISCIPLINE in-process HEADERS bits.hpp detail/table.hpp SOURCES bits.cpp)")
        self.assertEqual(list(check_discipline.rule(self.root)), [])

    def test_words_that_throw_or_allocate(self):
        for line in ("throw 1;", "auto* p = malloc(3);", "std::vector<int> v;", "free (p);", "dynamic_cast<int*>(p);"):
            with self.subTest(line):
                self.write("src/heapwright/base/bits.cpp", f"// The slow half.\n{line}\n")
                self.expect(check_discipline, "bits.cpp:2")

    def test_the_same_words_in_comments_and_sentences_are_fine(self):
        self.add("src/heapwright/base/bits.cpp", '// malloc(3) throws: throw\nconst char* text = "std::string";\n/* free(p)\n */ int thrower;\nvoid free() noexcept;\n')
        self.assertEqual(list(check_discipline.rule(self.root)), [])


class Tested(SmallTree):
    def test_a_header_without_a_test(self):
        os.remove(self.root / "tests/study/table/table_test.cpp")
        self.expect(check_tested, "table.hpp", "tests/study/table/table_test.cpp")


class Words(SmallTree):
    def test_paths_hosts_and_leftovers(self):
        for text in ("see /" + "work/main", "in /" + "root/x", "https://" + "registry.example.org/x", "// TO" + "DO later",
                     '"resolved": ' + '"https://x"', "shared/" + "craft.md"):
            with self.subTest(text):
                self.write("docs/page.md", f"A page.\n{text}\n")
                self.expect(check_words, "page.md:2")

    def test_work_left_over_with_its_issue_is_fine(self):
        self.write("docs/page.md", "TO" + "DO(#12) measure\n")
        self.assertEqual(list(check_words.rule(self.root)), [])


class Invariants(SmallTree):
    def test_a_reference_to_nothing(self):
        self.add("tests/alloc/pool/pool_test.cpp", "// also [pool/P2]\n")
        self.expect(check_invariants, "[pool/P2] names no invariant")

    def test_stated_but_never_executed(self):
        self.write("src/heapwright/alloc/pool/pool.hpp", POOL.replace('"P1: ', '"'))
        self.expect(check_invariants, "P1 is stated but never executed")

    def test_executed_but_not_stated(self):
        self.add("src/heapwright/study/table/table.hpp", '\ninline const char* broken() { return "T3: a row is short"; }\n')
        self.expect(check_invariants, "T3 is executed but not stated")


if __name__ == "__main__":
    unittest.main()
