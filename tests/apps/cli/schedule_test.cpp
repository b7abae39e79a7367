// How often a program is run, by how long it takes.
#include <apps/cli/schedule.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using cli::Schedule;
using cli::schedule_for;

TEST_CASE("a short program is run often, a long one as seldom as the test of pairs allows") {
    const Schedule quick = schedule_for(0.05, 0);
    CHECK(quick.candidates == 10);
    CHECK(quick.rounds == 5);
    CHECK(quick.pairs == 25);
    CHECK(quick.closer_rounds > 0);
    const Schedule slow = schedule_for(3600, 0);
    CHECK(slow.candidates == 5);
    CHECK(slow.rounds == 3);
    CHECK(slow.pairs == 8);
    CHECK(slow.closer_rounds == 0);
    CHECK(slow.runs() == 6 * 3 + 16);
}

TEST_CASE("what takes longer is never run more often") {
    Schedule before = schedule_for(0.001, 0);
    for (double run_s = 0.001; run_s < 1000; run_s *= 1.3) {
        const Schedule now = schedule_for(run_s, 0);
        CHECK(now.runs() <= before.runs() + 12);  // fewer candidates may leave room for a round
        CHECK(now.pairs <= before.pairs);
        CHECK(now.candidates <= before.candidates);
        before = now;
    }
}

TEST_CASE("as many pairs as the user wants, and few of everything for who wants very few") {
    CHECK(schedule_for(100, 40).pairs == 40);
    CHECK(schedule_for(0.1, 12).rounds == schedule_for(0.1, 0).rounds);
    const Schedule hurried = schedule_for(0.1, 1);
    CHECK(hurried.candidates == 5);
    CHECK(hurried.rounds == 1);
    CHECK(hurried.closer_rounds == 0);
    CHECK(hurried.pairs == 1);
}

}  // namespace heapwright::test
