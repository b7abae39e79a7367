"""Threads, signals, foreign stacks, unwinding, libraries that come and go: the recorder bears them all."""
import unittest

from record_support import RecordTest, program

MOMENTS = program("moments")


class Moments(RecordTest):
    def check(self, *words: str, **options):
        summary = self.check_same_behaviour([*words], **options)
        self.assertEqual(summary["unknown_releases"], 0, summary)
        return summary

    def test_before_main_and_after_it(self):
        summary = self.check(MOMENTS, "statics")
        self.assertEqual(summary["live_blocks"] <= 3, True, summary)

    def test_signal_handlers(self):
        self.check(MOMENTS, "signals")

    def test_coroutines(self):
        summary = self.check(MOMENTS, "coroutines")
        self.assertGreaterEqual(summary["requests"], 4000)

    def test_deep_recursion(self):
        self.check(MOMENTS, "deep")
        self.tearDown()
        self.setUp()
        self.check(MOMENTS, "deep", depth=500)

    def test_exceptions_and_long_jumps(self):
        summary = self.check(MOMENTS, "unwind")
        self.assertGreaterEqual(summary["requests"], 2000)

    def test_libraries_that_come_and_go(self):
        summary = self.check(MOMENTS, "plugin", program("plugin.so"))
        self.assertGreaterEqual(summary["requests"], 1000)
        self.assertGreaterEqual(summary["chunks.2"], 1)

    def test_threads_that_come_and_go(self):
        summary = self.check(program("threads"), "come", "200")
        self.assertGreaterEqual(summary["event_threads"], 200)
        self.assertGreaterEqual(summary["thread_entries"], 200)

    def test_unusual_threads(self):
        self.check(program("threads"), "unusual")

    def test_a_storm_of_threads(self):
        summary = self.check(program("threads"), "storm", "100000")
        self.assertGreaterEqual(summary["event_threads"], 4)
        self.assertEqual(summary["live_twice"], 0)
        names = [value for key, value in summary.items() if str(key).startswith("thread.") and "storm" in str(value)]
        self.assertTrue(names, summary)


if __name__ == "__main__":
    unittest.main()
