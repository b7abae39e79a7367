"""Placement plans on unmodified programs: less memory is held back, and nothing else changes."""
import json
import os
import re
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from malloc_support import HEAP, MallocTest, environment, program, run
from plan_support import build_id, every_site, returns, site, site_through

LIFETIMES = program("lifetimes")
HEAPWRIGHT = str(Path(os.environ["HEAPWRIGHT_BIN"]) / "heapwright")
PYTHON = "/usr/bin/python3"
SQL = """create table t(id integer primary key, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, 'name ' || (i * 7919 % 10007) from n;
create index by_name on t(name);
select name, count(*) c from t group by name order by c desc, name limit 5;
delete from t where id % 3 = 0; vacuum; pragma integrity_check;"""
SCRIPT = """
import json, re, sqlite3, zlib
words = [f"word {i * 7919 % 10007}" for i in range(40000)]
table = {word: [i, word.upper()] for i, word in enumerate(words)}
text = json.dumps(table, sort_keys=True)
base = sqlite3.connect(":memory:")
base.execute("create table t(a, b)")
base.executemany("insert into t values(?, ?)", enumerate(words))
print(zlib.crc32(text.encode()), len(re.findall("9[0-9]", text)), base.execute("select count(*), max(b) from t").fetchall())
"""


class Placement(MallocTest):
    def with_plan(self, plan: str, *words: str, **more):
        path = self.folder / "memory.toml"
        path.write_text(plan)
        return run("heapwright", *words, more={"HEAPWRIGHT_CONFIG": str(path), **more})

    def figures(self, stderr: bytes) -> dict:
        """{place: (blocks, live blocks, chunk bytes)} of the statistics at exit."""
        table = stderr.decode().split("\nplace  ")[1].splitlines()[1:]
        rows = (re.match(r"(.+?)\s+(pool|bump|heap)\s+(\d+)/(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s", line) for line in table)
        return {row[1]: (int(row[5]), int(row[6]), int(row[8])) for row in rows if row}

    def site_figures(self, stderr: bytes) -> list:
        """The table of entries: a dictionary each."""
        head, *lines = stderr.decode().split("\nsite  ")[1].splitlines()
        names = ["site", "place", "kind", *re.split(r"\s{2,}", head.strip())[2:]]
        rows = [dict(zip(names, re.split(r"\s+", line.replace("live bytes", "live_bytes")))) for line in lines]
        return [{key: int(value) if value.isdigit() else value for key, value in row.items()} for row in rows]

    def test_what_stays_after_the_peak_is_what_lives(self) -> None:
        plan = (site(LIFETIMES, "bump", "malloc", "make_passing", name="passing") +
                site(LIFETIMES, "pool", "malloc", "make_lasting", name="lasting"))
        done = self.with_plan(plan, LIFETIMES, "peak")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        planned = json.loads(done.stdout)
        unplanned = json.loads(run("heapwright", LIFETIMES, "peak").stdout)
        self.assertLessEqual(planned["after"], 1.3 * planned["live"], planned)
        self.assertGreater(unplanned["after"], 3 * planned["after"], "the blocks of this program are no problem without a plan")

    def test_threads_and_forked_children_share_the_places(self) -> None:
        for passing, lasting in (("bump", "pool"), ("heap", "bump"), ("bump", "bump")):
            with self.subTest(passing=passing, lasting=lasting):
                plan = (site(LIFETIMES, passing, "malloc", "make_passing", name="a") +
                        site(LIFETIMES, lasting, "malloc", "make_lasting", name="b"))
                done = self.with_plan("[heap]\nstatistics_at_exit = true\n" + plan, LIFETIMES, "threads")
                self.assertEqual(done.returncode, 0, done.stderr)
                found = self.figures(done.stderr)
                self.assertEqual(found["b"][0], 20 * 4000)
                self.assertEqual(found["a"][0], 20 * (16000 + 4 * 2000))
                # In spans, what others freed counts as live until the owner takes it home.
                for name, place in (("a", passing), ("b", lasting)):
                    self.assertEqual(found[name][1] if place == "bump" else 0, 0)

    def test_callers_behind_a_wrapper_are_told_apart(self) -> None:
        for mode, passing in (("wrapped", "make_wrapped_passing"), ("framed", "make_framed")):
            with self.subTest(mode=mode):
                plan = (site(LIFETIMES, "bump", "malloc", "make_wrapped", passing, name="passing") +
                        site(LIFETIMES, "pool", "malloc", "make_wrapped", "make_wrapped_lasting", name="lasting"))
                done = self.with_plan("[heap]\nstatistics_at_exit = true\n" + plan, LIFETIMES, mode)
                planned, found = json.loads(done.stdout), self.figures(done.stderr)
                self.assertLessEqual(planned["after"], 1.3 * planned["live"], planned)
                self.assertGreater(found["passing"][0], 10 * found["lasting"][0])
                self.assertGreater(found["lasting"][0], 10_000)
                # A third frame that is not there: nothing is meant.
                deeper = re.sub(r"(returns = .*)\]", r"\1, 1]", plan)
                found = self.figures(self.with_plan("[heap]\nstatistics_at_exit = true\n" + deeper, LIFETIMES, mode).stderr)
                self.assertEqual((found["passing"][0], found["lasting"][0]), (0, 0))

    def test_callers_behind_a_library_are_told_apart(self) -> None:
        wrapper = program("wrapper.so")
        plan = "[heap]\nstatistics_at_exit = true\n" + "".join(
            site_through(place, name, (wrapper, "malloc", "make_in_library"), (LIFETIMES, "make_in_library", f"make_{name}_in_library"))
            for name, place in (("passing", "bump"), ("lasting", "pool")))
        done = self.with_plan(plan, LIFETIMES, "through_library")
        planned, found = json.loads(done.stdout), self.figures(done.stderr)
        self.assertLessEqual(planned["after"], 1.3 * planned["live"], planned)
        self.assertGreater(found["passing"][0], 10 * found["lasting"][0])
        self.assertGreater(found["lasting"][0], 10_000)
        sites = self.site_figures(done.stderr)
        self.assertEqual([(row["place"], row["blocks"]) for row in sites], [("passing", found["passing"][0]), ("lasting", found["lasting"][0])])
        self.assertEqual(sites[0]["won"], found["passing"][0], "all of them were freed")
        # Another build of the caller: nothing is meant, and one line says so.
        other = plan.replace(f"{build_id(LIFETIMES)}+", f"{'f' * 40}+")
        done = self.with_plan(other, LIFETIMES, "through_library")
        self.assertIn("was made for another build of 'lifetimes': 2 of its entries have no effect", done.stderr.decode())
        self.assertEqual([row["blocks"] for row in self.site_figures(done.stderr)], [0, 0])

    def test_a_caller_that_is_loaded_late_is_found(self) -> None:
        wrapper, late = program("wrapper.so"), program("late_caller.so")
        plan = "[heap]\nstatistics_at_exit = true\n" + site_through("bump", "late", (wrapper, "malloc", "make_in_library"),
                                                                    (late, "make_in_library", "plugin_entry"))
        done = self.with_plan(plan, LIFETIMES, "plugin", late)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertGreaterEqual(self.figures(done.stderr)["late"][0], 49)  # the first call is how it is noticed

    def test_sizes_outside_the_range_are_not_meant(self) -> None:
        plan = "[heap]\nstatistics_at_exit = true\n" + site(LIFETIMES, "pool", "malloc", "make_lasting", name="small", max_bytes=100)
        found = self.figures(self.with_plan(plan, LIFETIMES, "peak").stderr)
        plan = plan.replace("max_bytes = 100", "max_bytes = 1000")
        everything = self.figures(self.with_plan(plan, LIFETIMES, "peak").stderr)
        self.assertTrue(0 < found["small"][0] < everything["small"][0], (found, everything))

    def test_a_library_that_is_loaded_late_is_found(self) -> None:
        plugin = program("plugin.so")
        plan = "[heap]\nstatistics_at_exit = true\n" + site(plugin, "bump", "malloc", "plugin_entry", name="late")
        done = self.with_plan(plan, LIFETIMES, "plugin", plugin)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertGreaterEqual(self.figures(done.stderr)["late"][0], 49)  # the first call is how it is noticed

    def test_a_plan_for_another_build_is_one_line_and_nothing_else(self) -> None:
        plan = site(LIFETIMES, "bump", "malloc", "make_passing")
        other = re.sub(r'module = "..', 'module = "ff', plan)
        plain = run("heapwright", LIFETIMES, "threads")
        done = self.with_plan(other, LIFETIMES, "threads")
        self.assertEqual((done.returncode, done.stdout), (plain.returncode, plain.stdout))
        self.assertEqual(done.stderr.decode(), "heapwright: the placement plan was made for another build of 'lifetimes': 1 of its entries "
                         "have no effect; record this build and let heapwright advise again\n")
        # Another program, which the plan says nothing of, and which does not say anything of the plan.
        self.assertEqual(self.with_plan(plan, "/bin/echo", "x").stderr, b"")
        # Without the file's name nobody can tell a library that is not loaded yet; a plan of which nothing is there is told.
        self.assertIn("none of its 1 entries", self.with_plan(re.sub("file.*\n", "", other), "/bin/echo", "x").stderr.decode())

    def test_programs_say_the_same_whatever_the_plan(self) -> None:
        programs = [(PYTHON, (PYTHON, "-c", SCRIPT), None)]
        if sqlite := shutil.which("sqlite3"):
            programs.append((sqlite, (sqlite, ":memory:"), SQL.encode()))
        for binary, words, text in programs:
            linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
            files = [str(Path(binary).resolve())] + [str(Path(path).resolve()) for path in re.findall(r"=> (/\S*(?:sqlite|python)\S*)", linked)]
            expected = subprocess.run(words, input=text, env=environment("glibc"), capture_output=True, check=True)
            for places in (["bump"], ["pool", "bump", "heap", "default"]):
                with self.subTest(program=binary, places=places):
                    path = self.folder / "memory.toml"
                    path.write_text("".join(self.sites(file, places) for file in files) + "\n[heap]\nstatistics_at_exit = true\n")
                    done = subprocess.run(words, input=text, capture_output=True, check=False, timeout=120,
                                          env=environment("heapwright", HEAPWRIGHT_CONFIG=str(path)))
                    self.assertEqual((done.returncode, done.stdout), (0, expected.stdout), done.stderr[-2000:])
                    self.assertGreater(sum(row[0] for row in self.figures(done.stderr).values()), 1000)

    @staticmethod
    def sites(file: str, places: list) -> str:
        try:
            return every_site(file, places)
        except AssertionError:  # nothing in it calls malloc
            return ""

    def test_doctor_knows_the_blocks_of_a_plan_from_outside(self) -> None:
        path = self.folder / "memory.toml"
        path.write_text(site(LIFETIMES, "bump", "malloc", "make_passing", name="a") + site(LIFETIMES, "pool", "malloc", "make_lasting", name="b"))
        with subprocess.Popen([LIFETIMES, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=environment("heapwright", HEAPWRIGHT_CONFIG=str(path))) as victim:
            self.assertEqual(victim.stdout.readline(), b"ready\n")
            done = subprocess.run([HEAPWRIGHT, "doctor", "--json", str(victim.pid)], capture_output=True, check=False, timeout=60)
            victim.communicate(b"\n", timeout=60)
            self.assertEqual(victim.returncode, 0)
        found = json.loads(done.stdout)
        live = 20_000 * 208  # 10000 in a bump place, 10000 in spans
        self.assertTrue(live * 0.95 < found["live"] < live * 1.1 + (1 << 20), found)
        # 20000 freed blocks of 208 bytes lie together in chunks, which went back to the heap whole.
        self.assertGreater(found["trimmable"] + found["pinned_free"] + found["thread_cached"], 20_000 * 208 * 0.8, found)

    def test_the_monitor_shows_every_place(self) -> None:
        path, figures = self.folder / "memory.toml", self.folder / "figures.json"
        path.write_text(f'[monitor]\njson_file = "{figures}"\nmetrics_file = "{figures}.prom"\n[fragmentation]\nanalysis_interval = "20ms"\n' +
                        site(LIFETIMES, "bump", "malloc", "make_passing", name="a") + site(LIFETIMES, "pool", "malloc", "make_lasting", name="b"))
        with subprocess.Popen([LIFETIMES, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=environment("heapwright", HEAPWRIGHT_CONFIG=str(path))) as victim:
            self.assertEqual(victim.stdout.readline(), b"ready\n")
            end = time.monotonic() + 60
            seen = []
            while time.monotonic() < end and [place["live_blocks"] for place in seen] != [10_000, 10_000]:
                time.sleep(0.02)
                page = json.loads(figures.read_text()) if figures.exists() else {"places": []}
                seen = page["places"]
            metrics = Path(f"{figures}.prom").read_text()
            victim.communicate(b"\n", timeout=60)
        self.assertEqual([(place["name"], place["kind"], place["blocks"], place["live_blocks"]) for place in seen],
                         [("a", "bump", 30_000, 10_000), ("b", "pool", 10_000, 10_000)])
        self.assertRegex(metrics, r'heapwright_place_bets_won_total\{place="a",kind="bump"\} \d+\n')
        first, second = page["sites"]
        self.assertEqual([(row["place"], row["blocks"], row["live_blocks"]) for row in (first, second)], [("a", 30_000, 10_000), ("b", 10_000, 10_000)])
        self.assertEqual(first["bets_won"], 20_000, first)
        self.assertTrue(0 < first["chunks_held_back"] <= seen[0]["chunks"], first)
        self.assertRegex(metrics, r'heapwright_site_blocks_total\{site="lifetimes\+0x[0-9a-f]+",place="a",kind="bump"\} 30000\n')
        self.assertRegex(metrics, r'heapwright_site_live_blocks\{site="lifetimes\+0x[0-9a-f]+",place="b",kind="pool"\} 10000\n')

    def test_a_program_tells_the_place_itself(self) -> None:
        source = self.folder / "told.py"
        source.write_text("""
import ctypes
c = ctypes.CDLL(None)
c.heapwright_malloc_at.restype = c.heapwright_realloc_at.restype = c.heapwright_calloc_at.restype = ctypes.c_void_p
for name in ("heapwright_realloc_at", "free", "malloc_usable_size"):
    getattr(c, name).argtypes = [ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t] if "at" in name else [ctypes.c_void_p]
bump = c.heapwright_add_place(2, b"told")
print(bump, c.heapwright_add_place(2, b"told"), c.heapwright_add_place(9, b"x"), c.heapwright_follow_plan())
block = c.heapwright_malloc_at(bump, 100)
print(c.malloc_usable_size(block), block % 16)
block = c.heapwright_realloc_at(bump, block, 5000)
print(c.malloc_usable_size(block))
c.free(block)
""")
        done = run("heapwright", PYTHON, str(source), more={"HEAPWRIGHT_CONF": "statistics_at_exit:yes"})
        self.assertEqual(done.stdout.decode().split("\n")[0], "1 1 0 1", done.stderr)
        self.assertEqual(done.stdout.decode().split("\n")[1:3], ["104 0", "5000"])
        self.assertIn("told", done.stderr.decode())

    def test_the_library_is_the_one_that_is_tested(self) -> None:
        self.assertEqual(len(returns(LIFETIMES, "malloc", "make_passing")), 1)
        self.assertTrue(Path(HEAP).exists())


if __name__ == "__main__":
    unittest.main()
