"""The probes of libheapwright.so are those of its manual where the build has them, and they fire with the arguments told there."""
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from malloc_support import HEAP, MallocTest, environment

MANUAL = Path(__file__).resolve().parents[2] / "docs/manual/libheapwright.md"
HAS_PROBES = "HEAPWRIGHT_HAS_USDT:INTERNAL=1" in (Path(os.environ["HEAPWRIGHT_BUILD"]) / "CMakeCache.txt").read_text()
PROGRAM = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static void* work(void*) { return malloc(100); }

int main() {
    free(malloc(5 << 20));
    void* volatile refused = malloc(SIZE_MAX / 4);
    pthread_t thread;
    pthread_create(&thread, nullptr, work, nullptr);
    pthread_join(thread, nullptr);
    malloc_trim(0);
    return refused != nullptr;
}
"""
# In the order of the program: the probe, the argument that is looked at, its value.
EXPECTED = (("span_taken", 1, 5 << 20), ("span_given", 1, 5 << 20), ("refused", 0, (1 << 62) - 1), ("thread_joined", 1, 0), ("thread_left", 1, 0),
            ("purge", 1, 0))


def documented() -> dict[str, int]:
    """The probes of the manual, with the number of their arguments."""
    part = MANUAL.read_text().split("\n## Probes\n")[1].split("\n## ")[0]
    return {name: arguments.count(",") + 1 for name, arguments in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", part, re.M)}


class Probes(MallocTest):
    def test_they_are_those_of_the_manual(self) -> None:
        notes = subprocess.run(["readelf", "--wide", "--notes", HEAP], capture_output=True, text=True, check=True).stdout
        found = re.findall(r"Provider: heapwright\n +Name: (\w+)\n.*\n +Arguments: (.*)\n", notes)
        # A build without <sys/sdt.h> must have none.
        self.assertEqual({name: len(arguments.split()) for name, arguments in found}, documented() if HAS_PROBES else {})
        self.assertEqual(len(documented()), 6)

    @unittest.skipUnless(HAS_PROBES, "this build has no probes: <sys/sdt.h> of systemtap-sdt-dev was not found")
    @unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
    def test_they_fire(self) -> None:
        program = str(self.folder / "program")
        subprocess.run(["g++", "-x", "c++", "-O0", "-fno-builtin", "-", "-o", program, "-pthread"], input=PROGRAM, text=True, check=True)
        words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off"]
        commands = ["set startup-with-shell off", f"set environment LD_PRELOAD={HEAP}", "set environment HEAPWRIGHT_CONF=background:no", "break main", "run"]
        for name, argument, _ in EXPECTED:
            commands += [f"tbreak -probe-stap heapwright:{name}", "continue", f'printf "\\n== {name} %lu\\n", $_probe_arg{argument}']
        done = subprocess.run([*words, *(word for command in commands for word in ("-ex", command)), program], env=environment("glibc"),
                              capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual([(name, int(value)) for name, value in re.findall(r"^== (\w+) (\d+)$", done.stdout, re.M)],
                         [(name, value) for name, _, value in EXPECTED], done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
