// Callers told apart: each return address is looked for exactly where the rules say that it stands.
#include <heapwright/alloc/heap/detail/context.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

constexpr std::uintptr_t kBias = 0x7000'0000;

/// Frames of this made-up code: the one of offset 0x10 is left by rsp and saves rbp, that of 0x20 by rbp, 0x30 by nobody.
bool find_step(std::uintptr_t code, placement::FrameStep& step) noexcept {
    if (code == kBias + 0x10) {
        step = {.by_rbp = false, .saves_rbp = true, .cfa_offset = 40, .rbp_offset = 16};
    } else if (code == kBias + 0x20) {
        step = {.by_rbp = true, .saves_rbp = false, .cfa_offset = 16, .rbp_offset = 0};
    } else {
        return false;
    }
    return true;
}

constexpr std::uintptr_t kFirst = kBias + 0x10;
constexpr std::uintptr_t kSecond = kBias + 0x20;
constexpr std::uintptr_t kThird = kBias + 0x30;

bool learns(heap::Context& context, std::initializer_list<std::uintptr_t> codes) {
    return heap::learn(context, std::span(codes.begin(), codes.size()));
}
bool is_by(const heap::Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) {
    return heap::came_by(context, frame, rbp).is_by_these;
}

/// stack[0] is the word above malloc's return address.
struct MadeUpStack {
    alignas(16) std::array<std::uintptr_t, 32> words{};

    MadeUpStack() {
        words[2] = reinterpret_cast<std::uintptr_t>(&words[10]);  // the rbp that the first frame saved
        words[4] = kBias + 0x20;                                  // its return address: CFA is 40 bytes up
        words[11] = kBias + 0x30;                                 // by rbp: CFA is rbp + 16
    }
};

TEST_CASE("a context is met where every return address stands in its place, and only there") {
    placement::set_step_source(find_step);
    heap::Context two;
    heap::Context three;
    REQUIRE(learns(two, {kFirst, kSecond}));
    REQUIRE(learns(three, {kFirst, kSecond, kThird}));
    MadeUpStack stack;
    CHECK(heap::caller_by(two, stack.words.data(), 0) == kSecond);
    CHECK(is_by(two, stack.words.data(), 0));
    CHECK(is_by(three, stack.words.data(), 0));
    stack.words[11] += 1;
    CHECK(is_by(two, stack.words.data(), 0));
    CHECK_FALSE(is_by(three, stack.words.data(), 0));
    stack.words[4] += 1;
    CHECK_FALSE(is_by(two, stack.words.data(), 0));
    CHECK(heap::caller_by(two, stack.words.data(), 0) == kSecond + 1);
}

TEST_CASE("a register that leads out of the stack is not followed") {
    placement::set_step_source(find_step);
    heap::Context context;
    REQUIRE(learns(context, {kSecond, kThird}));
    MadeUpStack stack;
    const auto frame = reinterpret_cast<std::uintptr_t>(stack.words.data());
    CHECK(is_by(context, stack.words.data(), frame + 80));
    for (const std::uintptr_t rbp :
         {std::uintptr_t{0}, std::uintptr_t{1}, frame + 81, frame - 8, frame + (1U << 20U), UINTPTR_MAX & ~7UL}) {
        CHECK_FALSE(is_by(context, stack.words.data(), rbp));
        CHECK(heap::caller_by(context, stack.words.data(), rbp) == 0);
    }
}

TEST_CASE("a frame that nobody knows how to leave makes no context, and a module may move") {
    placement::set_step_source(find_step);
    heap::Context unknown;
    CHECK_FALSE(learns(unknown, {kFirst, kThird, kSecond}));
    heap::Context context;
    REQUIRE(learns(context, {kFirst, kSecond}));
    MadeUpStack stack;
    REQUIRE(is_by(context, stack.words.data(), 0));
    CHECK(learns(context, {kFirst + 0x1000, kSecond + 0x1000}));
    CHECK_FALSE(is_by(context, stack.words.data(), 0));
    stack.words[4] += 0x1000;
    CHECK(is_by(context, stack.words.data(), 0));
}

TEST_CASE("callers of a module that is not loaded yet are told by their code, and found once it is") {
    placement::set_step_source(find_step);
    heap::Context context;
    REQUIRE(learns(context, {kFirst, 0, kThird}));
    MadeUpStack stack;
    const heap::Arrival early = heap::came_by(context, stack.words.data(), 0);
    CHECK_FALSE(early.is_by_these);
    CHECK(early.unknown == kSecond);
    REQUIRE(learns(context, {kFirst, kSecond, kThird}));
    const heap::Arrival late = heap::came_by(context, stack.words.data(), 0);
    CHECK(late.is_by_these);
    CHECK(late.unknown == 0);
    // It goes, and comes back elsewhere; what its frames are like is known already.
    REQUIRE(learns(context, {kFirst, 0, kThird}));
    CHECK_FALSE(is_by(context, stack.words.data(), 0));
    placement::set_step_source([](std::uintptr_t, placement::FrameStep&) noexcept { return false; });
    CHECK(learns(context, {kFirst, kSecond, kThird}));
    CHECK(is_by(context, stack.words.data(), 0));
}

}  // namespace
}  // namespace heapwright::test
