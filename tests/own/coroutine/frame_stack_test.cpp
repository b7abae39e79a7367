// What a stack of frames promises: order on the usual way, patience on the unusual one, and figures that add up.
#include <heapwright/own/coroutine/frame_stack.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/coroutine/frame_budget.hpp>
#include <heapwright/own/coroutine/task.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("frames lie on each other, rounded to 16 bytes with their tags, and leave in reverse") {
    alignas(16) std::array<std::byte, 1024> buffer;
    FrameStack stack{buffer};
    const Layout layout{.size = 100, .alignment = 16};
    void* const first = stack.try_allocate(layout);
    void* const second = stack.try_allocate(layout);
    CHECK(first == buffer.data());
    CHECK(static_cast<std::byte*>(second) - static_cast<std::byte*>(first) == 112);
    CHECK(stack.stats().used_bytes == 224);
    stack.deallocate(second, layout);
    CHECK(stack.try_allocate(layout) == second);
    stack.deallocate(second, layout);
    stack.deallocate(first, layout);
    CHECK(stack.stats().used_bytes == 0);
    CHECK(stack.stats().peak_bytes == 224);
    CHECK(stack.broken_invariant() == nullptr);
}

TEST_CASE("what does not fit comes from the overflow, or is refused where there is none") {
    FailingSource source;
    alignas(16) std::array<std::byte, 256> buffer;
    const Layout layout{.size = 200, .alignment = 16};
    {
        FrameStack stack{buffer, source};
        void* const first = stack.try_allocate(layout);
        void* const second = stack.try_allocate(layout);
        CHECK(source.outstanding() == 1);
        stack.deallocate(first, layout);
        stack.deallocate(second, layout);
        CHECK(stack.stats().overflows == 1);
    }
    FrameStack alone{buffer};
    CHECK(alone.try_allocate({.size = 300, .alignment = 16}) == nullptr);
    CHECK(alone.try_allocate({.size = 16, .alignment = 64}) == nullptr);
    CHECK(alone.stats().refusals == 2);
    CHECK(source.outstanding() == 0);
    FrameStack none{std::span<std::byte>{}};
    CHECK(none.try_allocate({.size = 1, .alignment = 1}) == nullptr);
}

TEST_CASE("random ends in any order leave no gap when all have ended, and no frame is overwritten") {
    test::Random random;
    FailingSource source;
    auto buffer = std::make_unique<std::array<std::byte, 16'384>>();
    FrameStack stack{*buffer, source};
    struct Frame {
        unsigned char* start;
        std::size_t bytes;
        unsigned char fill;
    };
    std::vector<Frame> live;
    for (int step = 0; step < 5000; ++step) {
        if (live.empty() || random.below(100) < 52) {
            const std::size_t bytes = random.between(1, 400);
            auto* const start = static_cast<unsigned char*>(stack.try_allocate({.size = bytes, .alignment = 16}));
            REQUIRE(start != nullptr);
            REQUIRE(reinterpret_cast<std::uintptr_t>(start) % 16 == 0);
            live.push_back({start, bytes, static_cast<unsigned char>(step)});
            std::memset(start, live.back().fill, bytes);
        } else {
            const std::size_t index = random.one_in(4) ? random.below(live.size()) : live.size() - 1;
            const Frame frame = live[index];
            for (std::size_t byte = 0; byte < frame.bytes; ++byte) {
                REQUIRE(frame.start[byte] == frame.fill);
            }
            stack.deallocate(frame.start, {.size = frame.bytes, .alignment = 16});
            live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
        }
        REQUIRE(stack.broken_invariant() == nullptr);
    }
    for (const Frame& frame : live) {
        stack.deallocate(frame.start, {.size = frame.bytes, .alignment = 16});
    }
    CHECK(stack.stats().used_bytes == 0);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a frame that is freed twice, is foreign, or outlives its stack stops the program") {
    constexpr Layout kLayout{.size = 32, .alignment = 16};
    const auto twice = test::death_of([&] {
        os::report_failures_to_stderr();
        alignas(16) std::array<std::byte, 512> buffer;
        FrameStack stack{buffer};
        void* const first = stack.try_allocate(kLayout);
        static_cast<void>(stack.try_allocate(kLayout));
        stack.deallocate(first, kLayout);
        stack.deallocate(first, kLayout);
    });
    CHECK(test::said(twice, "a frame is not a live one of this stack"));
    const auto foreign = test::death_of([&] {
        os::report_failures_to_stderr();
        alignas(16) std::array<std::byte, 512> buffer;
        FrameStack stack{buffer};
        std::array<std::byte, 64> elsewhere;
        stack.deallocate(elsewhere.data(), kLayout);
    });
    CHECK(test::said(foreign, "a frame is not of this stack"));
    const auto outlived = test::death_of([&] {
        os::report_failures_to_stderr();
        alignas(16) std::array<std::byte, 512> buffer;
        FrameStack stack{buffer};
        static_cast<void>(stack.try_allocate(kLayout));
    });
    CHECK(test::said(outlived, "a stack of frames ends under live coroutines"));
}

[[gnu::noinline]] Task<int, FramesFrom<FrameStack>> depth_of(std::allocator_arg_t, FrameStack& stack, int left) {
    if (left == 0) {
        co_return 0;
    }
    co_return 1 + co_await depth_of(std::allocator_arg, stack, left - 1);
}

TEST_CASE("coroutines that end in reverse run on a stack without anything else") {
    alignas(16) std::array<std::byte, 65'536> buffer;
    FrameStack stack{buffer};
    for (int round = 0; round < 100; ++round) {
        REQUIRE(run(depth_of(std::allocator_arg, stack, 50)) == 50);
    }
    CHECK(stack.stats().used_bytes == 0);
    CHECK(stack.stats().overflows == 0);
    CHECK(stack.stats().peak_bytes > 50 * 64);
    CHECK(run(depth_of(std::allocator_arg, stack, 10)) == 10);
}

TEST_CASE("a meter counts frames by size, what lives and what lived at most") {
    FailingSource source;
    FrameMeter meter{source};
    std::vector<std::pair<void*, Layout>> frames;
    for (const std::size_t bytes : {32U, 33U, 64U, 100U, 5000U}) {
        const Layout layout{.size = bytes, .alignment = 16};
        frames.emplace_back(meter.try_allocate(layout), layout);
    }
    CHECK(meter.figures().live == 5);
    for (const auto& [frame, layout] : frames) {
        meter.deallocate(frame, layout);
    }
    const FrameFigures& figures = meter.figures();
    CHECK(figures.made == 5);
    CHECK(figures.live == 0);
    CHECK(figures.live_bytes == 0);
    CHECK(figures.peak_live == 5);
    CHECK(figures.peak_bytes == 32 + 33 + 64 + 100 + 5000);
    CHECK(figures.made_bytes == figures.peak_bytes);
    CHECK(figures.largest_bytes == 5000);
    CHECK(figures.by_size[0] == 1);
    CHECK(figures.by_size[1] == 2);
    CHECK(figures.by_size[3] == 1);
    CHECK(figures.by_size.back() == 1);
    CHECK(meter.broken_invariant() == nullptr);
    FailingSource empty{1};
    FrameMeter refused{empty};
    CHECK(refused.try_allocate({.size = 16, .alignment = 16}) == nullptr);
    CHECK(refused.figures().refused == 1);
    const auto death = test::death_of([&] {
        os::report_failures_to_stderr();
        std::byte foreign[16];
        refused.deallocate(foreign, {.size = 16, .alignment = 16});
    });
    CHECK(test::said(death, "a meter that did not see it made"));
}

}  // namespace
}  // namespace heapwright
