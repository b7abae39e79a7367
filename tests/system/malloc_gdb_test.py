"""GDB shows heapwright's heap, in a living process and in its core file."""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from malloc_support import HEAP, MallocTest, environment, run

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools/gdb/heapwright_gdb.py"
BUILD = Path(os.environ["HEAPWRIGHT_BUILD"])
HEADERS = ROOT / "src/heapwright/alloc/heap"
SKIPPED = 77
# Compiled without debug information: the scripts use that of the library alone.
PROGRAM = r"""
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *kept_block, *released_block, *crossed_block, *thread_block, *large_block, *mixed_block, *on_stack;
static char* sparse[60000];
static sem_t ready;

static void* work(void*) {
    crossed_block = static_cast<char*>(malloc(3000));
    thread_block = static_cast<char*>(malloc(3000));
    sem_post(&ready);
    while (true) pause();
}

// Spans of blocks of 96 bytes become room for blocks of 200.
static void change_mix() {
    for (int i = 0; i < 60000; ++i) sparse[i] = static_cast<char*>(malloc(96));
    for (int i = 0; i < 60000; ++i) if (i % 16 != 0) free(sparse[i]);
    for (int i = 0; i < 20000; ++i) mixed_block = static_cast<char*>(malloc(200));
}

int main() {
    char here = 0;
    change_mix();
    on_stack = &here;
    sem_init(&ready, 0, 0);
    pthread_t thread;
    pthread_create(&thread, nullptr, work, nullptr);
    sem_wait(&ready);
    kept_block = static_cast<char*>(malloc(300));  // the first of their size lie with those of 512 bytes
    released_block = static_cast<char*>(malloc(300));
    large_block = static_cast<char*>(malloc(1000000));
    memset(large_block, 1, 1000000);
    free(released_block);
    free(crossed_block);
    malloc_stats();
    abort();
}
"""


# Of each sixteen blocks one lives; their spans are meshed. `gone` was released before, `later` after that.
MESHED = r"""
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

char *kept, *gone, *later;

int main() {
    static char* blocks[40000];
    for (int i = 0; i < 40000; ++i) {
        blocks[i] = static_cast<char*>(malloc(256));
        memset(blocks[i], 1, 256);
    }
    for (int i = 0; i < 40000; ++i) {
        if (i % 16 != 0) free(blocks[i]);
    }
    malloc_trim(0);
    kept = blocks[8000], gone = blocks[8001], later = blocks[16000];
    free(later);
    malloc_stats();
    abort();
}
"""


def value(name: str) -> str:
    return f"*(unsigned long*)&{name}"


QUESTIONS = [f"heapwright block {value(name)}" for name in ("kept_block", "released_block", "crossed_block", "thread_block", "large_block", "on_stack", "mixed_block")]
QUESTIONS += [f"heapwright block {value('mixed_block')} + 100", f"heapwright block {value('kept_block')} + 17", f"heapwright block {value('large_block')} + 1000", "heapwright spans", "heapwright spans 3072",
              "heapwright spans 7", "heapwright statistics", "print heapwright::heap::g_region",
              f"print heapwright::heap::g_first_records[({value('kept_block')} - (unsigned long)heapwright::heap::g_first_base) >> 16]",
              f"print heapwright::heap::g_first_records[({value('large_block')} - (unsigned long)heapwright::heap::g_first_base) >> 16]"]
QUESTIONS += [f"print $heapwright_span({value('kept_block')} + 100)", f"print $heapwright_span({value('on_stack')})"]


def gdb(*arguments: str, commands: list[str]) -> str:
    words = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "set language c++", "-ex", f"source {SCRIPT}"]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run([*words, *arguments], env=environment("glibc"), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200, check=False)
    return done.stdout + done.stderr


def ask(questions: list[str]) -> list[str]:
    """Commands with a line before each, by which split() finds the answers."""
    return [line for number, question in enumerate(questions) for line in (f"echo \\n== {number}\\n", question)] + ["echo \\n== end\\n"]


def split(said: str) -> list[str]:
    answers = re.findall(r"\n== \d+\n(.*?)(?=\n== )", said, re.S)
    return [re.sub(r"\$\d+ = ", "", re.sub(r"thread \d+ \(LWP \d+\)", "a thread", answer.strip())) for answer in answers]


