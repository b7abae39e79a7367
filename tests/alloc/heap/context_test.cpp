// Callers told apart: each return address is looked for exactly where the rules say that it stands.
#include <heapwright/alloc/heap/detail/context.hpp>

#include <array>
#include <cstdint>

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

void set_returns(heap::Context& context, std::initializer_list<std::uint64_t> returns) {
    for (const std::uint64_t offset : returns) {
        context.returns.values[context.returns.count++] = offset;
    }
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
    set_returns(two, {0x10, 0x20});
    heap::Context three;
    set_returns(three, {0x10, 0x20, 0x30});
    REQUIRE(heap::learn(two, kBias));
    REQUIRE(heap::learn(three, kBias));
    MadeUpStack stack;
    CHECK(heap::came_by(two, stack.words.data(), 0));
    CHECK(heap::came_by(three, stack.words.data(), 0));
    stack.words[11] += 1;
    CHECK(heap::came_by(two, stack.words.data(), 0));
    CHECK_FALSE(heap::came_by(three, stack.words.data(), 0));
    stack.words[4] += 1;
    CHECK_FALSE(heap::came_by(two, stack.words.data(), 0));
}

TEST_CASE("a register that leads out of the stack is not followed") {
    placement::set_step_source(find_step);
    heap::Context context;
    set_returns(context, {0x20, 0x30});
    REQUIRE(heap::learn(context, kBias));
    MadeUpStack stack;
    const auto frame = reinterpret_cast<std::uintptr_t>(stack.words.data());
    CHECK(heap::came_by(context, stack.words.data(), frame + 80));
    for (const std::uintptr_t rbp :
         {std::uintptr_t{0}, std::uintptr_t{1}, frame + 81, frame - 8, frame + (1U << 20U), UINTPTR_MAX & ~7UL}) {
        CHECK_FALSE(heap::came_by(context, stack.words.data(), rbp));
    }
}

TEST_CASE("a frame that nobody knows how to leave makes no context, and a module may move") {
    placement::set_step_source(find_step);
    heap::Context unknown;
    set_returns(unknown, {0x10, 0x30, 0x20});
    CHECK_FALSE(heap::learn(unknown, kBias));
    heap::Context context;
    set_returns(context, {0x10, 0x20});
    REQUIRE(heap::learn(context, kBias));
    MadeUpStack stack;
    REQUIRE(heap::came_by(context, stack.words.data(), 0));
    CHECK(heap::learn(context, kBias + 0x1000));
    CHECK_FALSE(heap::came_by(context, stack.words.data(), 0));
    stack.words[4] += 0x1000;
    CHECK(heap::came_by(context, stack.words.data(), 0));
}

}  // namespace
}  // namespace heapwright::test
