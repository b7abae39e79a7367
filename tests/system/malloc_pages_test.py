"""How little of libheapwright.so is in the memory of a small program: its code is laid out by use (apps/preload_malloc/sections.ld)."""
import re
import subprocess
import unittest

from malloc_support import HEAP, MallocTest, environment

SCRIPT = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); x="$x$i"; done; ls / | wc -l; cat /proc/$$/smaps; i=0'  # the shell itself stays to the end


def sections() -> dict[str, range]:
    """The offsets in the file of each section."""
    text = subprocess.run(["readelf", "--wide", "--section-headers", HEAP], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"\] (\.\S+) +\w+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)", text)
    return {name: range(int(offset, 16), int(offset, 16) + int(size, 16)) for name, offset, size in found}


def resident(smaps: str, section: range) -> int:
    """KiB in memory of the mapping that the section lies in; between two there may be one that nobody can read."""
    pattern = rf"^([0-9a-f]+)-([0-9a-f]+) r\S+ ([0-9a-f]+) \S+ \d+ +{re.escape(HEAP)}\n(?:.*\n)*?Rss: +(\d+) kB"
    for begin, end, offset, kib in re.findall(pattern, smaps, re.M):
        first = int(offset, 16)
        if section.start in range(first, first + int(end, 16) - int(begin, 16)):
            return int(kib)
    raise AssertionError(f"no mapping has offset {section.start:#x}:\n{smaps}")


@unittest.skipUnless(".text_rare" in sections(), "the linker of this build lays out nothing: it is not GNU ld")
class Pages(MallocTest):
    def test_a_shell_has_no_rare_code_and_no_constants_in_memory(self) -> None:
        done = subprocess.run(["sh", "-c", SCRIPT], env=environment("heapwright"), capture_output=True, text=True, timeout=100, check=True)
        places = sections()
        self.assertEqual(resident(done.stdout, places[".text_rare"]), 0)
        self.assertEqual(resident(done.stdout, places[".rodata"]), 0)
        # What it uses is there, and what lies beside that in the same mapping is not much more.
        self.assertGreater(resident(done.stdout, places[".text_heap"]), 0)
        self.assertLessEqual(resident(done.stdout, places[".text"]), 12)


if __name__ == "__main__":
    unittest.main()
