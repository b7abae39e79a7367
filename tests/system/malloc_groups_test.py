"""In a control group near its limit, what is free goes back before more is taken; and little is charged that is not used.

The first needs a group of its own: root, and control groups of version 1 or 2 that may be written. Where there are none the
script says so and ends with 77; the same is tested without a group in tests/alloc/heap/limits_test.cpp.
"""
import os
import subprocess
import sys
import unittest
from pathlib import Path

from malloc_support import MallocTest, environment, program

LIMIT = 96 << 20
SKIPPED = 77
ROOT = Path("/sys/fs/cgroup")


class Group:
    """A control group whose memory is limited."""

    def __init__(self) -> None:
        version_1 = ROOT / "memory"
        parent, limit = (version_1, "memory.limit_in_bytes") if version_1.is_dir() else (ROOT, "memory.max")
        self.folder = parent / f"heapwright-test-{os.getpid()}"
        self.folder.mkdir()
        try:
            (self.folder / limit).write_text(str(LIMIT))
            swap = self.folder / ("memory.memsw.limit_in_bytes" if version_1.is_dir() else "memory.swap.max")
            if swap.exists():
                swap.write_text(str(LIMIT if version_1.is_dir() else 0))
        except OSError:
            self.close()
            raise

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def close(self) -> None:
        self.folder.rmdir()


class Groups(MallocTest):
    def test_free_memory_goes_back_before_the_group_is_full(self) -> None:
        group = Group()
        self.addCleanup(group.close)
        ended = {malloc: subprocess.run([program("holes")], env=environment(malloc), capture_output=True, preexec_fn=group.enter,
                                        check=False, timeout=120) for malloc in ("glibc", "heapwright")}
        self.assertEqual(ended["heapwright"].stdout, b"40 blocks fit\n", ended["heapwright"])
        # Otherwise the limit is no limit here, and the line above says nothing.
        self.assertEqual(ended["glibc"].returncode, -9, "glibc's malloc fits as well: the group does not limit anything")


class Accounts(MallocTest):
    def test_little_is_writable_that_is_not_used(self) -> None:
        """What vm.overcommit_memory=2 charges is every private writable mapping."""
        script = ("total = 0\n"
                  "for line in open('/proc/self/maps'):\n"
                  "    span, rights = line.split()[:2]\n"
                  "    low, high = (int(word, 16) for word in span.split('-'))\n"
                  "    total += high - low if rights[1] == 'w' and rights[3] == 'p' else 0\n"
                  "print(total)")
        charged = {malloc: int(subprocess.run(["/usr/bin/python3", "-c", script], env=environment(malloc), capture_output=True,
                                              check=True, timeout=120).stdout) for malloc in ("glibc", "heapwright")}
        self.assertLess(charged["heapwright"], charged["glibc"] + (8 << 20), charged)


if __name__ == "__main__":
    try:
        Group().close()
    except OSError as error:
        print(f"no control group can be made here: {error}; its test is left out")
        del Groups
        result = unittest.main(exit=False).result
        sys.exit(SKIPPED if result.wasSuccessful() else 1)
    unittest.main()
