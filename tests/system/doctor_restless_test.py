"""`heapwright doctor` on programs that never rest, grow, end or belong to others: sums hold, and what it cannot examine it says in a sentence."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from doctor_support import HEAPWRIGHT, KIB, LIB, NOBODY, VICTIM, DoctorTest, Victim, doctor


class Restless(DoctorTest):
    """Processes that change, grow and end while they are examined."""

    def check_busy(self, looks: int, **more) -> None:
        victim = Victim(self, "busy", "4", "0", **more)
        uncertain = []
        for _ in range(looks):
            look = self.look(victim.pid)
            self.assertFalse(look["estimate"])
            uncertain.append(look["uncertain"] / look["rss"])
        self.assertIsNone(victim.process.poll())
        self.assertLess(sorted(uncertain)[len(uncertain) // 2], 0.1)

    def test_a_program_that_never_rests_is_examined_200_times(self) -> None:
        self.check_busy(200)

    def test_and_under_heapwrights_malloc(self) -> None:
        self.check_busy(60, preload=str(LIB / "libheapwright.so"))

    def test_growth_is_seen_by_two_looks(self) -> None:
        victim = Victim(self, "kept", "1", "1000")
        watching = subprocess.Popen([HEAPWRIGHT, "doctor", str(victim.pid), "--json", "--for", "2s"], stdout=subprocess.PIPE, text=True)
        while watching.poll() is None:
            victim.say("grow")
            time.sleep(0.2)
        look = json.loads(watching.communicate()[0])
        self.check_sums(look)
        self.assertEqual(look["verdict"]["kind"], "growth")
        self.assertGreater(look["live"], look["before"]["live"])
        still = self.look(victim.pid, "--for", "100ms")
        self.assertNotEqual(still["verdict"]["kind"], "growth")
        self.assertIn("no growth", " ".join(still["verdict"]["sentences"]))

    def test_watching_ends_with_the_process(self) -> None:
        victim = Victim(self, "kept", "1", "1000")
        watching = subprocess.Popen([HEAPWRIGHT, "doctor", str(victim.pid), "--watch", "50ms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("live", watching.stdout.readline())
        self.assertIn("live", watching.stdout.readline())
        victim.process.kill()
        victim.process.wait()
        out, err = watching.communicate(timeout=60)
        self.assertEqual(watching.returncode, 0)
        self.assertIn("has ended", err)
        self.assertIn("RSS", out)

    def test_processes_that_end_meanwhile(self) -> None:
        for delay in range(0, 30, 3):
            process = subprocess.Popen(["python3", "-c", f"import time; x = bytearray(30 << 20); time.sleep({delay / 100})"])
            done = doctor(process.pid, "--json")
            while done.returncode == 0:
                self.check_sums(json.loads(done.stdout))
                done = doctor(process.pid, "--json")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, "^heapwright: cannot examine process [0-9]+: (it (has )?ended|there is no such process)")
            process.wait()


class Refusals(DoctorTest):
    def refused(self, done: subprocess.CompletedProcess, *parts: str) -> None:
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertRegex(lines[0], r"^heapwright: \S.*; \S.*[^.!]$")
        for part in parts:
            self.assertIn(part, lines[0])

    def test_what_is_no_process(self) -> None:
        for word in ("redis", "12x", "0", "-5", "99999999999999999999", "", "1.5"):
            self.refused(doctor("--", word), "is no process")
        self.refused(doctor("2147483646"), "there is no such process")
        self.refused(doctor(), "pid is required")

    def test_what_is_no_time(self) -> None:
        for word in ("soon", "0", "-1s", "10parsecs", "9999h"):
            self.refused(doctor(os.getpid(), f"--for={word}"), "is no time")
        self.refused(doctor(os.getpid(), "--watch", "1s", "--json"), "--watch")

    def test_a_zombie(self) -> None:
        process = subprocess.Popen(["true"])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.refused(doctor(process.pid), "its parent has not taken notice")
        process.wait()

    def test_a_thread_of_the_kernel(self) -> None:
        def is_of_kernel(process: Path) -> bool:
            try:
                return int((process / "stat").read_text().rpartition(")")[2].split()[6]) & 0x200000 != 0
            except (FileNotFoundError, ProcessLookupError):
                return False  # it ended meanwhile

        threads = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and is_of_kernel(path)]
        if threads:  # in a container there are none to be seen
            self.refused(doctor(threads[0]), "thread of the kernel")

    def test_a_process_of_another_user(self) -> None:
        if os.geteuid() == 0:
            other = subprocess.Popen(["sleep", "60"])
            self.addCleanup(other.wait)
            self.addCleanup(other.send_signal, signal.SIGTERM)
            folder = Path(tempfile.mkdtemp(dir="/tmp"))
            self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
            folder.chmod(0o755)
            tool = shutil.copy(HEAPWRIGHT, folder / "heapwright")
            done = subprocess.run([tool, "doctor", str(other.pid)], capture_output=True, text=True, check=False, user=NOBODY, group=NOBODY,
                                  extra_groups=[])
            self.refused(done, "belongs to user 'root'")
        else:
            self.refused(doctor(1), "belongs to user")


class Privileges(DoctorTest):
    @unittest.skipUnless(os.geteuid() == 0, "whoever is not root shows it with every other test")
    def test_a_user_examines_what_is_theirs_without_privileges(self) -> None:
        folder = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        tool, program = shutil.copy(HEAPWRIGHT, folder / "heapwright"), shutil.copy(VICTIM, folder / "victim")
        theirs = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        victim = Victim(self, "runs", "3", "20000", command=(*theirs, program))
        done = subprocess.run([*theirs, tool, "doctor", str(victim.pid), "--json"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        look = json.loads(done.stdout)
        self.check_sums(look)
        self.assertFalse(look["estimate"])
        after = victim.say("facts")
        self.check_near(look["live"], after["held"], 0.01, 256 * KIB, "live")
        self.check_near(look["trimmable"], after["rss"] - victim.say("trim")["rss"], 0.05, 64 * KIB, "given back")


class Text(DoctorTest):
    def test_the_first_screen_names_every_part(self) -> None:
        victim = Victim(self, "pinned", "3", "20000")
        done = doctor(victim.pid, "--arenas", env={**os.environ, "COLUMNS": "120"})
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ("doctor_victim", "live", "trimmable", "pinned free", "stacks", "files", "main", "fragmentation:", "->"):
            self.assertIn(part, done.stdout)
        self.assertTrue(all(len(line) <= 120 for line in done.stdout.splitlines()))

    def test_itself(self) -> None:
        self.assertEqual(self.look(os.getpid())["name"], Path(f"/proc/{os.getpid()}/comm").read_text(encoding="utf-8").strip())


if __name__ == "__main__":
    unittest.main(verbosity=2)
