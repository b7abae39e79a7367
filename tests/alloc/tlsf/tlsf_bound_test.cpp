// The memory that a heap needs at most: sufficient_bytes() held against random programs and against the worst ones known.
#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

struct Bounds {
    std::size_t live_bytes;
    std::size_t live_blocks;
    std::size_t largest_bytes;
};
constexpr Bounds kCases[] = {{8'000, 100, 512}, {1'000, 1, 1'000}, {40'000, 40, 4'000}, {60'000, 2'000, 48}, {100'000, 300, 20'000}};

/// A heap in just as many bytes as the bound says, at an address that is no word's.
template <class Heap>
struct Bounded {
    explicit Bounded(Bounds bounds) : memory(Heap::sufficient_bytes(bounds.live_bytes, bounds.live_blocks, bounds.largest_bytes) + 3) {
        REQUIRE(heap.add_region(std::span{memory}.subspan(3)));
    }
    std::vector<std::byte> memory;
    Heap heap;
};

TEST_CASE_TEMPLATE("programs within the bound are never refused", Heap, Tlsf, BasicTlsf<24, 2>, BasicTlsf<26, 4>) {
    for (const Bounds bounds : kCases) {
        Bounded<Heap> bounded{bounds};
        test::Random random{bounds.largest_bytes};
        struct Live {
            void* block;
            std::size_t size;
        };
        std::vector<Live> live;
        std::size_t live_bytes = 0;
        for (int step = 0; step < 30'000; ++step) {
            const std::size_t room = std::min(bounds.live_bytes - live_bytes, bounds.largest_bytes);
            if (live.size() < bounds.live_blocks && room > 0 && (live.empty() || random.below(100) < 60)) {
                // Mostly small, now and then the largest that is allowed.
                const std::size_t size = random.one_in(8) ? room : random.between(1, std::min<std::size_t>(room, 64));
                void* const block = bounded.heap.try_allocate({.size = size, .alignment = 1});
                REQUIRE(block != nullptr);
                live.push_back({block, size});
                live_bytes += size;
            } else {
                Live& one = live[random.below(live.size())];
                bounded.heap.deallocate(one.block);
                live_bytes -= one.size;
                one = live.back();
                live.pop_back();
            }
        }
        CHECK(bounded.heap.broken_invariant() == nullptr);
        CHECK(bounded.heap.stats().refusals == 0);
    }
}

TEST_CASE("holes between the smallest blocks there are leave room for the largest") {
    for (const Bounds bounds : kCases) {
        Bounded<Tlsf> bounded{bounds};
        // As many blocks as are allowed at a time, and of all that were ever made one in `apart` stays: the holes are as large as can be.
        for (const std::size_t apart : {std::size_t{2}, std::size_t{8}, bounds.largest_bytes / 16 + 2}) {
            std::vector<void*> kept;
            while (kept.size() + 1 < bounds.live_blocks && kept.size() + bounds.largest_bytes < bounds.live_bytes) {
                void* const block = bounded.heap.try_allocate({.size = 1, .alignment = 1});
                REQUIRE(block != nullptr);
                void* const filler =
                    bounded.heap.try_allocate({.size = std::min<std::size_t>(apart * 8, bounds.largest_bytes), .alignment = 1});
                REQUIRE(filler != nullptr);
                bounded.heap.deallocate(filler);
                kept.push_back(block);
            }
            void* const largest = bounded.heap.try_allocate({.size = bounds.largest_bytes, .alignment = 1});
            CHECK(largest != nullptr);
            bounded.heap.deallocate(largest);
            for (void* const block : kept) {
                bounded.heap.deallocate(block);
            }
        }
        CHECK(bounded.heap.stats().refusals == 0);
    }
}

TEST_CASE("a bound that no number says is the largest number") {
    CHECK(Tlsf::sufficient_bytes(SIZE_MAX, 1, 8) == SIZE_MAX);
    CHECK(Tlsf::sufficient_bytes(8, SIZE_MAX / 2, 8) == SIZE_MAX);
    CHECK(SmallTlsf::sufficient_bytes(1, 1, std::size_t{1} << 20) == SIZE_MAX);
    static_assert(SmallTlsf::sufficient_bytes(8'000, 100, 512) < 80'000);
}

}  // namespace
}  // namespace heapwright
