"""Each system call by which the heap gets memory is refused once, and from some on all: no block is lost, and who gets none is told so."""
import subprocess
import sys
import unittest

from malloc_support import LIB, MallocTest, environment, program

SKIPPED = 77
LIBRARIES = ("libheapwright.so", "libheapwright-secure.so")


def play(library: str, refused: int, how: str) -> subprocess.CompletedProcess:
    # The library is for the program alone: env starts it.
    words = [program("refused_calls"), str(refused), how, "/usr/bin/env", f"LD_PRELOAD={LIB / library}", program("bearing")]
    return subprocess.run(words, env=environment("glibc"), capture_output=True, text=True, check=False, timeout=200)


class RefusedCalls(MallocTest):
    def check(self, library: str, refused: int, how: str) -> int:
        done = play(library, refused, how)
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{library}: call {refused}, {how}")
        return int(done.stdout)

    def test_each_call_is_refused_once(self) -> None:
        for library in LIBRARIES:
            calls = self.check(library, 0, "one")
            self.assertGreater(calls, 10, library)
            for refused in range(1, calls + 1):
                self.check(library, refused, "one")

    def test_all_calls_are_refused_from_one_on(self) -> None:
        for library in LIBRARIES:
            calls = self.check(library, 0, "one")
            for refused in range(3, calls, max(calls // 3, 1)):
                self.check(library, refused, "on")


if __name__ == "__main__":
    if play("libheapwright.so", 0, "one").returncode == SKIPPED:
        print("this kernel lets no process answer for another's system calls")
        sys.exit(SKIPPED)
    unittest.main()
