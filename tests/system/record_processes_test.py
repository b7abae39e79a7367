"""Processes that fork, execute, end and change themselves: one whole trace each, and nothing changed for the program."""
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from record_support import RecordTest, program

PROCESSES = program("processes")


class Processes(RecordTest):
    def same(self, *words: str, **options) -> list:
        plain = self.run_plain([PROCESSES, *words])
        recorded = self.run_recorded([PROCESSES, *words], **options)
        self.assertEqual((recorded.stdout, recorded.stderr, recorded.returncode), (plain.stdout, plain.stderr, plain.returncode))
        return self.traces()

    def test_a_storm_of_forks(self):
        found = self.same("storm", "40")
        self.assertEqual(len(found), 41)
        for summary in found:
            self.check_sound(summary)
        parent = next(summary for summary in found if "info.parent_trace" not in summary)
        self.assertEqual(sum(summary.get("info.parent_trace") == str(parent.path) for summary in found), 40)
        self.assertEqual({summary["info.parent_pid"] for summary in found if summary is not parent}, {parent["info.pid"]})

    def test_children_of_vfork_write_into_the_parents_trace(self):
        found = self.same("vfork")
        for summary in found:
            self.check_sound(summary)
        self.assertEqual(len(found), 21)  # the parent, and twenty that were executed
        self.assertEqual(max(summary["events"] for summary in found) > 4000, True)

    def test_children_with_an_environment_of_their_own_are_recorded(self):
        found = self.same("spawn")
        programs = [os.path.basename(str(summary["info.program"])) for summary in found]
        self.assertEqual(programs.count("processes"), 6)
        self.assertEqual(programs.count("true"), 1)
        for summary in found:
            self.check_sound(summary)

    def test_children_are_left_alone_when_not_wanted(self):
        command = [PROCESSES, "storm", "10"]
        shell = subprocess.Popen(["/bin/sh", "-c", 'export HEAPWRIGHT_RECORD="$0,first=$$"; exec "$@"', f"out={self.folder}/t.hwtrace,children=no",
                                  "/usr/bin/env", f"LD_PRELOAD={self.environment()['LD_PRELOAD']}", *command], stdout=subprocess.PIPE)
        shell.communicate(timeout=100)
        self.assertEqual(shell.returncode, 0)
        self.assertEqual([path.name for path in self.folder.glob("*.hwtrace")], ["t.hwtrace"])

    def test_the_first_process_gets_the_plain_name_and_the_next_program_in_it_another(self):
        done = subprocess.run(["/bin/sh", "-c", f'LD_PRELOAD={self.environment()["LD_PRELOAD"]} HEAPWRIGHT_RECORD="out=a.hwtrace,first=$$" '
                               f'exec {PROCESSES} exec'], cwd=self.folder, check=False, capture_output=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        found = {summary.path.name: summary for summary in self.traces()}
        self.assertEqual(len(found), 2)
        first = found.pop("a.hwtrace")
        name, second = found.popitem()
        self.assertEqual(name, f"a.{first['info.pid']}-2.hwtrace")
        self.assertEqual(first["end.reason"], "exec")
        self.assertEqual(second["end.reason"], "exit")
        self.assertEqual(second["info.pid"], first["info.pid"])
        self.assertGreaterEqual(first["events"], 3000)  # also those between the execv that failed and the one that did not
        self.check_sound(first)
        self.check_sound(second)

    def test_every_way_out_leaves_a_readable_trace(self):
        found = self.same("out")
        self.assertEqual([summary for summary in found if summary["damaged"]], [])
        reasons = [summary.get("end.reason") for summary in found]
        self.assertGreaterEqual(reasons.count("exit"), 5)  # the parent, exit, _exit, _Exit, quick_exit
        self.assertEqual(reasons.count("abort"), 1)

    def test_a_fork_by_a_bare_system_call(self):
        found = self.same("barefork")
        self.assertEqual(len(found), 2)
        for summary in found:
            self.assertEqual(summary["damaged"], 0)

    def test_a_daemon_that_closes_everything_sees_no_descriptor_of_ours(self):
        found = self.same("daemon")
        self.assertEqual(len(found), 2)
        for summary in found:
            self.check_sound(summary)

    @unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
    def test_a_change_of_user(self):
        self.folder.chmod(0o755)
        fallback = self.folder / "everybody"
        fallback.mkdir()
        fallback.chmod(0o1777)
        found = self.same("user", fallback=fallback)
        elsewhere = list(fallback.glob("*.hwtrace"))
        self.assertEqual(len(found), 2)
        self.assertEqual(len(elsewhere), 1)
        for summary in found:
            self.check_sound(summary)

    def test_a_new_user_namespace(self):
        for summary in self.same("unshare"):
            self.check_sound(summary)

    def test_a_killed_process_leaves_what_it_wrote(self):
        busy = subprocess.Popen([PROCESSES, "busy"], env=self.environment(), cwd=self.folder)
        trace = self.folder / f"t.{busy.pid}.hwtrace"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not trace.exists() or trace.stat().st_size < 20000):
            time.sleep(0.02)
        busy.send_signal(signal.SIGKILL)
        busy.wait()
        summary = self.traces()[0]
        self.check_sound(summary, killed=True)
        self.assertNotIn("end.reason", summary)
        self.assertGreater(summary["events"], 5000)

    def test_limits_of_size_and_time_end_the_recording_but_not_the_program(self):
        plain = self.run_plain([program("threads"), "storm", "100000"])
        recorded = self.run_recorded([program("threads"), "storm", "100000"], max_size=200000)
        self.assertEqual((recorded.stdout, recorded.returncode), (plain.stdout, plain.returncode))
        summary = self.traces()[0]
        self.assertEqual(summary["end.reason"], "max-size")
        self.assertLessEqual(summary["file_bytes"], 400000)
        self.assertEqual(summary["damaged"], 0)
        self.tearDown()
        self.setUp()
        busy = subprocess.Popen([PROCESSES, "busy"], env=self.environment(duration_ms=300), cwd=self.folder)
        trace = self.folder / f"t.{busy.pid}.hwtrace"
        deadline = time.monotonic() + 100
        last_bytes = 0
        while time.monotonic() < deadline:
            time.sleep(0.5)
            # Reading millions of events takes seconds: only when the file stands still.
            bytes_now = trace.stat().st_size if trace.exists() else 0
            if bytes_now != 0 and bytes_now == last_bytes and self.traces()[0].get("end.reason"):
                break
            last_bytes = bytes_now
        self.assertIsNone(busy.poll())
        busy.kill()
        busy.wait()
        self.assertEqual(self.traces()[0]["end.reason"], "duration")

    @unittest.skipUnless(os.getuid() == 0 and Path("/sbin/mke2fs").exists() is not None, "needs a small file system")
    def test_a_full_disk_ends_the_recording_and_keeps_the_file(self):
        small = self.folder / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)], check=False, capture_output=True).returncode != 0:
            self.skipTest("cannot mount")
        try:
            done = self.run_recorded([program("threads"), "storm", "100000"], out=small / "t.hwtrace")
            self.assertEqual((done.returncode, done.stdout), (0, b"threads are done\n"))
            from record_support import Summary
            found = [Summary(path) for path in small.glob("*.hwtrace")]
            self.assertEqual(len(found), 1)
            self.assertEqual(found[0]["damaged"], 0)
            self.assertGreater(found[0]["events"], 1000)
            self.assertEqual(found[0].get("end.reason"), "disk-full")
        finally:
            subprocess.run(["umount", str(small)], check=False)

    def test_a_trace_that_cannot_be_written_does_not_hinder_the_program(self):
        done = self.run_recorded([PROCESSES, "storm", "3"], out="/proc/nowhere/t.hwtrace")
        plain = self.run_plain([PROCESSES, "storm", "3"])
        self.assertEqual((done.stdout, done.stderr, done.returncode), (plain.stdout, plain.stderr, plain.returncode))


if __name__ == "__main__":
    unittest.main()
