"""`heapwright doctor` on live programs: what it says of their memory is what they know themselves, and what a trim then gives back."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from doctor_support import DEBIAN, KIB, LIB, MIB, DoctorTest, Victim, doctor


class Glibc(DoctorTest):
    """The figures of glibc's malloc against what the program itself knows, and against what a trim then really gives back."""

    def check_victim(self, *words: str, **more) -> dict:
        victim = Victim(self, *words, **more)
        before = victim.say("facts")
        look = self.look(victim.pid)
        after = victim.say("facts")
        self.assertEqual(before["rss"], after["rss"], "looking at the program changed it")
        self.assertEqual(look["allocator"], "glibc")
        self.assertLessEqual(look["uncertain"], 8 * KIB if "command" in more else 0)  # a static program's heap begins with no chunk
        self.check_near(look["rss"], after["rss"], 0.0, 64 * KIB, "rss")
        self.check_near(look["live"], after["held"], 0.01, 256 * KIB, "live")
        # mallinfo2() counts what threads cache, headers and arenas as in use, and whole chunks.
        in_use = look["live"] - look["live_mapped"] + look["thread_cached"] + look["metadata"]
        self.check_near(in_use, after["used"], 0.01, 256 * KIB, "in use")
        given_back = after["rss"] - victim.say("trim")["rss"]
        self.check_near(look["trimmable"], given_back, 0.05, 64 * KIB, "given back")
        return look

    def test_a_heap_whose_pages_are_pinned(self) -> None:
        look = self.check_victim("pinned", "4", "60000")
        self.assertEqual(look["verdict"]["kind"], "fragmentation")
        self.assertGreater(look["pinned_free"], look["rss"] // 2)

    def test_a_heap_that_keeps_whole_pages(self) -> None:
        look = self.check_victim("runs", "4", "60000")
        self.assertEqual(look["verdict"]["kind"], "retention")
        self.assertIn("malloc_trim", look["verdict"]["fix"])

    def test_ends_of_thread_arenas_that_no_trim_reaches(self) -> None:
        look = self.check_victim("freed", "4", "60000")
        self.assertEqual(look["verdict"]["kind"], "retention")
        self.assertGreater(look["kept_free"], 10 * look["trimmable"])
        self.assertIn("MALLOC_ARENA_MAX=1", look["verdict"]["fix"])
        self.assertEqual(self.check_victim("freed", "4", "60000", MALLOC_ARENA_MAX="1")["kept_free"], 0)

    def test_a_heap_in_use(self) -> None:
        self.assertEqual(self.check_victim("kept", "3", "60000")["verdict"]["kind"], "healthy")
        self.assertEqual(self.check_victim("tiny", "1", "500000")["verdict"]["kind"], "healthy")

    def test_many_chunks_in_fast_bins(self) -> None:
        self.assertGreater(self.check_victim("fast", "3", "200000")["fast_blocks"], 100_000)

    def test_mixed_and_large_blocks(self) -> None:
        self.check_victim("random", "3", "20000")
        self.check_victim("mixed", "3", "4000")
        self.assertGreater(self.check_victim("large", "2", "200")["live_mapped"], 10 * MIB)

    def test_many_arenas(self) -> None:
        look = self.check_victim("random", "12", "3000", MALLOC_ARENA_MAX="64")
        self.assertEqual(len(look["arenas"]), 12)
        self.assertEqual(look["thread_caches"], 12)

    def test_settings_of_malloc(self) -> None:
        for tunables in ("glibc.malloc.tcache_count=0", "glibc.malloc.tcache_count=200", "glibc.malloc.mxfast=0", "glibc.malloc.perturb=7",
                         "glibc.malloc.top_pad=1000000", "glibc.malloc.hugetlb=1"):
            with self.subTest(tunables):
                self.check_victim("pinned", "2", "20000", GLIBC_TUNABLES=tunables)

    def test_a_static_program(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        source = Path(os.environ["HEAPWRIGHT_SOURCE"]) / "tests/programs/doctor_victim.cpp"
        subprocess.run(["g++", "-std=c++20", "-O1", "-fno-builtin", "-static", "-pthread", "-o", folder / "static", source], check=True)
        self.check_victim("runs", "3", "30000", command=(str(folder / "static"),))

    def test_random_heaps(self) -> None:
        seed = int(os.environ.get("HEAPWRIGHT_SEED", random.randrange(1 << 30)))
        print(f"HEAPWRIGHT_SEED={seed}", file=sys.stderr)
        chance = random.Random(seed)
        for _ in range(6):
            words = (chance.choice(("pinned", "runs", "freed", "fast", "random", "mixed")), str(chance.randint(1, 6)), str(chance.randint(500, 9000)))
            with self.subTest(words):
                self.check_victim(*words, MALLOC_ARENA_MAX=str(chance.randint(1, 8)))

    def test_python(self) -> None:
        script = ("import ctypes,sys\n"
                  "def facts():\n"
                  "    rss=next(int(l.split()[1]) for l in open('/proc/self/smaps_rollup') if l.startswith('Rss:'))\n"
                  "    print('rss',rss*1024,flush=True)\n"
                  "libc=ctypes.CDLL(None)\n"
                  "blocks=[b'x'*(600+i%900) for i in range(60000)]\n"
                  "blocks=[b for i,b in enumerate(blocks) if i%4000<300]\n"
                  "facts()\n"
                  "for line in sys.stdin:\n"
                  "    line.strip()=='trim' and libc.malloc_trim(0)\n"
                  "    facts()\n")
        victim = Victim(self, command=("/usr/bin/python3", "-c", script))
        before = victim.say("facts")
        look = self.look(victim.pid)
        self.check_near(look["rss"], before["rss"], 0, 64 * KIB, "rss")
        self.assertEqual(look["verdict"]["kind"], "retention")
        self.check_near(look["trimmable"], before["rss"] - victim.say("trim")["rss"], 0.05, 128 * KIB, "given back")

    def test_sqlite(self) -> None:
        process = subprocess.Popen(["sqlite3", ":memory:"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        process.stdin.write("create table t(a,b);\nwith recursive n(i) as (select 1 union all select i+1 from n where i<40000) "
                            "insert into t select i, hex(randomblob(100)) from n;\nselect 'made';\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline().strip(), "made")
        full = self.look(process.pid)
        self.assertGreater(full["live"], 40000 * 200)
        process.stdin.write("delete from t where a > 100;\nvacuum;\nselect 'deleted';\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline().strip(), "deleted")
        empty = self.look(process.pid)
        self.assertLess(empty["live"], full["live"] // 2)


class Families(DoctorTest):
    def test_what_a_master_started_is_named(self) -> None:
        script = ("import os,sys,time\n"
                  "for number in range(3):\n"
                  "    if os.fork() == 0:\n"
                  "        if number == 0 and os.fork() == 0:\n"
                  "            held = b'x' * (30 << 20)\n"
                  "            print('held', flush=True)\n"
                  "        time.sleep(600)\n"
                  "for line in sys.stdin:\n"
                  "    print('on', flush=True)\n")
        master = subprocess.Popen(["/usr/bin/python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(master.communicate)
        self.addCleanup(os.killpg, master.pid, signal.SIGKILL)
        self.assertEqual(master.stdout.readline(), "held\n")
        look = self.look(master.pid)
        started = look["descendants"]
        self.assertEqual(len(started), 4, started)
        self.assertGreater(started[0]["rss"], 30 * MIB)
        self.assertEqual([process["rss"] for process in started], sorted((process["rss"] for process in started), reverse=True))
        self.assertIn(f"heapwright doctor {started[0]['pid']}", look["verdict"]["fix"])
        self.assertIn("it is one of 5 processes", " ".join(doctor(master.pid).stdout.split()))
        self.assertEqual(self.look(started[0]["pid"])["descendants"], [])


class OtherAllocators(DoctorTest):
    def test_heapwrights_malloc_by_its_own_tables(self) -> None:
        for library in ("libheapwright.so", "libheapwright-secure.so"):
            for shape in ("pinned", "kept", "random", "large"):
                with self.subTest(library=library, shape=shape):
                    victim = Victim(self, shape, "3", "200" if shape == "large" else "15000", preload=str(LIB / library))
                    look = self.look(victim.pid)
                    self.assertEqual(look["allocator"], "heapwright")
                    self.assertFalse(look["estimate"])
                    slack = 6 * MIB if "secure" in library else 512 * KIB  # what it holds back is live to who looks from outside
                    self.check_near(look["live"], victim.first["held"], 0.02, slack, "live")

    def test_spans_that_share_their_memory(self) -> None:
        looks = {}
        for compaction in ("off", "mesh"):
            victim = Victim(self, "pinned", "1", "60000", preload=str(LIB / "libheapwright.so"), HEAPWRIGHT_CONF=f"compaction:{compaction}")
            victim.say("trim")
            looks[compaction] = self.look(victim.pid)
        # Free blocks of such spans are in no list; what nobody touched since is in memory, but not mapped.
        self.check_near(looks["mesh"]["live_blocks"], looks["off"]["live_blocks"], 0.01, 20, "live blocks")
        self.assertLessEqual(looks["mesh"]["live"], looks["off"]["live"] + 64 * KIB)

    def test_a_program_that_keeps_its_peak_gives_back_under_heapwright(self) -> None:
        victim = Victim(self, "freed", "3", "60000", preload=str(LIB / "libheapwright.so"))
        for _ in range(100):  # its clock gives back after half a second
            look = self.look(victim.pid)
            if look["trimmable"] < 2 * MIB:
                break
            time.sleep(0.1)
        self.assertLess(look["trimmable"], 2 * MIB)
        self.assertLess(look["live"], MIB)

    def test_others_are_estimated_and_say_so(self) -> None:
        for library, name in (("libjemalloc.so.2", "jemalloc"), ("libtcmalloc_minimal.so.4", "tcmalloc"), ("libmimalloc.so.2", "mimalloc")):
            with self.subTest(name):
                victim = Victim(self, "pinned", "2", "20000", preload=str(DEBIAN / library))
                look = self.look(victim.pid)
                self.assertEqual((look["allocator"], look["estimate"]), (name, True))
                for part in ("live", "thread_cached", "trimmable", "pinned_free"):
                    self.assertIsNone(look[part])
                self.assertGreater(look["other_anonymous"] + look["lazy_free"], MIB)
                self.assertEqual(look["verdict"]["kind"], "unknown")
                done = doctor(victim.pid)
                self.assertIn("ESTIMATE", done.stdout)
                self.assertIn(name, done.stderr)

    def redis(self, **more: str) -> int:
        """A server with some keys; its process."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        place = os.path.join(folder, "socket")
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", place, "--save", "", "--dir", folder, "--enable-debug-command", "yes"],
                                  stdout=subprocess.DEVNULL, env={**os.environ, **more})
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        for _ in range(200):
            if subprocess.run(["redis-cli", "-s", place, "ping"], capture_output=True, check=False).stdout.strip() == b"PONG":
                break
            time.sleep(0.05)
        said = subprocess.run(["redis-cli", "-s", place, "debug", "populate", "20000", "key", "500"], capture_output=True, check=True).stdout
        self.assertEqual(said.strip(), b"OK")
        return server.pid

    def test_redis(self) -> None:
        look = self.look(self.redis())
        self.assertEqual(look["name"], "redis-server")
        self.assertGreater(look["rss"], 15 * MIB)
        self.assertIn(look["allocator"], ("jemalloc", "glibc"))

    def test_a_preload_goes_before_the_malloc_that_a_program_is_linked_with(self) -> None:
        look = self.look(self.redis(LD_PRELOAD=str(LIB / "libheapwright.so")))  # redis writes its title over its environment
        self.assertEqual((look["allocator"], look["estimate"]), ("heapwright", False))
        self.assertGreater(look["live"], 10 * MIB)

    @unittest.skipIf(shutil.which("musl-gcc") is None, "no musl-gcc here: Debian's package musl-tools")
    def test_programs_with_musl(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "hold.c").write_text("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) {"
                                       " for (int i = 0; i < 20000; ++i) { memset(malloc(500), 1, 500); }"
                                       " puts(\"ready\"); fflush(stdout); getchar(); }\n", encoding="utf-8")
        for kind, allocator in (("-static", "unknown"), ("-dynamic", "musl")):
            with self.subTest(kind):
                program = folder / f"hold{kind}"
                subprocess.run(["musl-gcc", "-O1", "-fno-builtin", *([kind] if kind == "-static" else []), "-o", program, folder / "hold.c"], check=True)
                victim = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self.addCleanup(victim.communicate)
                self.assertEqual(victim.stdout.readline(), b"ready\n")
                look = self.look(victim.pid)
                self.assertEqual((look["allocator"], look["estimate"]), (allocator, True))
                self.assertGreater(look["other_anonymous"], 20_000 * 500)
                self.assertIn("statically linked" if kind == "-static" else "musl", look["caveat"])

    def test_musl_and_unknown_programs(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        # No musl is installed with most systems: a program that maps a file of its loader's name stands for one.
        (folder / "ld-musl-x86_64.so.1").write_bytes(b"\0" * 8192)
        (folder / "bare.s").write_text(".globl _start\n_start: mov $34,%eax\n syscall\n jmp _start\n", encoding="utf-8")
        (folder / "map.c").write_text("#include <fcntl.h>\n#include <stdio.h>\n#include <sys/mman.h>\nint main(int c, char **w) { (void)c;"
                                      " volatile char *p = mmap(0, 8192, PROT_READ, MAP_PRIVATE, open(w[1], O_RDONLY), 0);"
                                      " puts(p[0] ? \"x\" : \"ready\"); fflush(stdout); getchar(); }\n", encoding="utf-8")
        subprocess.run(["gcc", "-static", "-o", folder / "map", folder / "map.c"], check=True)
        musl = subprocess.Popen([folder / "map", folder / "ld-musl-x86_64.so.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(musl.communicate)
        musl.stdout.readline()
        look = self.look(musl.pid)
        self.assertEqual((look["allocator"], look["estimate"]), ("musl", True))
        for bits in ("-m64", "-m32"):
            program = folder / f"bare{bits}"
            text = (folder / "bare.s").read_text(encoding="utf-8")
            if bits == "-m32":
                (folder / "bare.s").write_text(text.replace("$34", "$29").replace("syscall", "int $0x80"), encoding="utf-8")
            subprocess.run(["gcc", bits, "-nostdlib", "-static", "-o", program, folder / "bare.s"], check=True)
            bare = subprocess.Popen([program])
            self.addCleanup(bare.wait)
            self.addCleanup(bare.kill)
            while os.readlink(f"/proc/{bare.pid}/exe") != str(program):
                time.sleep(0.01)
            look = self.look(bare.pid)
            self.assertEqual((look["allocator"], look["estimate"]), ("unknown", True))
            self.assertIn("32-bit" if bits == "-m32" else "statically linked", look["caveat"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