class Debugger(MallocTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.place = tempfile.TemporaryDirectory(prefix="heapwright-gdb-")
        cls.addClassCleanup(cls.place.cleanup)
        cls.program = f"{cls.place.name}/program"
        subprocess.run(["g++", "-x", "c++", "-O0", "-fno-builtin", "-", "-o", cls.program, "-pthread"], input=PROGRAM, text=True, check=True)
        cls.said = gdb(cls.program, commands=["set startup-with-shell off", f"set environment LD_PRELOAD={HEAP}", "run", *ask(QUESTIONS), "kill"])
        cls.answers = dict(zip(QUESTIONS, split(cls.said)))

    def answer(self, question: str) -> str:
        self.assertIn(question, self.answers, self.said)
        return self.answers[question]

    def about(self, name: str) -> list[str]:
        return self.answer(f"heapwright block {value(name)}").splitlines()

    def test_a_block_is_live_or_says_in_which_list_it_waits(self) -> None:
        self.assertEqual(self.about("kept_block")[1], "live")
        self.assertRegex(self.about("released_block")[1], "^free: at hand for the next malloc$")
        self.assertEqual(self.about("crossed_block")[1], "free: released by another thread, in whose outbox it waits")
        self.assertEqual(self.about("thread_block")[1], "live")
        self.assertRegex(self.about("large_block")[0], r"lies in a block of 1003520 bytes from 0x[0-9a-f]+, at 0$")
        self.assertRegex(self.about("on_stack")[0], "lies outside the heap$")

    def test_an_address_inside_a_block_is_found(self) -> None:
        self.assertRegex(self.answer(f"heapwright block {value('kept_block')} + 17"), r"lies in a block of 512 bytes from 0x[0-9a-f]+, at 17\nlive")
        self.assertIn("at 1000\nlive", self.answer(f"heapwright block {value('large_block')} + 1000"))

    def test_a_block_in_a_mixed_span_has_a_size_of_its_own(self) -> None:
        first, state, span = self.about("mixed_block")
        self.assertRegex(first, r"lies in a block of 208 bytes from 0x[0-9a-f]+, at 0$")
        self.assertEqual(state, "live")
        self.assertRegex(span, r"^span 0x[0-9a-f]+ +\d+ blocks of any size, mixed, of ")
        self.assertRegex(self.answer(f"heapwright block {value('mixed_block')} + 100"), r"lies in a block of 208 bytes from 0x[0-9a-f]+, at 100\nlive\n")

    def test_a_span_names_its_thread(self) -> None:
        main = re.search(r"== 0\n.*?(thread \d+)", self.said, re.S)[1]
        other = re.search(r"== 3\n.*?(thread \d+)", self.said, re.S)[1]
        self.assertEqual((main, other), ("thread 1", "thread 2"))
        self.assertIn("of a thread", self.answer("heapwright spans 3072"))

    def test_the_figures_are_those_of_malloc_stats(self) -> None:
        written = dict(re.findall(r"^(\w+) +(\d+)(?: bytes)? ", self.said, re.M))
        shown = dict(line.split() for line in self.answer("heapwright statistics").splitlines())
        self.assertGreater(len(shown), 10)
        for name, figure in shown.items():
            self.assertEqual(figure, written.get(name.removesuffix("_bytes")), name)
        self.assertEqual(shown["threads"], "2")
        table = [line.split() for line in self.answer("heapwright spans").splitlines()[1:] if line.endswith("%")]
        mixed = re.search(r"^mixed spans: (\d+), with (\d+) blocks of (\d+) bytes$", self.answer("heapwright spans"), re.M)
        self.assertEqual(sum(int(row[2]) for row in table) + int(mixed[2]), int(shown["small_blocks"]))
        self.assertGreater(int(mixed[3]), 208 * 10000)
        self.assertIn("large blocks: 1 in 16 slices", self.answer("heapwright spans"))
        self.assertIn("no span has blocks of 7 bytes", self.answer("heapwright spans 7"))

    def test_records_print_as_what_they_are(self) -> None:
        region, small, large, by_address, _ = (self.answer(question) for question in QUESTIONS[-5:])
        self.assertEqual(by_address, small)
        self.assertRegex(self.said, r"(?m)^heapwright: 0x[0-9a-f]+ lies outside the heap$")  # what goes wrong is not among the answers
        self.assertRegex(region, r"region at 0x[0-9a-f]+: \d+ MiB reserved, \d+ KiB committed, \d+ slices in spans, \d+ free, \d+ of them dirty")
        self.assertRegex(small, r"span of blocks of 512 bytes at 0x[0-9a-f]+: \d+ of 128 handed out, active")
        self.assertRegex(large, r"large block of 245 pages at 0x[0-9a-f]+")

    def test_free_blocks_of_spans_that_share_their_memory(self) -> None:
        more = {"HEAPWRIGHT_CONF": "compaction:mesh"}
        if run("heapwright", "/bin/true", more=more).stderr != b"":
            self.skipTest("this machine does not allow meshing")
        program = f"{self.place.name}/meshed"
        subprocess.run(["g++", "-x", "c++", "-O0", "-fno-builtin", "-", "-o", program], input=MESHED, text=True, check=True)
        questions = [f"heapwright block {value(name)}" for name in ("kept", "gone", "later")] + ["heapwright statistics"]
        said = gdb(program, commands=["set startup-with-shell off", f"set environment LD_PRELOAD={HEAP}", "set environment HEAPWRIGHT_CONF=compaction:mesh",
                                      "run", *ask(questions), "kill"])
        kept, gone, later, statistics = split(said)
        by_bit = "free: its span shares its memory with others, and a bit tells of it"
        self.assertEqual([answer.splitlines()[1] for answer in (kept, gone, later)], ["live", by_bit, by_bit], said)
        written = dict(re.findall(r"^(\w+) +(\d+)(?: bytes)? ", said, re.M))
        shown = dict(line.split() for line in statistics.splitlines())
        self.assertGreater(int(shown["meshed"]), 100)
        self.assertGreater(int(shown["shared_bytes"]), 1 << 20)
        for name, figure in shown.items():
            self.assertEqual(figure, written.get(name.removesuffix("_bytes")), name)

    def test_a_core_file_says_the_same(self) -> None:
        pattern = Path("/proc/sys/kernel/core_pattern").read_text()
        if pattern.startswith(("|", "/")):
            self.skipTest(f"this system takes core files away: its core_pattern is {pattern}")
        core_limit = (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2
        if core_limit[0] == 0:
            self.skipTest("this system allows no core files: the hard limit of their size is 0")
        done = run("heapwright", self.program, cwd=self.folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, core_limit))
        cores = list(self.folder.iterdir())
        self.assertEqual((done.returncode, len(cores)), (-signal.SIGABRT, 1))
        said = gdb(self.program, str(cores[0]), commands=ask(QUESTIONS))
        # Another run of the program: the same but for the addresses.
        self.assertEqual(*([re.sub("0x[0-9a-f]{9,}", "ADDRESS", answer) for answer in answers]
                           for answers in (split(said), [self.answer(question) for question in QUESTIONS])), said)

    def test_without_the_library_one_sentence_says_so(self) -> None:
        self.assertIn("heapwright: no heap: ", gdb(self.program, commands=["heapwright statistics"]))
        self.assertIn("heapwright: no address: ", gdb(self.program, commands=["heapwright block"]))

    def test_the_types_that_it_reads_are_in_what_keeps_its_debug_information(self) -> None:
        """A release is built with less than this build: only the files that ask for more describe types."""
        files = [entry for entry in json.loads((BUILD / "compile_commands.json").read_text())
                 if "/alloc/heap/" in entry["file"] and "-g2" in entry["command"].split()]
        objects = [str(Path(entry["directory"]) / re.search(r" -o (\S+)", entry["command"])[1]) for entry in files]
        script = "".join(path.read_text() for path in SCRIPT.parent.glob("*.py"))
        names = set(re.findall(r"lookup_type\((?:SPACE \+ )?\"(?:heapwright::heap::)?([A-Z]\w+)\"\)", script))
        for listed in re.findall(r"lookup_type\([^)]*\bname\b.*? in \(([^)]*)\)", script) + re.findall(r"lookup_type\(f\"[^)]*\).*? in \(([^)]*)\)", script):
            names |= set(re.findall(r"\"(\w+)\"", listed))
        self.assertLessEqual({"Span", "Region", "ThreadCache", "HeapCore", "ThreadState", "MeshRecord", "MeshGroup", "MixedRecord", "Place"}, names)
        for name in names:
            said = [gdb(object_file, commands=[f"print sizeof(heapwright::heap::{name})"]) for object_file in objects]
            self.assertTrue(any(re.search(r"^\$1 = \d+$", line, re.M) for line in said), f"no file with -g2 has {name}")

    def test_the_script_and_the_headers_agree(self) -> None:
        script = (SCRIPT.parent / "heapwright_memory.py").read_text()
        header = (HEADERS / "detail/span.hpp").read_text()
        owners = dict(re.findall(r"constexpr std::uintptr_t k(\w+) = (\d+);", header))
        names = ("Free", "Abandoned", "AskBit", "HandBits", "Interior", "Large", "Metadata", "Nobody")
        self.assertIn(f"= {', '.join(owners[name] for name in names)}\n", script)
        states = re.findall(r"^    (\w+), ", header.split("enum class SpanState")[1].split("};")[0], re.M)
        self.assertIn(f"STATES = ({', '.join(chr(34) + state + chr(34) for state in states)})\n", script)
        self.assertIn(f"WANTS_NOTICE = {owners['WantsNotice']}\n", script)
        self.assertIn("kSliceBytes = std::size_t{64} << 10;", (HEADERS / "size_class.hpp").read_text())
        self.assertIn("SLICE_BYTES = 64 << 10\n", script)


if __name__ == "__main__":
    if shutil.which("gdb") is None:
        print("skipped: gdb is not installed")
        sys.exit(SKIPPED)
    unittest.main()
