"""MemorySanitizer sees into the allocators: a block that was given counts as never written, whatever lay there before.

usage: memory_sanitizer_test.py: ends with status 4 where clang++-19 or its run-time library is missing.
"""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("HEAPWRIGHT_SOURCE", Path(__file__).resolve().parents[2]))
COMPILER = "clang++-19"
PROGRAM = """
#include <array>
#include <cstddef>
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>
using namespace heapwright;
alignas(65536) std::array<std::byte, 1 << 20> room{};
alignas(16) std::array<std::byte, 1 << 16> other{};
struct Room {
    void* try_allocate(Layout layout) noexcept { void* p = at; at += align_up(layout.size, layout.alignment); return p; }
    void deallocate(void*, Layout) noexcept {}
    std::byte* at = room.data();
};
volatile int seen = 0;
int read(const int* at) { if (*at != 0) { seen = seen + 1; } return seen; }
int main(int count, char** words) {
    Room source;
    Pool pool{Layout::of<int>(), source, {.leaks = Leaks::forget}};
    Arena arena{std::span<std::byte>{other}};
    Tlsf heap;
    static std::array<std::byte, 65536> region{};
    if (!heap.add_region(region)) { return 9; }
    const char what = count > 1 ? words[1][0] : ' ';
    int* block = nullptr;
    for (int round = 0; round < 2; ++round) {  // the second time it is a block that was used before
        switch (what) {
            case 'p': block = static_cast<int*>(pool.allocate()); break;
            case 'a': block = static_cast<int*>(arena.allocate(Layout::of<int>())); break;
            case 't': block = static_cast<int*>(heap.allocate(Layout::of<int>())); break;
            default: block = &arena.create<int>(7);
        }
        if (round == 0) {
            *block = 1;
            if (what == 'p') { pool.deallocate(block); }
            if (what == 'a') { arena.reset(); }
            if (what == 't') { heap.deallocate(block); }
        }
    }
    return read(block) > 100;
}
"""


class MemorySanitizer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = Path(cls.folder.name) / "program"
        sources = [SOURCE / "src/heapwright" / name for name in ("base/check.cpp", "base/text.cpp", "alloc/pool/misuse.cpp", "alloc/tlsf/misuse.cpp")]
        command = [COMPILER, "-std=c++23", "-O1", "-g1", "-fsanitize=memory", f"-I{SOURCE / 'src'}", "-x", "c++", "-", *map(str, sources),
                   "-o", str(cls.program)]
        built = subprocess.run(command, input=PROGRAM, text=True, capture_output=True, check=False)
        if "cannot find" in built.stderr or "no such file" in built.stderr.lower():
            print(f"memory_sanitizer_test.py: skipped: {built.stderr.splitlines()[0]}")
            sys.stdout.flush()
            os._exit(4)
        assert built.returncode == 0, built.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_with(self, word):
        return subprocess.run([str(self.program), word], capture_output=True, text=True, check=False)

    def test_what_was_written_may_be_read(self):
        done = self.run_with("object")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_block_that_came_back_and_was_given_again_counts_as_never_written(self):
        for word in ("arena", "pool", "tlsf"):
            with self.subTest(word):
                done = self.run_with(word)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("use-of-uninitialized-value", done.stderr)


if __name__ == "__main__":
    if subprocess.run(["which", COMPILER], capture_output=True, check=False).returncode != 0:
        print(f"memory_sanitizer_test.py: skipped: no {COMPILER} here")
        sys.exit(4)
    unittest.main()
