"""Programs with one planted problem each: the right rule sees it, names the place, and the replay says what is true.

What the replay measures in bytes is the same on every machine and is checked. What it measures in time is not: there the
verdict only has to be one, and what saves the time is checked where it can be counted.
"""
import unittest

from replay_support import Recorded, ask


class Planted(Recorded):
    def found(self, trace: str, rule: str, where: str = "", target: str = "") -> dict:
        advice = ask("advise", trace)
        for one in advice:
            if one["rule"] == rule and where in one["where"] and target in one["target"]:
                return one
        self.fail(f"no suggestion of rule {rule} at '{where}': " + "; ".join(f"{a['rule']} {a['where']} {a['target']}" for a in advice))
        raise AssertionError

    def tried(self, trace: str, one: dict) -> dict:
        [result] = ask("replay", trace, "--experiment", one["id"])
        self.assertIn(result["verdict"], ("proved", "refuted"), result["proof"])
        self.assertTrue(result["proof"].startswith(result["verdict"]), result["proof"])
        return result

    def proved(self, plant: str, rule: str, where: str = "", target: str = "") -> dict:
        trace = self.plant(plant)
        result = self.tried(trace, self.found(trace, rule, where, target))
        # A busy machine may make the little time that it costs look like much.
        if "costs more than it is worth" not in result["proof"]:
            self.assertEqual(result["verdict"], "proved", result["proof"])
        return result

    def within(self, one: dict, least: float, most: float) -> None:
        self.assertGreater(one["measured_bytes"], least * one["expected_bytes"], one["proof"])
        self.assertLess(one["measured_bytes"], most * one["expected_bytes"], one["proof"])


class Memory(Planted):
    def test_a_pool_for_many_nodes(self) -> None:
        self.within(self.proved("pool", "pool", "plant_pool_node"), 0.8, 1.2)  # 48 bytes become 41

    def test_four_bytes_too_many(self) -> None:
        self.within(self.proved("sizes", "sizes", "plant_sizes_record"), 0.8, 1.2)  # 80 bytes become 64

    def test_alignment_that_nobody_needs(self) -> None:
        one = self.proved("alignment", "sizes", "plant_alignment_node")
        self.assertGreater(one["measured_bytes"], one["expected_bytes"])  # only the least that it can be is promised

    def test_a_leak(self) -> None:
        self.within(self.proved("leak", "leak", "plant_leak_session"), 0.8, 1.2)

    def test_memory_to_give_back(self) -> None:
        one = self.proved("give_back", "give_back")
        self.assertGreater(one["measured_bytes"], 30 << 20)

    def test_fewer_arenas(self) -> None:
        one = self.proved("arenas", "settings_glibc", target="arena_max=2")
        self.assertGreater(one["measured_bytes"], 10 << 20)

    def test_a_threshold_that_stays(self) -> None:
        one = self.proved("tiles", "settings_glibc", target="mmap_threshold")
        self.assertGreater(one["measured_bytes"], 10 << 20)


class Time(Planted):
    def tried_for_time(self, plant: str, rule: str, where: str) -> dict:
        trace = self.plant(plant)
        one = self.found(trace, rule, where)
        self.assertGreater(one["expected_seconds"], 0)
        return self.tried(trace, one)

    def test_an_arena_for_requests(self) -> None:
        self.tried_for_time("arena", "arena", "plant_arena_request")

    def test_a_temporary_for_the_stack(self) -> None:
        self.tried_for_time("stack", "stack", "plant_stack_temporary")

    def test_room_for_what_grows(self) -> None:
        self.tried_for_time("reserve", "reserve", "plant_reserve_append")

    def test_room_for_a_vector(self) -> None:
        self.tried_for_time("vector", "reserve", "plant_vector_collect")

    def test_a_top_that_stays(self) -> None:
        trace = self.plant("top")
        one = self.found(trace, "settings_glibc", target="top_pad")
        plain, kept = ask("replay", trace, "--with", "glibc," + one["target"])["trials"]
        faults = [trial["metrics"]["page faults"]["median"] for trial in (plain, kept)]
        self.assertLess(faults[1], 0.1 * faults[0])

    def test_blocks_that_change_threads(self) -> None:
        self.found(self.plant("cross_thread"), "cross_thread", "plant_cross_block")


class Silence(Planted):
    def test_nothing_is_said_where_nothing_is_worth_a_change(self) -> None:
        self.assertEqual(ask("advise", self.plant("quiet"), "--prove"), [])

    def test_all_advice_on_a_program_is_tried_at_once(self) -> None:
        advice = ask("advise", self.plant("leak"), "--prove")
        self.assertGreaterEqual(len(advice), 2)
        for one in advice:
            self.assertIn(one["verdict"], ("proved", "refuted"), one["proof"])
            self.assertTrue(one["proof"].startswith(one["verdict"]), one["proof"])
            self.assertIn("median of 3 replays each", one["proof"])


if __name__ == "__main__":
    unittest.main()
