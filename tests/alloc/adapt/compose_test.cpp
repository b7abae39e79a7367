// Allocators made of allocators, and what they say of themselves.
#include <heapwright/alloc/adapt/compose.hpp>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/adapt/description.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

constexpr Layout bytes(std::size_t size) { return {.size = size, .alignment = 8}; }

TEST_CASE("a fallback asks the second when the first refuses, and gives each block back where it came from") {
    FailingSource source;
    Pool pool{bytes(64), source, {.limit_blocks = 2}};
    Tlsf heap{source};
    Fallback<Pool, Tlsf> both{pool, heap};
    std::vector<void*> blocks;
    for (int count = 0; count < 5; ++count) {
        blocks.push_back(both.try_allocate(bytes(64)));
        CHECK(both.owns(blocks.back()));
    }
    CHECK(pool.stats().live_blocks == 2);
    CHECK(heap.stats().live_blocks == 3);
    CHECK(both.try_allocate_at_least(bytes(10)).size_bytes >= 10);
    CHECK(heap.stats().live_blocks == 4);
    for (void* const block : blocks) {
        both.deallocate(block, bytes(64));
    }
    CHECK(pool.stats().live_blocks == 0);
    CHECK(heap.stats().live_blocks == 1);
}

TEST_CASE("sizes part at the threshold, which belongs to the small ones") {
    FailingSource source;
    Pool pool{bytes(64), source};
    Tlsf heap{source};
    Segregate<64, Pool, Tlsf> both{pool, heap};
    void* const small = both.try_allocate(bytes(64));
    void* const large = both.try_allocate(bytes(65));
    CHECK(pool.owns(small));
    CHECK(heap.owns(large));
    CHECK(both.owns(small));
    both.deallocate(small, bytes(64));
    both.deallocate(large, bytes(65));
    CHECK(pool.stats().live_blocks + heap.stats().live_blocks == 0);
}

TEST_CASE("a limit counts live bytes and refuses the one too many") {
    FailingSource source;
    Tlsf heap{source};
    Limited limited{heap, 1000};
    void* const block = limited.try_allocate(bytes(600));
    CHECK(limited.try_allocate(bytes(401)) == nullptr);
    CHECK(limited.try_allocate(bytes(SIZE_MAX / 2)) == nullptr);
    void* const other = limited.try_allocate(bytes(400));
    CHECK(other != nullptr);
    CHECK(limited.live_bytes() == limited.limit_bytes());
    limited.deallocate(block, bytes(600));
    limited.deallocate(other, bytes(400));
    CHECK(limited.live_bytes() == 0);
}

TEST_CASE("under a lock several threads use an allocator that knows none") {
    Tlsf heap{os::kPages};
    Synchronised locked{heap};
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&locked, &wrong, thread] {
                for (std::size_t round = 0; round < 3000; ++round) {
                    const Layout layout = bytes(4 + round % 200);
                    auto* const block = static_cast<int*>(locked.try_allocate(layout));
                    *block = thread;
                    std::this_thread::yield();
                    wrong += *block == thread ? 0 : 1;
                    locked.deallocate(block, layout);
                }
            });
        }
    }
    CHECK(wrong == 0);
    CHECK(heap.stats().live_blocks == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("the source of nothing refuses, and a block that comes back to it stops the program") {
    Arena arena{kNothing};
    CHECK(arena.try_allocate(bytes(1)) == nullptr);
    os::report_failures_to_stderr();
    const auto death = test::death_of([] {
        int number = 0;
        NullSource::deallocate(&number, bytes(4));
    });
    CHECK(test::said(death, "heapwright: a block came back to a source that never gave one"));
}

using Composed = Tracked<Segregate<64, Pool, Fallback<Tlsf, SourceRef>>>;

TEST_CASE("a composition says what it is and costs when the program is compiled") {
    static constexpr auto kText = description_of<Composed>();
    static_assert(
        kText.view().starts_with("Tracked(Segregate(<= 64 bytes: Pool, else: Fallback(Tlsf, any source))): "
                                 "3 decisions, 1 owner check, 5 counters, 0 locks, 1 indirect call, "));
    static_assert(cost_of<Composed>().locks == 0);
    static_assert(cost_of<Segregate<64, Pool, Tlsf>>() == CompositionCost{.decisions = 1, .own_bytes = 2 * sizeof(void*)});
    static_assert(cost_of<Synchronised<Arena>>().locks == 1);
    static_assert(cost_of<Arena>() == CompositionCost{});
    static_assert(description_of<Limited<NullSource>>().view().starts_with("Limited(NullSource): 1 decision, "));
    CHECK(kText.view().ends_with(" bytes"));
}

TEST_CASE("a lock of one's own guards every call, whatever it is made of") {
    struct Interrupts {
        static int& depth() {
            static int off = 0;
            return off;
        }
        static void lock() { ++depth(); }
        static void unlock() { --depth(); }
    };
    struct Below {
        int calls = 0;
        void* try_allocate(Layout /*layout*/) noexcept {
            calls += Interrupts::depth();
            return nullptr;
        }
        void deallocate(void* /*block*/, Layout /*layout*/) noexcept { calls += Interrupts::depth(); }
    };
    Below below;
    Synchronised<Below, Interrupts> guarded{below};
    CHECK(guarded.try_allocate(bytes(8)) == nullptr);
    guarded.deallocate(nullptr, bytes(8));
    CHECK(below.calls == 2);
    CHECK(Interrupts::depth() == 0);
}

}  // namespace
}  // namespace heapwright
