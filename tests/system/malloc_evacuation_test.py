"""A program that moves its own blocks as the malloc says has little more memory than its blocks; C programs can use the header."""
import subprocess
import unittest
from pathlib import Path

from malloc_support import MallocTest, program, run

HEADERS = Path(__file__).resolve().parents[2] / "src"
LIVE_KIB = 600_000 // 16 * 64 // 1024


class Evacuation(MallocTest):
    def test_what_should_move_moves_and_the_memory_goes_back(self) -> None:
        word, kib = run("heapwright", program("moving_store")).stdout.decode().splitlines()
        self.assertEqual(word, "moved")
        # The list of its blocks is 4.7 MiB of that.
        self.assertLess(int(kib.split()[0]), LIVE_KIB * 2 + 4800 + 2048)

    def test_the_same_program_runs_on_a_malloc_that_does_not_say(self) -> None:
        word, kib = run("glibc", program("moving_store")).stdout.decode().splitlines()
        self.assertEqual(word, "this malloc does not say")
        self.assertGreater(int(kib.split()[0]), LIVE_KIB * 8, "there was nothing to gain: the test above says nothing")

    def test_the_header_is_c(self) -> None:
        source = self.folder / "main.c"
        source.write_text("#include <heapwright/malloc.h>\n"
                          "int main(void) { struct heapwright_evacuation none = {0, 0, 0, 0}; return (int)none.blocks; }\n")
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(HEADERS), str(source), "-o",
                        str(self.folder / "main")], check=True)


if __name__ == "__main__":
    unittest.main()
