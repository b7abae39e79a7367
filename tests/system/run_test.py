"""heapwright run: the program's status, signals, input and output are its own, whatever the memory.toml says."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from run_support import HEAPWRIGHT, LIB, PYTHON, RunTest, environment, free_port, wait_for

SCRIPT = r"""
for i in 1 2 3; do (echo "child $i"; exit $i); echo "status $?"; done
exec awk 'BEGIN { for (i = 0; i < 50000; i++) a[i] = i "x"; print length(a) }'
"""


class Run(RunTest):
    def check_same(self, words: list, text: str = "", **options) -> None:
        config = self.config(text)
        ours = self.tool("run", "--config", config, "--", *words, **options)
        theirs = self.plain(*words, **options)
        self.assertEqual((ours.returncode, ours.stdout, ours.stderr), (theirs.returncode, theirs.stdout, theirs.stderr))

    def test_output_and_status_are_those_of_the_plain_program(self) -> None:
        sql = "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)" \
              " insert into t select i, hex(i) from n; select count(*), sum(length(b)) from t;"
        python = "import json, sys; x = [str(i) * 5 for i in range(50000)]; print(len(json.dumps(x))); print('e', file=sys.stderr); sys.exit(7)"
        for text in ("", '[heap]\npurge_delay = "10ms"\n', "[fragmentation]\nmonitor_enabled = true\nanalysis_interval = \"10ms\"\n"):
            with self.subTest(config=text):
                self.check_same(["sqlite3", ":memory:", sql], text)
                self.check_same([PYTHON, "-c", python], text)
                self.check_same(["/bin/sh", "-c", SCRIPT], text)
                self.check_same(["/bin/false"], text)

    def test_input_reaches_the_program(self) -> None:
        done = subprocess.run([HEAPWRIGHT, "run", "--", "/bin/cat"], env=environment(), input=b"some\0bytes" * 10000, capture_output=True, check=False, timeout=60)
        self.assertEqual(done.stdout, b"some\0bytes" * 10000)

    def test_the_program_ends_by_the_signal_that_it_ends_by(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
            done = self.tool("run", "--", "/bin/sh", "-c", f"ulimit -c 0; kill -{number.value} $$")
            self.assertEqual(done.returncode, -number)

    def test_signals_of_others_reach_it_because_it_is_the_process_itself(self) -> None:
        program = self.begin(HEAPWRIGHT, "run", "--", PYTHON, "-c",
                             "import os, signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: sys.exit(9))\nprint(os.getpid(), flush=True)\nsignal.pause()",
                             stdout=subprocess.PIPE)
        self.assertEqual(int(program.stdout.readline()), program.pid)
        program.send_signal(signal.SIGUSR1)
        self.assertEqual(program.wait(timeout=60), 9)

    def test_each_strategy_puts_its_library_and_its_settings_in(self) -> None:
        cases = [("heapwright", "libheapwright.so", "", ""), ("heapwright-secure", "libheapwright-secure.so", "", ""), ("glibc", "", '"arena_max=2"', "MALLOC_ARENA_MAX=2"),
                 ("mimalloc", "libmimalloc", '"purge_delay=0"', "MIMALLOC_PURGE_DELAY=0"), ("jemalloc", "libjemalloc", '"narenas=2", "tcache=false"', "MALLOC_CONF=narenas:2,tcache:false"),
                 ("tcmalloc", "libtcmalloc", "", ""), ("tbbmalloc", "libtbbmalloc", "", "")]
        for name, library, settings, variable in cases:
            with self.subTest(strategy=name):
                config = self.config(f'[allocator]\nstrategy = "{name}"\nsettings = [{settings}]\n')
                done = self.tool("run", "-c", config, "--", "/bin/cat", "/proc/self/maps", "/proc/self/environ")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(library.encode(), done.stdout)
                self.assertIn(variable.encode(), done.stdout)
                self.assertEqual(library == "", b"LD_PRELOAD" not in done.stdout)

    def test_without_a_custom_allocator_the_program_is_as_it_was(self) -> None:
        config = self.config('[allocator]\nenable_custom_allocator = false\nstrategy = "jemalloc"\n')
        done = self.tool("run", "-c", config, "--", "/bin/cat", "/proc/self/maps", "/proc/self/environ")
        for word in (b"LD_PRELOAD", b"jemalloc", b"HEAPWRIGHT_CONFIG", b"libheapwright"):
            self.assertNotIn(word, done.stdout)

    def test_the_heap_takes_its_settings_from_the_file_and_single_ones_from_the_other_variable(self) -> None:
        grow = "x = bytearray(200 << 20)"
        config = self.config('[heap]\nlimit = "64MiB"\nreserve = "2GiB"\n')
        done = self.tool("run", "-c", config, "--", PYTHON, "-c", grow)
        self.assertIn(b"MemoryError", done.stderr)
        done = self.tool("run", "-c", config, "--", PYTHON, "-c", grow, more={"HEAPWRIGHT_CONF": "limit:1GiB"})
        self.assertEqual(done.returncode, 0, done.stderr)
        config = self.config("[heap]\nstatistics_at_exit = true\nreserve = \"2GiB\"\n")
        done = self.tool("run", "-c", config, "--", "/bin/ls", "/")
        self.assertRegex(done.stderr, rb"reserved +214\d+ bytes")

    def figures_after_freeing(self, text: str, seconds: float) -> tuple:
        """Resident MiB at once and after a while, and the threads then, of a program that freed 120 MiB of small blocks."""
        code = ("import ctypes, os, time\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
                "blocks = [libc.malloc(2000) for _ in range(60000)]\nfor block in blocks: libc.free(ctypes.c_void_p(block))\n"
                "resident = lambda: int(open('/proc/self/statm').read().split()[1]) >> 8\n"
                f"first = resident()\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end and resident() > first - 80: time.sleep(0.01)\n"
                "print(first, resident(), len(os.listdir('/proc/self/task')))")
        done = self.tool("run", "-c", self.config(text), "--", PYTHON, "-c", code)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return tuple(int(word) for word in done.stdout.split())

    def test_when_memory_goes_back_and_who_sees_to_it_stand_in_the_file(self) -> None:
        first, last, threads = self.figures_after_freeing('[heap]\npurge_delay = "100ms"\n', 30)
        self.assertGreater(first - last, 80)
        self.assertEqual(threads, 2)
        first, last, _ = self.figures_after_freeing('[heap]\npurge_delay = "1h"\n', 0.5)
        self.assertLess(first - last, 20)
        first, last, threads = self.figures_after_freeing('[heap]\npurge_delay = "50ms"\nbackground = false\n', 0.5)
        self.assertLess(first - last, 20)  # nobody frees, so nobody looks at the clock
        self.assertEqual(threads, 1)

    def test_huge_pages_are_asked_for_or_refused_as_the_file_says(self) -> None:
        code = "x = bytearray(1 << 20)\nprint(open('/proc/self/smaps').read())"
        flags = {}
        for wish in ("default", "always", "never"):
            done = self.tool("run", "-c", self.config(f'[heap]\nhuge_pages = "{wish}"\n'), "--", PYTHON, "-c", code)
            self.assertEqual(done.returncode, 0, done.stderr)
            words = [word for line in done.stdout.decode().splitlines() if line.startswith("VmFlags:") for word in line.split()]
            flags[wish] = ("hg" in words, "nh" in words)
        self.assertEqual((flags["always"][0], flags["never"][1]), (True, True))
        self.assertEqual((flags["default"][0], flags["never"][0], flags["always"][1]), (False, False, False))

    def test_the_same_through_one_variable(self) -> None:
        config = self.config("[heap]\nstatistics_at_exit = true\n")
        by_hand = subprocess.run(["/bin/echo", "x"], capture_output=True, check=False, timeout=60,
                                 env=environment(HEAPWRIGHT_CONFIG=config, LD_PRELOAD=str(LIB / "libheapwright.so")))
        self.assertEqual(by_hand.stdout, b"x\n")
        self.assertIn(b"peak_active", by_hand.stderr)
        shown = self.tool("run", "--show", "-c", config).stdout.decode().splitlines()
        self.assertEqual(shown, [f"HEAPWRIGHT_CONFIG={config}", f"LD_PRELOAD={(LIB / 'libheapwright.so').resolve()}"])
        self.assertIn(b"peak_active", self.tool("run", "--", "/bin/true", more={"HEAPWRIGHT_CONFIG": config}).stderr)

    def test_figures_at_exit_are_json_where_the_file_says_so(self) -> None:
        config = self.config('[heap]\nstatistics_at_exit = true\nstatistics_format = "json"\n')
        self.assertIn("peak_active_bytes", json.loads(self.tool("run", "-c", config, "--", "/bin/true").stderr))

    def test_a_file_with_mistakes_is_refused_by_run_and_harmless_in_the_variable(self) -> None:
        config = self.config("[heap]\nlimti = 3\npurge_delay = 10\n")
        done = self.tool("run", "-c", config, "--", "/bin/echo", "x")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertEqual(len(done.stderr.splitlines()), 2)
        for broken in (config, str(self.folder / "missing.toml"), str(self.folder), "/dev/zero", "/dev/null/x"):
            by_hand = subprocess.run(["/bin/echo", "x"], capture_output=True, check=False, timeout=60,
                                     env=environment(HEAPWRIGHT_CONFIG=broken, LD_PRELOAD=str(LIB / "libheapwright.so")))
            self.assertEqual((by_hand.returncode, by_hand.stdout), (0, b"x\n"))
            self.assertEqual(len(by_hand.stderr.splitlines()), 1, by_hand.stderr)
            self.assertIn(b"the program runs with the defaults", by_hand.stderr)

    def test_what_cannot_be_served_is_refused(self) -> None:
        text = self.folder / "notes.txt"
        text.write_text("no program")
        text.chmod(0o755)
        cases = [(str(text), b"neither an ELF program nor a script"), ("/nowhere/at/all", b"there is no such file"), ("/sbin/ldconfig", b"cannot run '/sbin/ldconfig': it is statically linked")]
        for program, sentence in cases:
            done = self.tool("run", "--", program)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(sentence, done.stderr)
        self.assertEqual(self.tool("run").returncode, 2)
        if os.geteuid() == 0:
            copy = self.folder / "setuid"
            shutil.copy("/bin/true", copy)
            os.chown(copy, 65534, 65534)
            copy.chmod(0o4755)
            self.assertIn(b"it is setuid or setgid", self.tool("run", "--", str(copy)).stderr)
        glibc = self.config('[allocator]\nstrategy = "glibc"\n')
        self.assertEqual(self.tool("run", "-c", glibc, "--", "/sbin/ldconfig", "--version").returncode, 0)  # nothing is preloaded

    def test_an_allocator_setting_that_is_none_is_refused(self) -> None:
        config = self.config('[allocator]\nstrategy = "jemalloc"\nsettings = ["narena=2"]\n')
        done = self.tool("run", "-c", config, "--", "/bin/true")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cannot run with 'jemalloc:narena=2': jemalloc has no setting 'narena'; did you mean 'narenas'?", done.stderr)

    def test_a_server_serves_and_ends_as_it_does_plain(self) -> None:
        answers = []
        for prefix in ([], [HEAPWRIGHT, "run", "-c", self.config("[fragmentation]\nmonitor_enabled = true\nanalysis_interval = \"50ms\"\nenable_auto_defragmentation = true\n"), "--"]):
            port = free_port()
            server = self.begin(*prefix, "redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1", cwd=self.folder, stdout=subprocess.DEVNULL)

            def ask(*words: str) -> bytes:
                return subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, check=False, timeout=60).stdout
            wait_for("redis to answer", lambda: ask("ping") == b"PONG\n")
            answers.append([ask("eval", "for i = 1, 20000 do redis.call('set', 'k' .. i, string.rep('v', i % 100)) end return redis.call('dbsize')", "0"),
                            ask("bgsave"), ask("get", "k77"), ask("flushall"), ask("dbsize")])
            server.send_signal(signal.SIGTERM)
            answers[-1].append(server.wait(timeout=60))
        self.assertEqual(answers[0], answers[1])


if __name__ == "__main__":
    unittest.main()
