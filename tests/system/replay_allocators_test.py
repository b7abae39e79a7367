"""Real recordings through real allocators: figures that make sense, and failures that cost one trial and one sentence."""
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from replay_support import FOLDER, HEAPWRIGHT, INSTALLED, Recorded, ask, run


def metric(trial: dict, name: str) -> float:
    return trial["metrics"][name]["median"]


class Allocators(Recorded):
    def test_every_installed_allocator_replays_a_program_of_many_threads(self) -> None:
        trace = self.plant("arenas")
        comparison = ask("replay", trace)
        labels = [trial["label"] for trial in comparison["trials"]]
        self.assertEqual(labels[0], "glibc")
        for name, file in INSTALLED.items():
            if (FOLDER / file).exists():
                self.assertIn(name, labels)
        self.assertIn("heapwright", labels)  # our own, found beside the tool
        for trial in comparison["trials"]:
            self.assertNotIn("failure", trial)
            self.assertGreaterEqual(trial["runs"], 3)
            self.assertGreater(metric(trial, "peak RSS"), 6 << 20)
            self.assertGreaterEqual(metric(trial, "peak RSS"), metric(trial, "mean RSS"))
            self.assertGreater(len(trial["curve"]), 50)

    def test_a_setting_changes_what_it_should(self) -> None:
        # Twelve threads, one after the other, fill 6 MiB each and leave a block above what they free: with an arena for
        # each all of it stays, in a single one the next thread fills what the one before left.
        trace = self.plant("arenas")
        default, capped = ask("replay", trace, "--with", "glibc:arena_max=16,glibc:arena_max=1")["trials"]
        self.assertGreater(metric(default, "peak RSS"), 60 << 20)
        self.assertLess(metric(capped, "peak RSS"), 10 << 20)
        self.assertTrue(capped["metrics"]["peak RSS"]["real"])
        self.assertEqual(capped["apply"], "MALLOC_ARENA_MAX=1")

    def test_our_own_malloc_takes_settings(self) -> None:
        trace = self.plant("arenas")
        plain, kept = ask("replay", trace, "--with", "heapwright,heapwright:give_back=no,purge_delay=1s")["trials"]
        self.assertNotIn("failure", plain)
        self.assertNotIn("failure", kept)
        self.assertIn("HEAPWRIGHT_CONF=give_back:no,purge_delay:1s", kept["apply"])
        self.assertIn("libheapwright.so", kept["apply"])

    def test_the_same_trial_twice_is_no_real_difference(self) -> None:
        trace = self.plant("sizes")
        first, second = ask("replay", trace, "--with", "glibc,glibc")["trials"]
        self.assertTrue(first["baseline"])
        self.assertFalse(second["metrics"]["peak RSS"]["real"])

    def test_variables_of_the_user_do_not_reach_the_trials(self) -> None:
        trace = self.plant("sizes")
        environment = {**os.environ, "MALLOC_TOP_PAD_": str(256 << 20), "MALLOC_PERTURB_": "1", "GLIBC_TUNABLES": "glibc.malloc.top_pad=268435456"}
        done = run("replay", trace, "--with", "glibc", "--json", env=environment)
        self.assertIn('"peak RSS"', done.stdout)

    def test_system_calls_are_counted_on_request(self) -> None:
        trace = self.plant("tiles")
        [trial] = ask("replay", trace, "--with", "glibc", "--count-system-calls")["trials"]
        self.assertGreater(metric(trial, "system calls"), 0)


class Bounds(Recorded):
    """With how much memory the recorded blocks could have done: --bounds."""

    def test_at_every_moment_moving_needs_least_and_staying_most(self) -> None:
        trace = self.plant("arenas")
        rows = ask("replay", trace, "--bounds")["bounds"]
        self.assertEqual(sorted(row["label"] for row in rows), [""] * 8 + ["end", "peak"])
        self.assertEqual([row["time_ns"] for row in rows], sorted(row["time_ns"] for row in rows))
        for row in rows:
            self.assertLessEqual(row["moved_bytes"], row["mesh_bound_bytes"])
            self.assertLessEqual(row["mesh_bound_bytes"], row["meshed_bytes"])
            self.assertLessEqual(row["meshed_bytes"], row["page_floor_bytes"])
        peak = next(row for row in rows if row["label"] == "peak")
        self.assertGreaterEqual(peak["page_floor_bytes"], peak["live_bytes"])
        self.assertEqual(peak["live_bytes"], max(row["live_bytes"] for row in rows))
        text = run("replay", trace, "--bounds").stdout
        self.assertIn("page floor", text)
        self.assertIn("peak", text)

    def test_moments_that_were_asked_for(self) -> None:
        trace = self.plant("sizes")
        last = max(row["time_ns"] for row in ask("replay", trace, "--bounds")["bounds"])
        wanted = [last / 4, last / 2]
        rows = ask("replay", trace, "--at", ",".join(f"{time * 1e-9:.9f}" for time in wanted))["bounds"]
        asked = [row["time_ns"] for row in rows if not row["label"]]
        self.assertEqual(len(asked), 2)
        for time, got in zip(wanted, asked):
            self.assertAlmostEqual(got, time, delta=1000)

    def test_what_cannot_be_computed_is_said(self) -> None:
        late = run("replay", self.plant("sizes"), "--at", "5000", status=2)
        self.assertRegex(late.stderr, r"^heapwright: --at .* is after the end of the recording, which lasts ")
        sampled = run("replay", self.plant("sizes", options=("--sample", "65536")), "--bounds", status=2)
        self.assertRegex(sampled.stderr, r"^heapwright: '.*' is a sample, .* record without --sample")


