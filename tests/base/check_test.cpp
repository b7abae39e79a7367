// Assertions in three strengths: what they say, when they stay silent, and that they end the program.
#include <heapwright/base/check.hpp>

#include <string>

#include <doctest/doctest.h>

#include <heapwright/base/text.hpp>

#include <tests/support/death.hpp>

namespace heapwright {
namespace {

struct Patient {
    const char* illness = nullptr;
    [[nodiscard]] const char* broken_invariant() const noexcept { return illness; }
};

}  // namespace

TEST_CASE("a failed check dies with its sentence, condition and place as last words") {
    const auto death = test::death_of([] { HEAPWRIGHT_CHECK(1 + 1 == 3, "sums must add up"); });
    CHECK(death.died);
    CHECK(test::said(death, "heapwright: sums must add up (1 + 1 == 3) at tests/base/check_test.cpp:"));
}

TEST_CASE("a check that holds says nothing and evaluates its condition once") {
    int evaluated = 0;
    HEAPWRIGHT_CHECK(++evaluated == 1, "once");
    CHECK(evaluated == 1);
}

TEST_CASE("without a handler a failed check is silent but still ends the program") {
    const auto death = test::death_of([] {
        set_failure_handler(nullptr);
        HEAPWRIGHT_CHECK(false, "nobody hears this");
    });
    CHECK(death.died);
    CHECK_FALSE(test::said(death, "nobody hears this"));
}

TEST_CASE("setting a handler returns the one before") {
    const FailureHandler mine = [](const Failure&) noexcept {};
    const FailureHandler before = set_failure_handler(mine);
    const bool mine_was_set = set_failure_handler(before) == mine;
    CHECK(mine_was_set);
}

TEST_CASE("an assertion fails in debug builds and is not evaluated in others") {
    const auto death = test::death_of([] { HEAPWRIGHT_ASSERT(2 < 1, "order is order"); });
#ifdef NDEBUG
    CHECK_FALSE(death.died);
#else
    CHECK(death.died);
    CHECK(test::said(death, "heapwright: order is order (2 < 1) at "));
#endif
}

TEST_CASE("an audit names the broken invariant in audit builds only") {
    const Patient healthy;
    HEAPWRIGHT_AUDIT(healthy);
    const auto death = test::death_of([] {
        const Patient ill{.illness = "P1: the patient has a fever"};
        HEAPWRIGHT_AUDIT(ill);
    });
#ifdef HEAPWRIGHT_AUDIT_ENABLED
    CHECK(death.died);
    CHECK(test::said(death, "heapwright: P1: the patient has a fever at "));
#else
    CHECK_FALSE(death.died);
#endif
}

TEST_CASE("a failure without condition or place is described without them") {
    Text<128> text;
    describe(Failure{.sentence = "double free", .condition = nullptr, .file = nullptr, .line = 0}, text);
    CHECK(text.view() == "heapwright: double free");
}

}  // namespace heapwright
