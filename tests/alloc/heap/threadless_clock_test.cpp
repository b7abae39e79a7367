// A clock without a thread of its own, as where none can be started: threads of the program take its turns when they free.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>

#include <tests/alloc/heap/held_blocks.hpp>

namespace heapwright::test {
namespace {

constexpr auto kTurn = std::chrono::milliseconds(20);
constexpr std::uint64_t kDelayNs = 4 * std::chrono::nanoseconds(kTurn).count();

// The turn is due when the thread sends home what it keeps: it has the lock of its spans then, which the turn would wait for.
TEST_CASE("a thread that ends with blocks of others at hand does not wait for itself") {
    default_heap::set_clock(kDelayNs, false, true);
    for (unsigned round = 0; round < 5; ++round) {
        std::vector<Held> stirred = make_many(60'000, 256);
        std::vector<Held> ours = make_many(4, 2048);  // few enough to be kept all
        release_all(stirred);                         // so that a turn is worth its while
        std::thread([&] {
            std::vector<Held> own = make_many(40, 2048);  // malloc finds none: from now on what is freed is kept
            own = thin_out(own, 10, 30);
            release_all(ours);
            std::this_thread::sleep_for(2 * kTurn);
        }).join();
        check_heap();
    }
    static_cast<void>(default_heap::trim());
    check_heap();
}

}  // namespace
}  // namespace heapwright::test
