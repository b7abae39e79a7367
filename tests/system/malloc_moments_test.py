"""The heap lives through fork, threads that come and go, late releases, limits, and libraries that come and go."""
import unittest

from malloc_support import PROVED, MallocTest, limit_addresses, program, run


class Moments(MallocTest):
    def play(self, *words: str, mallocs: tuple = PROVED, **options) -> None:
        for malloc in mallocs:
            with self.subTest(malloc=malloc, words=words):
                done = run(malloc, program("malloc_moments"), *words, **options)
                self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())

    def test_fork_while_other_threads_allocate(self) -> None:
        self.play("fork_while_threads_allocate", "100")

    def test_fork_with_handlers_that_allocate(self) -> None:
        self.play("fork_handlers_that_allocate", "60")

    def test_thousands_of_short_threads(self) -> None:
        self.play("short_threads", "8000")

    def test_releases_after_the_destructors_of_a_thread(self) -> None:
        self.play("late_release")

    def test_threads_use_again_what_the_ones_before_left(self) -> None:
        self.play("threads_after_each_other")

    def test_blocks_that_other_threads_release(self) -> None:
        self.play("producers_and_consumers")

    def test_libraries_that_come_and_go(self) -> None:
        self.play("load_and_unload", program("malloc_plugin.so"))

    def test_before_main(self) -> None:
        self.play("before_main")

    def test_exit_handlers_and_destructors(self) -> None:
        for malloc in PROVED:
            done = run(malloc, program("malloc_moments"), "exit_handlers")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"exit handler done\n", b""), malloc)

    def test_under_a_limit_of_addresses(self) -> None:
        for mib, least in ((300, 100), (120, 30)):
            self.play("out_of_addresses", str(least), preexec_fn=limit_addresses(mib))

    def test_memory_that_is_refused_at_every_step(self) -> None:
        self.play("out_of_memory_at_every_step", "addresses")
        self.play("out_of_memory_at_every_step", "data")

    def test_memory_goes_back_by_a_clock(self) -> None:
        self.play("give_back_by_the_clock", mallocs=("heapwright",))

    def test_memory_stays_where_the_settings_say_so(self) -> None:
        done = run("heapwright", program("malloc_moments"), "give_back_by_the_clock", more={"HEAPWRIGHT_CONF": "give_back:no"})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"still KiB resident", done.stderr)


if __name__ == "__main__":
    unittest.main()