class Failures(Recorded):
    def library(self, source: str) -> str:
        path = self.folder / "broken.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O0", "-x", "c", "-", "-o", str(path), "-ldl"], input=source, text=True, check=True)
        return str(path)

    def fails(self, trial: str, *parts: str) -> None:
        comparison = ask("replay", self.plant("sizes"), "--with", f"glibc,{trial}")
        good, bad = comparison["trials"]
        self.assertNotIn("failure", good)
        for part in parts:
            self.assertIn(part, bad["failure"])

    def test_a_library_that_does_not_exist(self) -> None:
        self.fails("/no/such/allocator.so", "no such file", "give the path")

    def test_an_allocator_without_a_name(self) -> None:
        self.fails("mimalocc", "did you mean 'mimalloc'?")

    def test_a_library_without_malloc(self) -> None:
        self.fails(self.library("int answer(void) { return 42; }"), "does not define malloc")

    def test_a_library_that_crashes(self) -> None:
        source = """
        #include <stddef.h>
        #include <signal.h>
        static char room[1 << 20]; static size_t used; static int count;
        void *malloc(size_t n) { if (++count > 1000) raise(SIGSEGV); void *p = room + used; used += (n + 15) / 16 * 16; return p; }
        void free(void *p) { (void)p; }
        void *calloc(size_t a, size_t b) { return malloc(a * b); }
        void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
        """
        self.fails(self.library(source), "crashed with signal 11", "cannot serve")

    def test_a_library_that_hangs(self) -> None:
        source = """
        #include <stddef.h>
        static char room[1 << 20]; static size_t used; static volatile int count;
        void *malloc(size_t n) { while (++count > 1000) { count = 2000; } void *p = room + used; used += (n + 15) / 16 * 16; return p; }
        void free(void *p) { (void)p; }
        void *calloc(size_t a, size_t b) { return malloc(a * b); }
        void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
        """
        library = self.library(source)
        bad = ask("replay", self.plant("sizes"), "--with", f"glibc,{library}", "--limit", "3")["trials"][1]
        self.assertIn("did not end in time", bad["failure"])

    def test_a_library_whose_blocks_overlap(self) -> None:
        source = """
        #include <stddef.h>
        static char room[1 << 26]; static size_t used;
        void *malloc(size_t n) { used = (used + (n + 15) / 16 * 16) % (1 << 16); return room + used; }
        void free(void *p) { (void)p; }
        void *calloc(size_t a, size_t b) { return malloc(a * b); }
        void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
        """
        self.fails(self.library(source), "overlap", "do not use this allocator")

    def test_a_sampled_recording_is_refused(self) -> None:
        trace = self.plant("sizes", options=("--sample", "65536"))
        done = run("replay", trace, "--with", "glibc", status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"heapwright: cannot replay '.*': the recording is sampled, .* 65536 bytes, .*; record again without --sample")
        self.assertEqual(len([line for line in done.stderr.splitlines() if line]), 1)

    def test_a_trace_that_is_none(self) -> None:
        path = self.folder / "none.hwtrace"
        path.write_bytes(os.urandom(5000))
        done = run("replay", str(path), status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.startswith("heapwright: "))

    def test_a_damaged_trace_replays_what_is_whole(self) -> None:
        trace = Path(self.plant("sizes"))
        trace.write_bytes(trace.read_bytes()[: trace.stat().st_size * 2 // 3])
        [trial] = ask("replay", str(trace), "--with", "glibc")["trials"]
        self.assertNotIn("failure", trial)

    def test_nowhere_to_put_the_plan(self) -> None:
        done = run("replay", self.plant("sizes"), "--with", "glibc", status=None, env={**os.environ, "TMPDIR": "/proc/nowhere"})
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^heapwright: cannot replay '.*': no folder .* '/proc/nowhere' .*; set TMPDIR")
        self.assertEqual(len([line for line in done.stderr.splitlines() if line]), 1)

    def test_a_program_without_an_allocation(self) -> None:
        done = run("replay", self.record("/bin/true"), "--with", "glibc", status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^heapwright: cannot replay '.*': it holds no allocation; record")

    def test_a_worker_that_is_missing(self) -> None:
        alone = shutil.copy(HEAPWRIGHT, self.folder / "alone")
        trace = self.plant("sizes")
        environment = {name: value for name, value in os.environ.items() if name != "HEAPWRIGHT_BIN"}
        done = subprocess.run([alone, "--no-progress", "replay", trace, "--with", "glibc"], capture_output=True, text=True, check=False, env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^heapwright: cannot replay '.*': the program heapwright-replay-worker .*; install")


if __name__ == "__main__":
    unittest.main()
