// The hot path's words.
#include <heapwright/trace/record/word.hpp>

#include <doctest/doctest.h>

using namespace heapwright::trace;
using namespace heapwright::trace::record;

TEST_CASE("a word keeps its call, its address and its step apart") {
    const Word word = word_of(Call::delete_array, 0x7fff'1234'5678) + 2047 * kStepUnit;
    CHECK(static_cast<Call>(op_of(word)) == Call::delete_array);
    CHECK(address_of(word) == 0x7fff'1234'5678);
    CHECK(step_of(word) == 2047);
}

TEST_CASE("a prefix has a value and no step") {
    const Word word = word_of(Op::touched, 123456);
    CHECK(op_of(word) == Op::touched);
    CHECK(address_of(word) == 123456);
    CHECK(step_of(word) == 0);
    CHECK((word_of(Op::tick, kTickMask) & kTickMask) == kTickMask);
    CHECK(op_of(word_of(Op::tick, kTickMask)) == Op::tick);
}
