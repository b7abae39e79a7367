"""Every function that allocates is recorded as what it is, and behaves as without the recorder."""
import unittest

from record_support import RecordTest, program


class Calls(RecordTest):
    def test_each_call_is_noted_once(self):
        summary = self.check_same_behaviour([program("allocation_calls")])
        self.assertEqual(summary["call.new_object"], 7)
        self.assertEqual(summary["call.new_array"], 6)
        self.assertEqual(summary["call.delete_object"], 6)
        self.assertEqual(summary["call.delete_array"], 6)
        self.assertEqual(summary["wrong_claims"], 0)
        self.assertEqual(summary["mismatched_kinds"], 0)
        self.assertEqual(summary["unknown_releases"], 0)
        self.assertGreaterEqual(summary["call.aligned"], 6)
        self.assertGreaterEqual(summary["call.resize_from"], 3)
        self.assertGreaterEqual(summary["with_alignment"], 12)

    def test_stacks_are_there_unless_they_are_not_wanted(self):
        for mode, expected in (("full", True), ("frames", True), ("none", False)):
            with self.subTest(mode=mode):
                self.tearDown()
                self.setUp()
                summary = self.check_same_behaviour([program("allocation_calls")], stack=mode)
                self.assertEqual(summary["info.stack_mode"], mode)
                self.assertEqual(summary["with_stack"] > 0, expected)
                if mode == "full":
                    self.assertEqual(summary["with_stack"], summary["requests"])

    def test_an_allocator_library_of_the_program_is_served(self):
        import ctypes.util
        from pathlib import Path
        for library in ("libjemalloc.so.2", "libmimalloc.so.2", "libtcmalloc_minimal.so.4"):
            found = next((path for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib") for path in Path(folder).glob(library)), None)
            if found is None:
                continue
            with self.subTest(library=library):
                self.tearDown()
                self.setUp()
                environment = self.environment()
                preload = environment["LD_PRELOAD"] + ":" + str(found)
                recorded = self.run_recorded([program("threads"), "storm", "20000"], more={"LD_PRELOAD": preload})
                self.assertEqual(recorded.returncode, 0, recorded.stderr)
                summary = self.traces()[0]
                self.check_sound(summary)
                self.assertIn(library.split(".")[0], summary["info.allocator"])
                self.assertGreater(summary["events"], 40000)

    def test_sampling_records_a_part_and_only_matching_releases(self):
        full = self.check_same_behaviour([program("threads"), "storm", "20000"])
        self.tearDown()
        self.setUp()
        sampled = self.check_same_behaviour([program("threads"), "storm", "20000"], sample=16384)
        self.assertEqual(sampled["info.sample_interval_bytes"], 16384)
        self.assertGreater(sampled["requests"], 0)
        self.assertLess(sampled["requests"], full["requests"] / 4)
        self.assertEqual(sampled["unknown_releases"], 0)


if __name__ == "__main__":
    unittest.main()
