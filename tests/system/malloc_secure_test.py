"""libheapwright-secure.so stops each fault with one line that names it, and sound programs do not notice it."""
import os
import signal
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
os.environ["HEAPWRIGHT_TEST_MALLOC"] = "libheapwright-secure.so"

from malloc_moments_test import Moments  # noqa: E402, F401
from malloc_programs_test import Programs, Redis  # noqa: E402, F401
from malloc_support import MallocTest, program, run  # noqa: E402

ADDRESS = r"0x[0-9a-f]+"
INSIDE = rf"free of a pointer that is no block: {ADDRESS} lies %s behind the start of a block of %s; pass the address that malloc returned"
TWICE = rf"%s of a block that was freed before: {ADDRESS} of up to \d+ bytes; look for a second free of the same block"
BEYOND = rf"%s of a block that was written beyond its end: {ADDRESS} of up to \d+ bytes; look for a write past what was asked for"
WRITTEN = rf"a write to a block that was freed: {ADDRESS} of up to \d+ bytes changed at byte %d; look for a pointer that is used after free"
SIZE = rf"sized delete with a wrong size: {ADDRESS} of %s was said to have %d; pass the size that was asked for"
NO_BLOCK = rf"free of a pointer that is no block: {ADDRESS} lies %s; look for .*"

FAULTS = {
    "double free": TWICE % "free",
    "double free of no bytes": TWICE % "free",
    "double free of a large block": NO_BLOCK % "in memory that is free",
    "double free in another thread": TWICE % "free",
    "double free after pressure": TWICE % "free",
    "double free in another thread after pressure": TWICE % "free",
    "realloc after free": TWICE % "realloc",
    "interior of a small block": INSIDE % ("8 bytes", "100 bytes"),
    "interior by an odd number": INSIDE % ("1 byte", "100 bytes"),
    "interior of a medium block": INSIDE % ("4096 bytes", "20000 bytes"),
    "interior of a large block": INSIDE % ("500000 bytes", "1048576 bytes"),
    "interior of a freed block": NO_BLOCK % "in memory that is free",
    "foreign, of the stack": NO_BLOCK % "outside the heap",
    "foreign, a global": NO_BLOCK % "outside the heap",
    "one byte too far": BEYOND % "free",
    "one byte too far, of an odd size": BEYOND % "free",
    "one byte too far, of one byte": BEYOND % "free",
    "one byte too far, of none": BEYOND % "free",
    "one byte too far, of a large block": BEYOND % "free",
    "one byte too far, at realloc": BEYOND % "realloc",
    "many bytes too far": BEYOND % "free",
    "write after free": WRITTEN % 32,
    "write after free, to the first byte": WRITTEN % 0,
    "write after free, to a medium block": WRITTEN % 29999,
    "write after free, at the end of a thread": WRITTEN % 100,
    "sized delete": SIZE % ("100 bytes", 3000),
    "sized delete of the same class": SIZE % ("100 bytes", 101),
    "aligned sized delete": SIZE % ("100 bytes", 50),
    "free_sized": SIZE % ("100 bytes", 300),
    "free_aligned_sized": SIZE % ("128 bytes", 256),
}


class Faults(MallocTest):
    def test_each_fault_of_the_program_has_a_line_here(self) -> None:
        listed = subprocess.run([program("malloc_faults")], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertEqual(sorted(listed), sorted(FAULTS))

    def test_each_is_stopped_with_one_line(self) -> None:
        self.check_served()
        for fault, line in FAULTS.items():
            for turn in range(5):  # the secret differs each time
                with self.subTest(fault=fault, turn=turn):
                    done = run("heapwright", program("malloc_faults"), fault)
                    self.assertEqual((done.returncode, done.stdout), (-signal.SIGABRT, b"before\n"), done.stderr.decode())
                    self.assertRegex(done.stderr.decode(), rf"^heapwright: {line}\n$")


class Plan(MallocTest):
    def test_a_plan_is_not_followed_and_that_is_said_once(self) -> None:
        path = self.folder / "memory.toml"
        path.write_text('[[site]]\nmodule = "00ff"\nreturns = [0x10]\nplace = "bump"\n' * 3)
        done = run("heapwright", "/bin/echo", "x", more={"HEAPWRIGHT_CONFIG": str(path)})
        self.assertEqual((done.returncode, done.stdout), (0, b"x\n"))
        self.assertEqual(done.stderr, b"heapwright: the hardened heap follows no placement plan; the [[site]] entries have no effect\n")
        path.write_text("[heap]\nbackground = false\n")
        self.assertEqual(run("heapwright", "/bin/echo", "x", more={"HEAPWRIGHT_CONFIG": str(path)}).stderr, b"")


class Meshing(MallocTest):
    def test_that_it_does_not_mesh_is_said_once(self) -> None:
        done = run("heapwright", "/bin/echo", "x", more={"HEAPWRIGHT_CONF": "compaction:mesh,mixed_spans:yes"})
        self.assertEqual((done.returncode, done.stdout), (0, b"x\n"))
        self.assertEqual(done.stderr, b"heapwright: the hardened heap shares no memory between spans; compaction has no effect\n")


class Conformance(MallocTest):
    def test_every_function_does_what_glibcs_does(self) -> None:
        # A wrong size told at delete is the one thing that it does not bear.
        done = run("heapwright", program("malloc_conformance"), "-does not believe a wrong size")
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text + done.stderr.decode())
        self.assertIn(", 0 failed, 0 functions not there", text)

    def test_eight_threads_that_hand_each_other_blocks(self) -> None:
        done = run("heapwright", program("malloc_faults"), "stress")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"0 blocks were not as they were left\n", b""))

    def test_blocks_do_not_come_in_the_order_of_their_addresses(self) -> None:
        ascending = [int(run("heapwright", program("malloc_faults"), "order").stdout) for _ in range(3)]
        for count in ascending:
            self.assertTrue(60 < count < 160, ascending)


if __name__ == "__main__":
    unittest.main()
