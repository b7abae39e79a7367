// Clocks: they advance, and ticks convert to nanoseconds and back along a straight line.
#include <heapwright/os/clock.hpp>

#include <cstdint>
#include <thread>

#include <doctest/doctest.h>

namespace heapwright::os {

TEST_CASE("no clock goes backwards") {
    std::uint64_t mono = monotonic_ns();
    std::uint64_t cpu = cpu_ns();
    std::uint64_t own = thread_cpu_ns();
    for (int round = 0; round < 1'000; ++round) {
        const std::uint64_t mono_now = monotonic_ns();
        const std::uint64_t cpu_now = cpu_ns();
        const std::uint64_t own_now = thread_cpu_ns();
        CHECK(mono_now >= mono);
        CHECK(cpu_now >= cpu);
        CHECK(own_now >= own);
        mono = mono_now;
        cpu = cpu_now;
        own = own_now;
    }
}

TEST_CASE("work of another thread counts for the process and not for the caller") {
    constexpr std::uint64_t kWorkNs = 20'000'000;
    const std::uint64_t process_before = cpu_ns();
    const std::uint64_t own_before = thread_cpu_ns();
    std::thread([] {
        while (thread_cpu_ns() < kWorkNs) {}
    }).join();
    CHECK(cpu_ns() - process_before >= kWorkNs * 9 / 10);
    CHECK(thread_cpu_ns() - own_before < kWorkNs);
}

TEST_CASE("the wall clock is after the year 2020") { CHECK(wall_ns() > std::uint64_t{1'577'836'800} * 1'000'000'000); }

TEST_CASE("both clocks of a tick point advance") {
    const TickPoint first = tick_point();
    const TickPoint last = tick_point();
    CHECK(first.ticks < last.ticks);
    CHECK(first.monotonic_ns <= last.monotonic_ns);
}

TEST_CASE("ticks convert along the line through two points, before, between and after them") {
    const TickPoint first{.ticks = 1'000'000, .monotonic_ns = 500'000'000};
    const TickPoint last{.ticks = 3'000'000, .monotonic_ns = 501'000'000};
    CHECK(ticks_to_monotonic_ns(first.ticks, first, last) == first.monotonic_ns);
    CHECK(ticks_to_monotonic_ns(last.ticks, first, last) == last.monotonic_ns);
    CHECK(ticks_to_monotonic_ns(2'000'000, first, last) == 500'500'000);
    CHECK(ticks_to_monotonic_ns(0, first, last) == 499'500'000);
    CHECK(ticks_to_monotonic_ns(5'000'000, first, last) == 502'000'000);
}

}  // namespace heapwright::os
