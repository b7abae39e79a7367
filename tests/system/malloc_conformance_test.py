"""The malloc family does what glibc's does: the same checks on glibc, which proves the checks, and on libheapwright.so."""
import json
import signal
import subprocess
import unittest

from malloc_support import MallocTest, program, run


class Conformance(MallocTest):
    def check(self, malloc: str) -> str:
        done = run(malloc, program("malloc_conformance"))
        text = done.stdout.decode()
        self.assertEqual(done.returncode, 0, text + done.stderr.decode())
        self.assertIn(", 0 failed", text)
        return text

    def test_the_suite_itself_holds_on_glibc(self) -> None:
        self.check("glibc")

    def test_every_function_of_ours(self) -> None:
        self.check_served()
        text = self.check("heapwright")
        self.assertIn(" 0 functions not there", text)

    def test_with_other_settings(self) -> None:
        for settings in ("purge_delay:0,background:no", "give_back:no", "purge_delay:0,compaction:mesh"):
            done = run("heapwright", program("malloc_conformance"), "blocks", more={"HEAPWRIGHT_CONF": settings})
            self.assertEqual(done.returncode, 0, settings + done.stdout.decode() + done.stderr.decode())


class WithoutRunTime(MallocTest):
    def test_operator_new_stops_a_program_that_could_not_catch(self) -> None:
        done = run("heapwright", program("new_in_c"), "throwing")
        self.assertEqual(done.stdout, b"before\n")
        self.assertLess(done.returncode, 0)
        [line] = done.stderr.decode().splitlines()
        self.assertTrue(line.startswith("heapwright: operator new found no memory"), line)

    def test_the_nothrow_form_needs_no_run_time(self) -> None:
        done = run("heapwright", program("new_in_c"), "quiet")
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class WrongPointers(MallocTest):
    def check(self, mistake: str) -> None:
        done = run("heapwright", program("malloc_moments"), "wrong_pointer", mistake)
        self.assertEqual(done.stdout, b"before\n", mistake)
        self.assertIn(done.returncode, (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL), mistake)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, f"{mistake}: {lines}")
        self.assertRegex(lines[0], r"^heapwright: free of a pointer that is no block: 0x[0-9a-f]+ .*; .*[^.]$")

    def test_each_mistake_is_named_in_one_line(self) -> None:
        for mistake in ("stack", "global", "mapping", "number", "interior of a large block", "interior of another thread's block",
                        "large block twice"):
            with self.subTest(mistake):
                self.check(mistake)


class Settings(MallocTest):
    def said(self, settings: str) -> list:
        done = run("heapwright", "/bin/echo", "still here", more={"HEAPWRIGHT_CONF": settings})
        self.assertEqual((done.returncode, done.stdout), (0, b"still here\n"))
        return done.stderr.decode().splitlines()

    def test_good_settings_are_taken_without_a_word(self) -> None:
        self.assertEqual(self.said("purge_delay:250ms,background:no,give_back:yes,huge_pages:never,limit:4GiB,reserve:64GiB"), [])

    def test_an_unknown_key_is_one_line_with_the_nearest(self) -> None:
        self.assertEqual(self.said("purge_dealy:250ms"),
                         ["heapwright: HEAPWRIGHT_CONF: no setting is called 'purge_dealy'; did you mean 'purge_delay'?"])

    def test_a_bad_value_is_one_line_with_what_is_expected(self) -> None:
        self.assertEqual(self.said("limit:much"),
                         ["heapwright: HEAPWRIGHT_CONF: limit cannot be 'much'; write a size, as in 512MiB, 4GiB or 0 for none"])

    def test_what_does_not_fit_is_told_and_the_rest_is_taken(self) -> None:
        lines = self.said("statistics_at_exit:yes," + "limit:4GiB," * 500 + "limit:1")
        self.assertEqual(lines[0], "heapwright: HEAPWRIGHT_CONF: it has more than 4095 letters; the rest is not read")
        self.assertRegex(lines[1], r"^allocated ")
        lines = self.said(",".join(f"colour{number}:1" for number in range(100)))
        self.assertLess(len(lines), 20)
        for line in lines:
            self.assertRegex(line, r"^heapwright: HEAPWRIGHT_CONF: no setting is called 'colour\d+'; .* reserve$")

    def test_they_are_found_among_long_variables(self) -> None:
        more = {"A_LONG_ONE": "HEAPWRIGHT_CONF=" * 4000, "HEAPWRIGHT_CONF": "colour:blue", "Z": "z" * 5000}
        done = run("heapwright", "/bin/echo", more=more)
        self.assertEqual(done.stderr.count(b"no setting is called 'colour'"), 1)

    def test_statistics_at_exit(self) -> None:
        lines = self.said("statistics_at_exit:yes")
        names = [line.split()[0] for line in lines]
        for name in ("allocated", "active", "resident", "retained", "metadata"):
            self.assertIn(name, names)

    def test_statistics_for_programs_and_for_monitoring(self) -> None:
        figures = json.loads("\n".join(self.said("statistics_at_exit:yes,statistics_format:json")))
        self.assertGreaterEqual(figures["active_bytes"], figures["allocated_bytes"])
        lines = self.said("statistics_at_exit:yes,statistics_format:openmetrics")
        self.assertEqual(lines[-1], "# EOF")
        self.assertTrue(any(line.startswith("heapwright_allocated_bytes ") for line in lines), lines)

    def test_nothing_of_the_sort_without_being_asked(self) -> None:
        self.assertEqual(subprocess.run(["/bin/echo"], stderr=subprocess.PIPE, check=True).stderr, b"")
        self.assertEqual(self.said(""), [])


if __name__ == "__main__":
    unittest.main()
