"""What the malloc_*_test.py scripts share: programs run on glibc's malloc and on heapwright's."""
import ctypes
import mmap
import os
import resource
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

LIB = Path(os.environ["HEAPWRIGHT_LIB"])
PROGRAMS = Path(os.environ["HEAPWRIGHT_BUILD"]) / "tests"
HEAP = str(LIB / os.environ.get("HEAPWRIGHT_TEST_MALLOC", "libheapwright.so"))  # malloc_secure_test.py chooses the other
# That glibc passes what glibc is not compared in is shown once, by the scripts of libheapwright.so.
PROVED = ("glibc", "heapwright") if "HEAPWRIGHT_TEST_MALLOC" not in os.environ else ("heapwright",)
SETTINGS = {"HEAPWRIGHT_CONF": os.environ["HEAPWRIGHT_TEST_CONF"]} if "HEAPWRIGHT_TEST_CONF" in os.environ else {}  # mesh_proof_test.py has some
MALLOCS = {"glibc": {}, "heapwright": {"LD_PRELOAD": HEAP, **SETTINGS}}


def program(name: str) -> str:
    return str(PROGRAMS / name)


def environment(malloc: str, **more) -> dict:
    kept = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "HEAPWRIGHT_CONF")}
    return {**kept, "LC_ALL": "C.UTF-8", **MALLOCS[malloc], **more}


def names_mappings() -> bool:
    """Whether this kernel gives names to anonymous mappings."""
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    set_vma, anon_name = 0x53564D41, 0
    return ctypes.CDLL(None).prctl(set_vma, anon_name, ctypes.c_ulong(address), ctypes.c_ulong(mmap.PAGESIZE), b"probe") == 0


def limit_addresses(mib: int):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
    return limit


def run(malloc: str, *words: str, more: dict | None = None, **options) -> subprocess.CompletedProcess:
    return subprocess.run(words, env=environment(malloc, **(more or {})), capture_output=True, check=False,
                          timeout=options.pop("timeout", 280), stdin=options.pop("stdin", subprocess.DEVNULL), **options)


class MallocTest(unittest.TestCase):
    """Each test has a folder of its own, removed afterwards."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="heapwright-malloc-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def check_served(self) -> None:
        """The library is really in the programs: a test that ran on glibc twice would prove nothing."""
        done = run("heapwright", "/bin/cat", "/proc/self/maps")
        self.assertIn(Path(HEAP).name.encode(), done.stdout)
        if names_mappings():
            self.assertIn(b"[anon:heapwright", done.stdout)

    def check_equal(self, ours, theirs, what: str = "") -> None:
        """As assertEqual, but long texts that differ are not compared letter by letter, which takes hours."""
        if ours == theirs:
            return
        if isinstance(ours, (list, tuple)) and len(ours) == len(theirs):
            for one, other in zip(ours, theirs):
                self.check_equal(one, other, what)
        mine, yours = (text if isinstance(text, (str, bytes)) else repr(text) for text in (ours, theirs))
        at = next((at for at, (one, other) in enumerate(zip(mine, yours)) if one != other), min(len(mine), len(yours)))
        self.fail(f"{what}: heapwright's and glibc's differ from {at} on: {mine[max(at - 60, 0):at + 200]!r} and {yours[max(at - 60, 0):at + 200]!r}")
