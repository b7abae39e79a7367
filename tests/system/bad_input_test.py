"""Whatever the user gets wrong is answered by one clear sentence and the right exit status, and nothing is lost."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BIN = Path(os.environ["HEAPWRIGHT_BIN"])
HEAPWRIGHT = str(BIN / "heapwright")


def heapwright(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run([HEAPWRIGHT, *words], capture_output=True, text=True, timeout=120, check=False, **more)


class Sentences(unittest.TestCase):
    """One sentence: lower case, a fact, a remedy after a semicolon, no full stop."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def refused(self, done: subprocess.CompletedProcess, *parts: str, status: int = 2) -> None:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertRegex(lines[0], r"^heapwright: \S.*; \S.*[^.!]$")
        for part in parts:
            self.assertIn(part, lines[0])

    def trace(self) -> Path:
        path = self.folder / "good.hwtrace"
        done = heapwright("record", "-o", str(path), "--", "sort", "/etc/passwd")
        self.assertEqual(done.returncode, 0, done.stderr)
        return path


class Programs(Sentences):
    def test_a_program_that_is_not_there(self) -> None:
        self.refused(heapwright("record", "--", "no-such-program"), "no-such-program", "PATH")
        self.refused(heapwright("record", "--", "./no-such-program"), "there is no such file")
        self.refused(heapwright("tune", "--", "no-such-program"), "no-such-program")

    def test_no_program_at_all(self) -> None:
        self.refused(heapwright("record"), "no program was named")

    def test_a_file_that_is_not_executable(self) -> None:
        plain = self.folder / "plain"
        plain.write_text("hello\n", encoding="utf-8")
        plain.chmod(0o644)
        self.refused(heapwright("record", "--", str(plain)), "not executable")

    def test_a_static_executable(self) -> None:
        source = self.folder / "s.c"
        source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
        binary = self.folder / "static"
        subprocess.run(["gcc", "-static", "-o", str(binary), str(source)], check=True)
        self.refused(heapwright("record", "--", str(binary)), "statically linked")

    def test_an_executable_that_defines_malloc_itself(self) -> None:
        source = self.folder / "m.c"
        source.write_text("#include <stddef.h>\nvoid *malloc(size_t n) { (void)n; return 0; }\nint main(void) { return 0; }\n",
                          encoding="utf-8")
        binary = self.folder / "own"
        subprocess.run(["gcc", "-o", str(binary), str(source)], check=True)
        self.refused(heapwright("record", "--", str(binary)), "defines malloc itself")

    @unittest.skipUnless(os.geteuid() == 0, "only root can drop to another user")
    def test_a_setuid_program(self) -> None:
        public = Path(tempfile.mkdtemp(dir="/tmp"))
        self.addCleanup(shutil.rmtree, public, ignore_errors=True)
        public.chmod(0o755)
        program = public / "sort"
        shutil.copy(shutil.which("sort"), program)
        program.chmod(0o4755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", HEAPWRIGHT, "record", "-o",
                               "/tmp/never.hwtrace", "--", str(program)], capture_output=True, text=True, check=False)
        if "Permission denied" in done.stderr and "setpriv" in done.stderr:
            self.skipTest("the build folder is closed to other users")
        self.refused(done, "setuid")

    def test_a_script_whose_interpreter_is_missing(self) -> None:
        script = self.folder / "script"
        script.write_text("#!/no/such/interpreter\n", encoding="utf-8")
        script.chmod(0o755)
        self.refused(heapwright("record", "--", str(script)), "/no/such/interpreter")


