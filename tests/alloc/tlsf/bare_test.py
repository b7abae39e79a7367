"""The heap works without libc: a static program with a _start of its own, for x86-64, for i386 and for 32-bit ARM.

usage: bare_test.py COMPILER: ends with status 4, after saying what is missing, where a part could not run
"""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMPILER = sys.argv.pop(1) if len(sys.argv) > 1 else "g++"
SOURCES = [Path(__file__).with_name("bare.cpp"), ROOT / "src/heapwright/alloc/tlsf/misuse.cpp",
           *(ROOT / f"src/heapwright/base/{name}.cpp" for name in ("check", "error", "text"))]
FLAGS = ["-std=c++23", "-Os", "-DNDEBUG", "-ffreestanding", "-nostdlib", "-nostartfiles", "-static", "-fno-exceptions", "-fno-rtti",
         "-fno-stack-protector", "-fno-pic", "-no-pie", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
         "-fno-tree-loop-distribute-patterns", f"-I{ROOT / 'src'}"]
# Headers for 32 bits need packages of their own; those for 64 bits serve, but for a list of what libc lacks, which is empty.
HEADERS_64 = "/usr/include/x86_64-linux-gnu"
LARGEST_TEXT_BYTES = 3584


def build(folder, compiler, more=()):
    program = Path(folder) / "bare"
    done = subprocess.run([compiler, *FLAGS, *more, *map(str, SOURCES), "-o", str(program)], capture_output=True, text=True)
    return program, done


class BareTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_to_the_end(self, command):
        done = subprocess.run(command, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{command} ended with what its source says about {done.returncode}")

    def test_runs_on_64_bits(self):
        program, done = build(self.folder.name, COMPILER)
        self.assertEqual(done.returncode, 0, done.stderr)
        undefined = subprocess.run(["nm", "--undefined-only", program], capture_output=True, text=True, check=True).stdout
        self.assertEqual(undefined.strip(), "")
        self.run_to_the_end([program])

    def test_runs_on_32_bits(self):
        stubs = Path(self.folder.name) / "include" / "gnu" / "stubs-32.h"
        stubs.parent.mkdir(parents=True)
        stubs.touch()
        headers = [f"-I{HEADERS_64}/c++/12", f"-I{HEADERS_64}", f"-I{stubs.parents[1]}"]
        program, done = build(self.folder.name, COMPILER, ["-m32", *headers])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ELF 32-bit", subprocess.run(["file", "-b", program], capture_output=True, text=True, check=True).stdout
                      if shutil.which("file") else "ELF 32-bit")
        try:
            self.run_to_the_end([program])
        except OSError as error:
            emulator = shutil.which("qemu-i386") or shutil.which("qemu-i386-static")
            if emulator is None:
                self.skipTest(f"this kernel runs no 32-bit programs ({error}) and there is no qemu-i386")
            self.run_to_the_end([emulator, program])

    def test_runs_on_arm(self):
        compiler = shutil.which("arm-linux-gnueabihf-g++")
        emulator = shutil.which("qemu-arm") or shutil.which("qemu-arm-static")
        if compiler is None or emulator is None:
            self.skipTest("no compiler or no emulator for ARM (Debian: g++-arm-linux-gnueabihf, qemu-user)")
        program, done = build(self.folder.name, compiler, ["-mcpu=cortex-a7"])  # which divides 32-bit numbers by itself
        self.assertEqual(done.returncode, 0, done.stderr)
        described = subprocess.run(["readelf", "-h", program], capture_output=True, text=True, check=True).stdout
        self.assertRegex(described, r"Class: +ELF32[\s\S]*Machine: +ARM")
        self.run_to_the_end([emulator, program])

    def test_is_small(self):
        program, done = build(self.folder.name, COMPILER)
        self.assertEqual(done.returncode, 0, done.stderr)
        symbols = subprocess.run(["nm", "-CS", program], capture_output=True, text=True, check=True).stdout
        sizes = {name: int(size, 16) for size, name in re.findall(r"^[0-9a-f]+ ([0-9a-f]+) [tTwW] (heapwright::.*)$", symbols, re.M)
                 if "Tlsf" in name or "FreeLists" in name}
        audit = {name: size for name, size in sizes.items() if re.search("broken|is_sound|stats", name)}
        heap = {name: size for name, size in sizes.items() if name not in audit}
        print(f"text of the heap: {sum(heap.values())} bytes, of its audit and figures: {sum(audit.values())} bytes")
        self.assertGreater(sum(heap.values()), 500)
        self.assertLessEqual(sum(heap.values()), LARGEST_TEXT_BYTES, heap)


if __name__ == "__main__":
    outcome = unittest.main(verbosity=2, exit=False).result
    for test, reason in outcome.skipped:
        print(f"heapwright: {test.id()} did not run: {reason}")
    # A test that did not run is not a test that passed: CMakeLists.txt makes this status a skip that ctest lists.
    sys.exit(1 if not outcome.wasSuccessful() else 4 if outcome.skipped else 0)
