// A share of time, counted: whatever a step of the work takes, no more is spent than given, but for the last step.
#include <heapwright/alloc/heap/detail/work_share.hpp>

#include <algorithm>
#include <cstdint>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

TEST_CASE("turns of steps that cannot be cut spend what they are given and one step more at most") {
    Random random;
    heap::WorkShare share;
    constexpr std::uint64_t kTurn = 125'000'000;
    constexpr std::uint64_t kGiven = kTurn / 20;  // five per cent
    std::uint64_t longest = 0;
    std::uint64_t spent = 0;
    for (std::uint64_t turn = 1; turn <= 2000; ++turn) {
        const std::uint64_t allowed = share.begin(kGiven);
        CHECK(allowed <= kGiven);
        std::uint64_t worked = 0;
        while (worked < allowed) {  // as a pass works: it looks at the clock behind each step
            const std::uint64_t step = random.one_in(50) ? 20 * kGiven : random.between(1, kGiven / 2);
            longest = std::max(longest, step);
            worked += step;
        }
        share.end(worked);
        spent += worked;
        CHECK(share.broken_invariant() == nullptr);
        CHECK(spent <= turn * kGiven + longest);
    }
    CHECK(share.spent() == spent);
    CHECK(share.given() == 2000 * kGiven);
    CHECK(spent * 10 > share.given() * 9);  // and nothing is left unused
}

TEST_CASE("what turns did not use is saved up to some turns, used some at a time, and the share is kept on average") {
    using heap::WorkShare;
    WorkShare share;
    constexpr std::uint64_t kGiven = 100;
    for (std::uint64_t turn = 0; turn < 2 * WorkShare::kTurnsSaved; ++turn) {
        CHECK(share.begin_saving(kGiven, 0) <= (1 + WorkShare::kTurnsAtOnce) * kGiven);
        share.end(0);
        CHECK(share.broken_invariant() == nullptr);
    }
    std::uint64_t spent = 0;
    for (std::uint64_t turn = 0; turn < 100; ++turn) {
        const std::uint64_t allowed = share.begin_saving(kGiven, 0);
        const std::uint64_t most = (1 + WorkShare::kTurnsAtOnce) * kGiven;
        CHECK(allowed == std::clamp(WorkShare::kTurnsSaved * kGiven + (turn + 1) * kGiven - spent, kGiven, most));
        share.end(allowed);
        spent += allowed;
        CHECK(share.broken_invariant() == nullptr);
    }
    CHECK(spent == (WorkShare::kTurnsSaved + 100) * kGiven);
}

TEST_CASE("turns that were not taken are saved as those that were, and pay what is owed first") {
    heap::WorkShare share;
    CHECK(share.begin_saving(10, 20) == 30);
    share.end(75);
    CHECK(share.begin_saving(10, 45) == 10);
    share.end(10);
    CHECK(share.begin_saving(10, ~std::uint32_t{0}) == 10 + heap::WorkShare::kTurnsAtOnce * 10);
    share.end(0);
    CHECK(share.begin(10) == 10);  // a thread of the program
    share.end(0);
    CHECK(share.broken_invariant() == nullptr);
}

TEST_CASE("who works less than he may saves nothing up unless he is told to") {
    heap::WorkShare share;
    for (int turn = 0; turn < 100; ++turn) {
        CHECK(share.begin(10) == 10);
        share.end(0);
    }
    CHECK(share.begin(10) == 10);
    share.end(25);
    CHECK(share.begin(10) == 0);
    share.end(0);
    CHECK(share.begin(10) == 5);
    share.end(5);
    CHECK(share.begin(10) == 10);
    share.end(10);
    CHECK(share.broken_invariant() == nullptr);
}

}  // namespace
}  // namespace heapwright::test