class Outputs(Sentences):
    def test_a_folder_that_is_not_there(self) -> None:
        self.refused(heapwright("record", "-o", str(self.folder / "no" / "t.hwtrace"), "--", "true"), "No such file")

    @unittest.skipUnless(os.geteuid() == 0, "only root can drop to another user")
    def test_a_folder_without_permission(self) -> None:
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", HEAPWRIGHT, "record", "-o",
                               "/etc/t.hwtrace", "--", "true"], capture_output=True, text=True, check=False)
        if "setpriv" in done.stderr:
            self.skipTest("the build folder is closed to other users")
        self.refused(done, "Permission denied")

    def test_a_device_is_not_written_to_and_not_removed(self) -> None:
        self.refused(heapwright("record", "-o", "/dev/full", "--", "true"), "device")
        self.assertTrue(Path("/dev/full").exists())

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small file system takes root")
    def test_a_disk_that_fills_up_in_mid_run_keeps_what_was_gathered(self) -> None:
        small = self.folder / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=False).returncode != 0:
            self.skipTest("this machine allows no mounts")
        self.addCleanup(subprocess.run, ["umount", str(small)], check=False)
        script = "x = [str(i) * (i % 7 + 1) for i in range(1000000)]; print(len(x))"
        plain = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        done = heapwright("record", "-o", str(small / "t.hwtrace"), "--", sys.executable, "-c", script,
                          env={**os.environ, "PYTHONMALLOC": "malloc"})
        self.assertEqual(done.stdout, plain.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertIn("disk filled up", done.stderr)
        report = heapwright("report", "--json", str(small / "t.hwtrace"))
        self.assertEqual(report.returncode, 0, report.stderr)


class Traces(Sentences):
    def verbs(self):
        return (("report",), ("advise",), ("replay",), ("export", "--format", "pprof", "-o", str(self.folder / "out")))

    def test_a_trace_that_is_not_there(self) -> None:
        for verb in self.verbs():
            with self.subTest(verb=verb[0]):
                self.refused(heapwright(*verb, str(self.folder / "none.hwtrace")), "there is no such file")
        self.refused(heapwright("diff", str(self.folder / "a"), str(self.folder / "b")), "there is no such file")

    def test_bytes_that_are_no_trace(self) -> None:
        noise = self.folder / "noise.hwtrace"
        noise.write_bytes(bytes(i * 7 % 256 for i in range(5000)))
        empty = self.folder / "empty.hwtrace"
        empty.write_bytes(b"")
        for path in (noise, empty):
            for verb in self.verbs():
                with self.subTest(verb=verb[0], path=path.name):
                    self.refused(heapwright(*verb, str(path)), "not a trace")

    def test_a_folder_in_place_of_a_trace(self) -> None:
        done = heapwright("report", str(self.folder))
        self.assertEqual(done.returncode, 2)
        self.assertTrue(done.stderr.startswith("heapwright: cannot read"))

    def test_a_trace_of_a_newer_version(self) -> None:
        newer = self.folder / "newer.hwtrace"
        data = bytearray(self.trace().read_bytes())
        data[8] = 99
        newer.write_bytes(data)
        self.refused(heapwright("report", str(newer)), "newer heapwright", "99")

    def test_a_truncated_trace_is_used_as_far_as_it_goes(self) -> None:
        whole = self.trace().read_bytes()
        cut = self.folder / "cut.hwtrace"
        cut.write_bytes(whole[: len(whole) * 2 // 3])
        done = heapwright("report", str(cut))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout + done.stderr, re.compile("were not used", re.IGNORECASE))

    @unittest.skipUnless(os.geteuid() == 0, "only root can drop to another user")
    def test_a_trace_without_permission(self) -> None:
        closed = Path("/tmp") / f"heapwright-closed-{os.getpid()}.hwtrace"
        shutil.copy(self.trace(), closed)
        closed.chmod(0o600)
        self.addCleanup(closed.unlink)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", HEAPWRIGHT, "report", str(closed)],
                              capture_output=True, text=True, check=False)
        if "setpriv" in done.stderr:
            self.skipTest("the build folder is closed to other users")
        self.refused(done, "permission denied")


class Replays(Sentences):
    def test_an_allocator_library_that_is_not_there(self) -> None:
        done = heapwright("replay", str(self.trace()), "--with", "/no/such/lib.so", "--runs", "1")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("/no/such/lib.so", done.stderr)

    def test_an_unknown_allocator_or_setting(self) -> None:
        trace = str(self.trace())
        for spec, nearest in (("mimaloc", "mimalloc"), ("glibc:arena_mx=2", "arena_max")):
            with self.subTest(spec=spec):
                self.refused(heapwright("replay", trace, "--with", spec), nearest)

    def test_an_allocator_that_crashes_loses_only_its_own_column(self) -> None:
        source = self.folder / "bad.c"
        source.write_text("#include <stddef.h>\n#include <stdlib.h>\nvoid *malloc(size_t n) { if (n == 0) return 0; abort(); }\n"
                          "void free(void *p) { (void)p; }\n", encoding="utf-8")
        library = self.folder / "libbad.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        done = heapwright("replay", str(self.trace()), "--with", f"glibc,{library}", "--runs", "1")
        self.assertIn("glibc", done.stdout)
        self.assertIn("libbad.so", done.stdout + done.stderr)
        self.assertRegex(done.stdout + done.stderr, "crash|signal|exit")


class CommandLine(Sentences):
    def test_an_unknown_verb_or_option(self) -> None:
        done = heapwright("reprot")
        self.assertEqual(done.returncode, 2)
        self.refused(heapwright("report", "--no-such-option", "x"), "--help")

    def test_a_size_that_is_none(self) -> None:
        self.refused(heapwright("record", "--sample", "many", "--", "true"), "'many' is no size")

    def test_an_unknown_budget(self) -> None:
        self.refused(heapwright("report", str(self.trace()), "--fail-on", "peek>1MiB"), "peak")


if __name__ == "__main__":
    unittest.main()
