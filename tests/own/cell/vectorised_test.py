"""A loop over a row that is held by distance adds several numbers at once, as a loop over plain pointers does.

usage: vectorised_test.py COMPILER
"""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("HEAPWRIGHT_SOURCE", Path(__file__).resolve().parents[3]))
COMPILER = sys.argv.pop() if len(sys.argv) > 1 else "g++"
PROGRAM = """
#include <cstdint>
#include <heapwright/own/cell/self_ptr.hpp>
struct Header { heapwright::SelfSpan<const std::uint32_t> row; heapwright::SelfPtr<const std::uint32_t> first; };
extern "C" std::uint32_t plain_sum(const std::uint32_t* at, const std::uint32_t* end) {
    std::uint32_t sum = 0;
    for (; at != end; ++at) { sum += *at; }
    return sum;
}
extern "C" std::uint32_t span_sum(const Header& header) {
    std::uint32_t sum = 0;
    for (const std::uint32_t number : header.row) { sum += number; }
    return sum;
}
extern "C" std::uint32_t pointer_sum(const Header& header, std::size_t size) {
    std::uint32_t sum = 0;
    const std::uint32_t* const first = header.first.get();
    for (std::size_t index = 0; index < size; ++index) { sum += first[index]; }
    return sum;
}
"""


class Vectorised(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = [COMPILER, "-std=c++23", "-O3", "-DNDEBUG", f"-I{SOURCE / 'src'}", "-S", "-x", "c++", "-o", "-", "-"]
        assembly = subprocess.run(command, input=PROGRAM, text=True, capture_output=True, check=True).stdout
        cls.functions = dict(re.findall(r"^(\w+):[^\n]*\n(.*?)^\s*\.size\s+\1,", assembly, re.M | re.S))

    def test_a_plain_pointer_is_vectorised_so_that_this_test_sees_something(self):
        self.assertRegex(self.functions["plain_sum"], r"\bv?paddd\b")

    def test_a_span_by_distance_is_vectorised(self):
        self.assertRegex(self.functions["span_sum"], r"\bv?paddd\b")

    def test_a_pointer_by_distance_taken_once_is_vectorised(self):
        self.assertRegex(self.functions["pointer_sum"], r"\bv?paddd\b")


if __name__ == "__main__":
    unittest.main()
