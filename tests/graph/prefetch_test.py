"""A breadth-first walk asks for rows and targets ahead of time: without that, half of the loop is waiting for memory.

usage: prefetch_test.py COMPILER
"""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("HEAPWRIGHT_SOURCE", Path(__file__).resolve().parents[2]))
COMPILER = sys.argv.pop() if len(sys.argv) > 1 else "g++"
PROGRAM = """
#include <vector>
#include <heapwright/graph/breadth_first.hpp>
#include <heapwright/graph/frozen_graph.hpp>
#include <heapwright/graph/graph.hpp>
using namespace heapwright;
extern "C" std::size_t frozen(const graph::FrozenGraph& graph, SourceRef memory) {
    return graph::levels_from(graph, 0, memory)->size();
}
extern "C" std::size_t changing(const graph::Graph& graph, SourceRef memory) {
    return graph::levels_from(graph, 0, memory)->size();
}
extern "C" std::size_t rows_of_rows(const std::vector<std::vector<std::uint32_t>>& graph, SourceRef memory) {
    return graph::levels_from(graph, 0, memory)->size();
}
"""


class Prefetch(unittest.TestCase):
    def counts(self, level):
        # Flattened, so that what a walk asks for is in the function that is named here.
        program = PROGRAM.replace('extern "C"', 'extern "C" __attribute__((flatten))')
        command = [COMPILER, "-std=c++23", level, "-DNDEBUG", f"-I{SOURCE / 'src'}", "-S", "-x", "c++", "-o", "-", "-"]
        assembly = subprocess.run(command, input=program, text=True, capture_output=True, check=True).stdout
        functions = dict(re.findall(r"^(\w+):[^\n]*\n(.*?)^\s*\.size\s+\1,", assembly, re.M | re.S))
        return {name: len(re.findall(r"\bprefetch", text)) for name, text in functions.items()}

    def test_rows_and_targets_are_asked_for_and_the_compiler_does_not_drop_either(self):
        for level in ("-O2", "-O3"):
            with self.subTest(level):
                counts = self.counts(level)
                self.assertGreaterEqual(counts["frozen"], 2)
                self.assertGreaterEqual(counts["changing"], 2)
                self.assertEqual(counts["rows_of_rows"], 0)


if __name__ == "__main__":
    unittest.main()
